"""Training a denoiser, from outside: stages, resume, refusals, text."""

import gzip
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from inpaintax import checkpoints

TINY = (f'--flagfile={pathlib.Path(__file__).with_name("ssda_tiny.flags")}',)


def train(workdir, *args, **environment):
  done = subprocess.run(
    [sys.executable, '-m', 'experiments.ssda', *TINY, f'--workdir={workdir}']
    + list(args),
    capture_output=True,
    text=True,
    check=False,
    env=os.environ | environment,
  )
  assert done.returncode == 0, done.stderr


def train_until(step, workdir, *args):
  """A run that is lost after a step."""
  script = (
    'import sys; from absl import flags; from experiments import ssda, program;'
    'from inpaintax import loop; fit = loop.fit;'
    f'loop.fit = lambda *a, **k: fit(*a, **(k | {{"steps": {step}}}));'
    'program.run(ssda.main)'
  )
  subprocess.run(
    [sys.executable, '-c', script, *TINY, f'--workdir={workdir}', *args],
    check=True,
    capture_output=True,
  )


def arrays(workdir, step):
  with ocp.StandardCheckpointer() as reader:
    path = workdir.absolute() / 'checkpoints' / str(step) / 'state'
    return jax.tree.leaves(reader.restore(path))


def lines(workdir):
  text = (workdir / 'metrics.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_a_run_goes_through_its_stages(ssda_run):
  found = [line for line in lines(ssda_run) if 'loss' in line]
  assert [line['step'] for line in found] == list(range(2, 21, 2))
  # The sparsity term is there as long as layers are trained alone.
  assert ['sparsity' in line for line in found] == [True] * 4 + [False] * 6
  assert lines(ssda_run)[-1]['val/psnr_db'] > 10
  assert (ssda_run / 'images' / 'step_00000020.png').is_file()


@pytest.mark.parametrize('kept', [4, 6, 8])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
  ssda_run, tmp_path, kept
):
  # Cut at the boundaries of both stages, and within one. The rate of the last
  # stage depends on --steps: the first part has to be told the same.
  workdir = tmp_path / 'cut'
  train_until(kept, workdir, '--steps=20')
  assert lines(workdir)[-1]['step'] == kept
  train(workdir, '--steps=20')
  for a, b in zip(arrays(workdir, 20), arrays(ssda_run, 20), strict=True):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('parallel', ['jit', 'pmap'])
def test_devices_share_a_batch(ssda_run, tmp_path, parallel):
  workdir = tmp_path / parallel
  devices = {'XLA_FLAGS': '--xla_force_host_platform_device_count=2'}
  train(workdir, '--steps=20', f'--parallel={parallel}', **devices)
  one = [line for line in lines(ssda_run) if 'loss' in line]
  for a, b in zip(lines(workdir), one, strict=True):
    assert a.keys() == b.keys()
    for name, value in a.items():
      assert value == pytest.approx(b[name], rel=2e-5, abs=1e-6)


def test_text_is_taken_away_and_measured(run_program, tmp_path):
  workdir, output = tmp_path / 'text', tmp_path / 'out'
  train(
    workdir,
    '--noise=text',
    '--font_sizes=18',
    '--side=24',
    '--output_side=16',
    '--cell=4',
    '--gated',
    '--jpeg_share=0.5',
    '--updates_per_call=1',
    '--val_stride=16',
    '--steps=20',
    '--val_data=photos:val',
    '--val_images=1',
  )
  done = run_program(
    'evaluate',
    f'--workdir={workdir}',
    '--noise=text',
    '--font_sizes=20,24',
    '--baselines=median,telea',
    '--limit=1',
    f'--output={output}',
  )
  assert done.returncode == 0, done.stderr
  results = json.loads((output / 'results.json').read_text())
  assert results['noise'] == {'name': 'text', 'font_sizes': [20, 24]}
  assert results['strides'] == {'model': 5} and results['jpeg'] is None
  rows = {row['method']: row for row in results['rows']}
  assert list(rows) == ['input', 'model', 'median', 'telea']
  # Telea is told where the text is, and changes nothing else.
  told, given = rows['telea'], rows['input']
  assert told['psnr_db'] > given['psnr_db'] + 5
  share = 10 ** ((told['marked_psnr_db'] - told['psnr_db']) / 10)
  assert 0.15 <= share <= 0.17
  assert 'PSNR marked' in (output / 'results.md').read_text()


@pytest.mark.parametrize(
  'args',
  [
    ('--optimizer=lbfgs', '--batch_size=64'),
    ('--optimizer=muon', '--cell=2', '--factor=8', '--side=8'),
  ],
)
def test_other_optimizers_go_on_where_they_stopped(args, tmp_path):
  args = (*args, '--depth=1', '--steps=20')
  train(tmp_path / 'whole', *args)
  train_until(8, tmp_path / 'cut', *args)
  train(tmp_path / 'cut', *args)
  both = [arrays(tmp_path / name, 20) for name in ('whole', 'cut')]
  for a, b in zip(*both, strict=True):
    np.testing.assert_array_equal(a, b)
  losses = [line['loss'] for line in lines(tmp_path / 'whole')]
  assert losses[-1] < losses[2]  # The first of all layers together.


def test_a_new_run_starts_from_another_ones_denoiser(ssda_run, tmp_path):
  start = f'--init_from={ssda_run}'
  train(tmp_path, start, '--steps=2', '--pretrain=0', '--lr=0')
  given, taken = (
    checkpoints.load_generator(str(run)).variables['params']
    for run in (ssda_run, tmp_path)
  )
  jax.tree.map(np.testing.assert_array_equal, given, taken)


def test_noise_of_many_levels_is_written_down(tmp_path):
  train(
    tmp_path,
    '--steps=20',
    '--sigma=5',
    '--sigma_max=50',
    '--profile=2',
    '--dtype=bfloat16',
  )
  record = checkpoints.load_generator(str(tmp_path)).record
  assert record['noise'] == {'name': 'gaussian', 'sigma': 5, 'sigma_max': 50}
  (trace,) = (tmp_path / 'profile').rglob('*.trace.json.gz')
  assert b'PjitFunction' in gzip.decompress(trace.read_bytes())


def test_what_cannot_be_trained_is_refused(refusals_of, tmp_path):
  cases = [
    ('--steps=21', '--steps=21 is not a multiple'),
    ('--pretrain=0.5', 'leaves nothing'),
    ('--output_side=3', 'no exact centre'),
    ('--cell=4', '--cell=4, doubled by each layer to 8'),
    ('--factor=0', 'makes 0 hidden units'),
    ('--rho=1', '--rho'),
    ('--sigma_max=20', '--sigma_max=20'),
    ('--noise=text --sigma_max=50', '--sigma_max has no meaning'),
    ('--font_sizes=20', '--font_sizes has no meaning'),
    ('--jpeg_share=0.5', '--jpeg_share has no meaning'),
    ('--even_sizes', '--even_sizes has no meaning'),
    ('--noise=text --font_sizes=20,18', '--font_sizes=20,18'),
    ('--noise=text --font_sizes=20,300', '--font_sizes=20,300'),
    ('--noise=text --font_sizes=²', '--font_sizes=²'),
    ('--noise=text --side=300', '--side=300'),
    ('--factor=1e9', '--factor=1e+09'),
    ('--optimizer=lbfgs --parallel=pmap', '--parallel=jit'),
    ('--optimizer=muon', 'give --cell'),
    ('--pretrain=0.01', 'less than half of --updates_per_call'),
    ('--val_data=photos:val --val_stride=5', '--val_stride=5'),
    ('--side=600 --factor=1e-4', 'too few for patches of 600x600'),
    ('--data=folder:/no/such/folder', '/no/such/folder'),
  ]
  arguments = [
    [*TINY, '--steps=20', f'--workdir={tmp_path / "new"}', *flag.split()]
    for flag, _ in cases
  ]
  for (kind, message), (_, said) in zip(
    refusals_of('ssda', arguments), cases, strict=True
  ):
    assert kind == 'InputError' and said in message


def test_a_run_goes_on_with_its_own_course_alone(refusals_of, ssda_run):
  # The stages and the rate would be others, from where it stands.
  same = [*TINY, f'--workdir={ssda_run}']
  found = refusals_of(
    'ssda',
    [
      [*same, '--steps=40'],
      [*same, '--steps=20', '--pretrain=0.4'],
      [*same, '--steps=20', '--updates_per_call=1'],
    ],
  )
  for kind, message in found:
    assert kind == 'InputError' and 'its course/' in message


def test_flags_that_are_no_numbers_are_refused(run_program, tmp_path):
  flags = ('--noise=gaussian', '--sigma=nan', f'--output={tmp_path}')
  done = run_program('evaluate', *flags)
  assert done.returncode == 2 and '--sigma=nan' in done.stderr
  assert not list(tmp_path.iterdir())
