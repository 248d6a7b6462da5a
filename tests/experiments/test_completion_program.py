"""Completion from outside: phases, resume, any hole, equal holes."""

import json
import pathlib
import shutil
import subprocess
import sys

import cv2
import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from inpaintax import checkpoints

TINY = (
  f'--flagfile={pathlib.Path(__file__).with_name("completion_tiny.flags")}',
  '--data=photos:train',
  '--log_every=1',
  '--checkpoint_every=1',
)


def run(name, *args):
  return subprocess.run(
    [sys.executable, '-m', f'experiments.{name}', *map(str, args)],
    capture_output=True,
    text=True,
    check=False,
  )


def train(workdir, *args):
  done = run('completion', *TINY, f'--workdir={workdir}', *args)
  assert done.returncode == 0, done.stderr


def arrays(workdir, step):
  """All arrays of a checkpoint, without any help from our own code."""
  return ocp.StandardCheckpointer().restore(
    workdir / 'checkpoints' / str(step) / 'state'
  )


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """Two steps of G alone, one of D, two of both."""
  workdir = tmp_path_factory.mktemp('whole')
  train(
    workdir,
    '--steps=5',
    '--val_data=photos:val',
    '--image_every=5',
    '--val_images=2',
  )
  return workdir


def equal(a, b):
  same = jax.tree.map(lambda a, b: bool((a == b).all()), a, b)
  return all(jax.tree.leaves(same))


@pytest.fixture(scope='module')
def cut(tmp_path_factory):
  """The state after each step of a run that is stopped after each."""
  workdir = tmp_path_factory.mktemp('cut')
  states = {}
  for step in range(1, 6):
    train(workdir, f'--steps={step}')
    states[step] = arrays(workdir, step)
  return states


def test_each_phase_moves_whom_it_should_and_the_log_says_so(whole, cut):
  text = (whole / 'metrics.jsonl').read_text()
  lines = [json.loads(line) for line in text.splitlines()]
  told = [
    {key.split('/')[0] for key in line if key in ('gen/rec', 'disc/loss')}
    for line in lines
    if 'val/psnr_db' not in line
  ]
  both = {'gen', 'disc'}
  assert told == [{'gen'}, {'gen'}, {'disc'}, both, both]
  stays = lambda step, who: equal(
    cut[step][who]['params'], cut[step + 1][who]['params']
  )
  assert [stays(step, 'gen') for step in range(1, 5)] == [0, 1, 0, 0]
  assert [stays(step, 'disc') for step in range(1, 5)] == [1, 0, 0, 0]


def test_a_run_cut_in_every_phase_is_the_run_in_one_piece(whole, cut):
  assert equal(cut[5], arrays(whole, 5))


def test_a_run_goes_on_with_other_phases(whole, cut, tmp_path):
  workdir = tmp_path / 'other'
  shutil.copytree(whole, workdir)
  # Of all phases: G would be alone for two steps more.
  train(workdir, '--gen_only=7', '--steps=6')
  train(workdir, '--gen_only=0', '--disc_only=0', '--steps=7')
  discs = [arrays(workdir, step)['disc']['params'] for step in (6, 7)]
  assert equal(discs[0], cut[5]['disc']['params'])
  assert not equal(*discs)


def test_what_fills_is_the_average(whole):
  trained = checkpoints.load_generator(str(whole))
  state = arrays(whole, 5)['gen']
  assert equal(trained.variables['params'], state['average'][0])
  assert equal(trained.variables['batch_stats'], state['average'][1])
  assert not equal(trained.variables['params'], state['params'])


def test_a_photograph_of_any_size_with_any_holes(whole, tmp_path):
  image = np.random.default_rng(0).integers(0, 256, (150, 211, 3), np.uint8)
  mask = np.zeros((150, 211), np.uint8)
  mask[:90, 20:120] = 255
  mask[140:142] = 255
  paths = [tmp_path / name for name in ('image.png', 'mask.png', 'out.png')]
  cv2.imwrite(str(paths[0]), image)
  cv2.imwrite(str(paths[1]), mask)
  done = run(
    'restore',
    f'--workdir={whole}',
    f'--image={paths[0]}',
    f'--mask={paths[1]}',
    f'--output={paths[2]}',
    '--finish=blended+textured',
  )
  assert done.returncode == 0, done.stderr
  # A slow machine may say how long it took.
  assert 'was trained on' not in done.stderr
  found = cv2.imread(str(paths[2]))
  np.testing.assert_array_equal(found[mask == 0], image[mask == 0])
  assert (found[mask > 0] != image[mask > 0]).any()


def test_a_model_of_centre_holes_says_that_it_may_fill_others_badly(
  whole, tmp_path
):
  record = checkpoints.load_generator(str(whole)).record | {'mask': 'center'}
  with checkpoints.Checkpoints(str(tmp_path / 'run')) as saver:
    saver.save(5, arrays(whole, 5), record=record, position=None)
  image, mask = tmp_path / 'image.png', tmp_path / 'mask.png'
  cv2.imwrite(str(image), np.zeros((40, 40, 3), np.uint8))
  cv2.imwrite(str(mask), np.pad(np.full((4, 4), 255, np.uint8), 18))
  done = run(
    'restore',
    f'--workdir={tmp_path / "run"}',
    f'--image={image}',
    f'--mask={mask}',
    f'--output={tmp_path / "out.png"}',
  )
  assert done.returncode == 0, done.stderr
  assert 'run was trained on centre holes alone' in done.stderr


def test_an_evaluation_and_the_masks_written_have_the_same_digest(
  whole, tmp_path
):
  masks = ('--mask=lama-thick,silhouettes', '--seed=3', '--size=32')
  folder = tmp_path / 'masks'
  done = run('masks', *masks, '--count=2', f'--output={folder}')
  assert done.returncode == 0, done.stderr
  digest = done.stdout.split()[0]
  done = run(
    'evaluate',
    f'--workdir={whole}',
    '--data=photos:val[:2]',
    *masks,
    '--finish=,textured',
    '--baselines=telea',
    f'--output={tmp_path / "out"}',
  )
  assert done.returncode == 0, done.stderr
  results = json.loads((tmp_path / 'out' / 'results.json').read_text())
  assert results['masks_sha256'] == digest
  names = [row['method'] for row in results['rows']]
  assert names == ['model', 'model textured', 'telea']
  assert all(row['seam'] > 0 for row in results['rows'])
  picture = cv2.imread(str(folder / '000001.png'))
  assert picture.shape == (32, 32, 3) and set(np.unique(picture)) == {0, 255}
  # Nothing is written over.
  done = run('masks', *masks, '--count=2', f'--output={folder}')
  assert done.returncode == 2 and 'is not empty' in done.stderr


def test_flags_that_mean_nothing_are_refused(refusals_of, tmp_path):
  cases = [
    (['--mask=lama-thick,hexagons'], 'lama-thick,hexagons: hexagons is not'),
    (['--mask=lama-thick,'], 'nothing is not'),
    (['--size=48'], 'power of two'),
    (['--adversarial_weight=0'], '--gen_only'),
    (['--penalty_weight=3'], '--penalty_weight'),
    (['--model=glcic'], '--residual_blocks'),
    (['--min_area=0.5', '--max_area=0.4'], '--min_area=0.5 is above'),
    (['--average=1'], '--average=1'),
    (['--mask=blocks', '--max_side=64'], '--min_side and --max_side'),
    (['--accumulate=4', '--steps=8'], '--gen_only=2 is not a multiple'),
  ]
  found = refusals_of(
    'completion',
    [[*TINY, f'--workdir={tmp_path}', *flags] for flags, _ in cases],
  )
  for (flags, said), (kind, message) in zip(cases, found, strict=True):
    assert kind == 'InputError' and said in message, (flags, message)
  assert not (tmp_path / 'checkpoints').exists()


def test_models_and_ways_to_finish_that_do_not_fit_are_refused(
  refusals_of, whole, tmp_path
):
  cases = [
    (['--finish=polished'], 'mirrored, blended, textured'),
    (['--finish=textured+textured'], 'once at most'),
    (['--finish=textured:0'], 'above 0 and at most 1'),
    (['--finish=textured:x'], 'above 0 and at most 1'),
    (['--finish=blended:0.5'], 'once at most'),
    (['--finish=,'], 'two alternatives are the same'),
    (['--finish=blended', '--features=x'], '--features'),
    (['--mask=center', '--hole=32'], '--hole=32'),
    (['--size=50'], 'takes multiples of 8'),
    (['--finish=textured', f'--features={tmp_path}'], 'no checkpoints'),
  ]
  common = [f'--workdir={whole}', '--data=photos:val[:2]', '--baselines=']
  found = refusals_of(
    'evaluate',
    [[*common, f'--output={tmp_path / "out"}', *flags] for flags, _ in cases],
  )
  for (flags, said), (_, message) in zip(cases, found, strict=True):
    assert said in message, (flags, message)
