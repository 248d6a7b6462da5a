"""Faults, from outside: damage, divergence, masks; each run is a process."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest
from programs import last_line, metrics, run, train


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('faults') / 'run'
  done = train(workdir, '--steps=3')
  assert done.returncode == 0, done.stderr
  return workdir


@pytest.fixture
def workdir(trained, tmp_path):
  shutil.copytree(trained, tmp_path / 'run')
  return tmp_path / 'run'


def largest(folder):
  files = (path for path in folder.rglob('*') if path.is_file())
  return max(files, key=lambda path: path.stat().st_size)


DAMAGES = {
  'half': lambda step: os.truncate(
    largest(step), largest(step).stat().st_size // 2
  ),
  'to nothing': lambda step: os.truncate(largest(step), 0),
  'no manifest': lambda step: (step / 'manifest.sha256').unlink(),
  'one file gone': lambda step: largest(step).unlink(),
  'emptied': lambda step: [shutil.rmtree(step), step.mkdir()],
}


@pytest.mark.scenario(7)
@pytest.mark.parametrize('damage', DAMAGES)
def test_a_damaged_step_is_stepped_around(workdir, trained, damage):
  DAMAGES[damage](workdir / 'checkpoints' / '3')
  done = train(workdir, '--steps=3')
  line = last_line(done, 0)
  assert 'checkpoint 3 in' in line and '3.corrupt' in line
  assert metrics(workdir) == metrics(trained)
  names = sorted(path.name for path in (workdir / 'checkpoints').iterdir())
  assert names == ['1', '2', '3', '3.corrupt']


@pytest.mark.scenario(10)
def test_the_same_command_goes_on(workdir):
  done = train(workdir, '--steps=4')
  assert done.returncode == 0 and 'step 4/4' in done.stdout
  assert 'step 3/4' not in done.stdout


@pytest.mark.scenario(11)
def test_another_model_is_refused_and_harmless_flags_are_not(workdir):
  line = last_line(train(workdir, '--steps=9', '--width=8'), 2)
  assert (
    'another model' in line and 'options/widths is [4], wanted is [8]' in line
  )
  assert train(workdir, '--steps=4', '--log_every=2').returncode == 0


@pytest.mark.scenario(18)
def test_a_run_follows_from_its_seed(trained, tmp_path):
  for name, *args in (('same',), ('same too', '--deterministic')):
    assert train(tmp_path / name, '--steps=3', *args).returncode == 0
    assert metrics(tmp_path / name) == metrics(trained)
  assert train(tmp_path / 'other', '--steps=3', '--seed=1').returncode == 0
  assert metrics(tmp_path / 'other') != metrics(trained)


@pytest.mark.scenario(20)
@pytest.mark.parametrize('way', ['pmap', 'not compiled'])
def test_a_step_is_the_same_however_it_is_run(trained, tmp_path, way):
  if way == 'pmap':
    done = train(tmp_path, '--steps=1', '--parallel=pmap')
  else:
    done = train(tmp_path, '--steps=1', JAX_DISABLE_JIT='1')
  assert done.returncode == 0, done.stderr
  ours, theirs = (
    json.loads(metrics(place).splitlines()[0]) for place in (tmp_path, trained)
  )
  assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


@pytest.mark.scenario(21)
def test_divergence_is_not_cried_where_nothing_moves(tmp_path):
  rates = ('--gen_lr=1e-10', '--disc_lr=1e-10')
  done = train(tmp_path, '--steps=15', '--checkpoint_every=15', *rates)
  assert done.returncode == 0 and not done.stderr.strip()


@pytest.mark.scenario(21)
def test_what_diverged_is_kept_to_be_looked_at(tmp_path):
  rates = ('--gen_lr=1e30', '--disc_lr=1e-3')
  line = last_line(train(tmp_path, '--steps=99', *rates), 3)
  assert 'last good checkpoint' in line
  (path,) = tmp_path.glob('diverged_step_*.npz')
  with np.load(path) as dump:
    assert dump['batch'].dtype == np.uint8 and dump['seed'] == 0
    assert len(dump['names']) == len(dump['batch'])
    assert str(dump['names'][0]).endswith(('.png', '.jpg'))


@pytest.mark.scenario(32)
def test_a_mask_of_another_size_is_refused_or_resized(workdir, tmp_path):
  generator = np.random.default_rng(0)
  photo, mask = tmp_path / 'photo.png', tmp_path / 'mask.png'
  pixels = generator.integers(0, 255, (40, 48, 3), np.uint8)
  cv2.imwrite(str(photo), pixels)
  drawn = np.zeros((20, 24), np.uint8)
  drawn[10:12, 12:14] = 255
  cv2.imwrite(str(mask), drawn)
  flags = (
    f'--workdir={workdir}',
    f'--image={photo}',
    f'--mask={mask}',
    f'--output={tmp_path / "filled.png"}',
  )
  line = last_line(run('restore', *flags), 2)
  assert '24x20' in line and '48x40' in line and '--resize_mask' in line
  assert not (tmp_path / 'filled.png').exists()
  cv2.imwrite(str(mask), drawn.T)
  line = last_line(run('restore', *flags, '--resize_mask'), 2)
  assert '20x24' in line and 'proportions' in line
  cv2.imwrite(str(mask), drawn)
  done = run('restore', *flags, '--resize_mask')
  assert done.returncode == 0, done.stderr
  filled = cv2.imread(str(tmp_path / 'filled.png'))
  missing = np.kron(drawn, np.ones((2, 2), np.uint8)) > 0
  np.testing.assert_array_equal(filled[~missing], pixels[~missing])
  assert (filled[missing] != pixels[missing]).any()
