"""The training program from outside: resume, replay, refusals."""

import json
import math
import os
import pathlib
import shutil
import subprocess
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import context_encoder, networks, training
from inpaintax import models

FLAGFILES = pathlib.Path(context_encoder.__file__).parent / 'flags'
TINY = (
  f'--flagfile={pathlib.Path(__file__).with_name("context_encoder_tiny.flags")}',
  '--load_size=40',
  '--adversarial_weight=0.5',
  '--data=photos:train',
  '--log_every=1',
  '--checkpoint_every=2',
  '--image_every=2',
)


def run(*args, **environment):
  """Runs the program with tiny networks."""
  return subprocess.run(
    [sys.executable, '-m', 'experiments.context_encoder', *args],
    capture_output=True,
    text=True,
    check=False,
    env=os.environ | environment,
  )


def train(workdir, *args, **environment):
  done = run(*TINY, f'--workdir={workdir}', *args, **environment)
  assert done.returncode == 0, done.stderr
  return done


def lines(workdir):
  text = (workdir / 'metrics.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def arrays(workdir, step):
  """All arrays of a checkpoint, without any help from our own code."""
  tree = ocp.StandardCheckpointer().restore(
    workdir / 'checkpoints' / str(step) / 'state'
  )
  return jax.tree_util.tree_leaves_with_path(tree)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """Four steps in one go, with looks at the validation data."""
  workdir = tmp_path_factory.mktemp('whole')
  train(workdir, '--steps=4', '--val_data=photos:val')
  return workdir


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(whole, tmp_path):
  # Step 3 is logged and then lost, as it is by an interruption.
  train(tmp_path, '--steps=3', '--checkpoint_every=2', '--val_data=photos:val')
  for path in (tmp_path / 'checkpoints' / '3',):
    assert path.is_dir()
  subprocess.run(['rm', '-r', tmp_path / 'checkpoints' / '3'], check=True)
  train(tmp_path, '--steps=4', '--val_data=photos:val')
  ours, theirs = arrays(tmp_path, 4), arrays(whole, 4)
  assert len(ours) > 40
  for (path, one), (other_path, other) in zip(ours, theirs, strict=True):
    assert path == other_path
    np.testing.assert_array_equal(one, other, err_msg=str(path))
  assert [x for x in lines(tmp_path) if 'gen/rec' in x] == [
    x for x in lines(whole) if 'gen/rec' in x
  ]


def test_muon_goes_on_as_if_never_stopped(tmp_path):
  args = ('--gen_optimizer=muon', '--width=16', '--checkpoint_every=1')
  once, twice = tmp_path / 'once', tmp_path / 'twice'
  train(once, '--steps=2', *args)
  train(twice, '--steps=1', *args)
  train(twice, '--steps=2', *args)
  ours, theirs = arrays(twice, 2), arrays(once, 2)
  # Kernels that Muon moves have one moment, all else Adam's two.
  assert any('muon' in str(path) for path, _ in ours)
  for (path, one), (other_path, other) in zip(ours, theirs, strict=True):
    assert path == other_path
    np.testing.assert_array_equal(one, other, err_msg=str(path))


def test_flags_that_change_on_the_way_are_told_and_kept(whole, tmp_path):
  workdir = tmp_path / 'changed'
  shutil.copytree(whole, workdir)
  before = (workdir / 'flags.txt').read_text()
  done = run(
    f'--flagfile={workdir / "flags.txt"}',
    f'--workdir={workdir}',
    '--steps=5',
    '--gen_lr=3e-5',
  )
  assert done.returncode == 0, done.stderr
  assert '--gen_lr=3e-05' in done.stdout and 'flags_until_4' in done.stdout
  assert (workdir / 'flags_until_4.txt').read_text() == before
  assert '--gen_lr=3e-05' in (workdir / 'flags.txt').read_text()


def test_flags_txt_replays_the_run(whole, tmp_path):
  done = run(f'--flagfile={whole / "flags.txt"}', f'--workdir={tmp_path}')
  assert done.returncode == 0, done.stderr
  assert lines(tmp_path) == lines(whole)


def test_pmap_over_two_devices_logs_what_jit_on_one_does(whole, tmp_path):
  train(
    tmp_path,
    '--steps=2',
    '--parallel=pmap',
    XLA_FLAGS='--xla_force_host_platform_device_count=2',
  )
  for ours, theirs in zip(lines(tmp_path), lines(whole), strict=False):
    assert ours == pytest.approx(theirs, abs=1e-3)


def test_it_looks_at_the_validation_data(whole):
  seen = [line for line in lines(whole) if 'val/psnr_db' in line]
  assert [line['step'] for line in seen] == [2, 4]
  assert all(0 < line['val/psnr_db'] < 60 for line in seen)
  assert sorted(p.name for p in (whole / 'images').iterdir()) == [
    'step_00000002.png',
    'step_00000004.png',
  ]
  assert list(whole.glob('events.out.tfevents.*'))


def test_a_finished_run_is_left_alone(whole):
  before = (whole / 'metrics.jsonl').read_text()
  done = train(whole, '--steps=4', '--val_data=photos:val')
  assert 'already at step 4 of 4' in done.stdout
  assert (whole / 'metrics.jsonl').read_text() == before


@pytest.mark.parametrize(('blocks', 'more'), [((1, 0), 0), ((2, 1), 2)])
def test_another_run_starts_from_its_generator(whole, tmp_path, blocks, more):
  args = (
    '--adversarial_weight=0',
    '--gen_lr=0',
    f'--residual_blocks={blocks[0]}',
    f'--decoder_blocks={blocks[1]}',
  )
  train(tmp_path, '--steps=1', *args, f'--init_from={whole}')
  params = lambda found: {
    jax.tree_util.keystr(path): value
    for path, value in found
    if "['gen']['params']" in jax.tree_util.keystr(path)
  }
  theirs, ours = params(arrays(whole, 4)), params(arrays(tmp_path, 1))
  # In each further block twice: a norm's scale and bias, a kernel.
  assert theirs and len(ours) == len(theirs) + 6 * more
  for name, value in theirs.items():
    np.testing.assert_array_equal(ours[name], value)
  # What it began with stays written down, also where it is not given again.
  (source,) = [
    line
    for line in (tmp_path / 'flags.txt').read_text().splitlines()
    if line.startswith('--init_from=')
  ]
  train(tmp_path, '--steps=2', *args)
  assert source in (tmp_path / 'flags.txt').read_text().splitlines()


def test_the_gradients_of_several_batches_make_one_update(tmp_path):
  args = ('--accumulate=2', '--decay=0.5', '--checkpoint_every=1')
  train(tmp_path, '--steps=4', *args)

  def moved(player, first, last):
    before, after = (
      [
        value
        for path, value in arrays(tmp_path, step)
        if jax.tree_util.keystr(path).startswith(f"['{player}']['params']")
      ]
      for step in (first, last)
    )
    assert before
    return any((a != b).any() for a, b in zip(before, after, strict=True))

  for player in ('gen', 'disc'):
    assert not moved(player, 2, 3)
    assert moved(player, 3, 4)


@pytest.mark.parametrize(
  ('args', 'code', 'said'),
  [
    (('--no_such_flag',), 1, 'no_such_flag'),
    (('--batch_size=none',), 1, 'batch_size'),
    (('stray',), 1, 'stray'),
    (('--data=folder:/no/such/folder',), 2, '/no/such/folder'),
    (('--data=tar:/no/such/*.tar',), 2, '/no/such/*.tar'),
    (('--data=photo',), 2, 'photo'),
    (('--val_data=folder:/no/such/folder',), 2, '/no/such/folder'),
    (('--size=60',), 2, '--size=60'),
    (('--overlap=9',), 2, '--overlap=9'),
    (('--load_size=10',), 2, '--load_size=10'),
    (('--mask=hexagon',), 2, 'hexagon'),
    (('--mask=folder:/no/such/folder',), 2, '/no/such/folder'),
    (('--model=deck', '--size=256', '--mask=region'), 2, 'deck'),
    (('--init_from=/no/such/run',), 6, '/no/such/run'),
    (('--model=pathak', '--decoder_blocks=2'), 2, '--decoder_blocks has no'),
    (('--workdir=',), 2, '--workdir='),
    (('--workdir=~/runs',), 2, '--workdir=~/runs'),
    (('--steps=5', '--accumulate=2'), 2, '--accumulate=2'),
    (('--process=1',), 2, '--coordinator'),
    (('--coordinator=here', '--processes=2'), 2, '--coordinator=here'),
    (('--steps=99999999999999999999',), 1, '--steps=9999'),
    (('--max_blocks=2',), 2, '--max_blocks'),
    (('--workdir=/tmp/run[1]',), 2, 'brackets'),
  ],
)
def test_bad_flags_are_refused_in_one_line(args, code, said, tmp_path):
  workdir = tmp_path / 'run'
  done = run(*TINY, '--steps=1', f'--workdir={workdir}', *args)
  assert done.returncode == code
  assert 'Traceback' not in done.stderr
  if code == 1:
    assert said in done.stderr + done.stdout
  else:
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('inpaintax: ') and said in last


@pytest.mark.parametrize(
  'flag',
  [
    '--width=8',
    '--adversarial_weight=0',
    '--gen_optimizer=muon',
    '--accumulate=5',
  ],
)
def test_another_model_in_the_workdir_is_refused_and_its_flags_kept(
  whole, flag
):
  before = (whole / 'flags.txt').read_text()
  done = run(*TINY, f'--workdir={whole}', '--steps=5', flag)
  assert done.returncode == 2
  assert 'another model' in done.stderr.strip().splitlines()[-1]
  assert (whole / 'flags.txt').read_text() == before


@pytest.mark.parametrize(
  ('flagfile', 'generator', 'discriminator'),
  [
    ('pathak_center', 71_124_544, 2_765_568),
    ('pathak_random', 71_190_208, 2_831_232),
    ('deck', 2_573_187, 437_249),
  ],
)
def test_published_flagfiles_build_the_published_networks(
  flagfile, generator, discriminator
):
  with flagsaver.flagsaver():
    flags.FLAGS(
      ['program', f'--flagfile={FLAGFILES / flagfile}.flags', '--workdir=w']
    )
    networks.check()
    record = networks.record((0.0, 0.0, 0.0))
    size = record['image_size']
    block = record['block'] or size
    assert training.STEPS.value >= 30_000
  sides = {'generator': size, 'discriminator': block}
  wanted = {'generator': generator, 'discriminator': discriminator}
  for name, side in sides.items():
    module = models.build(record[name])
    image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
    variables = jax.eval_shape(
      lambda key, image, module=module: module.init(key, image, train=True),
      jax.random.key(0),
      image,
    )
    shapes = [x.shape for x in jax.tree.leaves(variables['params'])]
    assert sum(map(math.prod, shapes)) == wanted[name]
