"""Damaged checkpoints are noticed, named and stepped around."""

import errno
import hashlib
import resource
import shutil
import signal

import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax import checkpoints
from inpaintax.checkpoints import manifest
from inpaintax.errors import CheckpointError, ResourceError

STATES = {
  n: {'w': jnp.arange(300.0) * n, 'b': {'c': jnp.int32(n)}} for n in range(1, 5)
}


def save(workdir, *steps):
  with checkpoints.Checkpoints(str(workdir)) as saver:
    for step in steps:
      saver.save(step, STATES[step], record={}, position=step)


def restore(workdir):
  with checkpoints.Checkpoints(str(workdir)) as saver:
    return saver.restore(STATES[1], record={})


def names(workdir):
  return sorted(path.name for path in (workdir / 'checkpoints').iterdir())


def flip(path, bit):
  data = bytearray(path.read_bytes())
  data[bit // 8] ^= 1 << bit % 8
  path.write_bytes(data)


def files(folder):
  return sorted(path for path in folder.rglob('*') if path.is_file())


def largest(step):
  return max(files(step / 'state'), key=lambda path: path.stat().st_size)


def halve(step):
  path = largest(step)
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty_file(step):
  largest(step).write_bytes(b'')


def lose_manifest(step):
  (step / manifest.NAME).unlink()


def cut_manifest(step):
  path = step / manifest.NAME
  path.write_text(path.read_text()[:-3])


def empty_folder(step):
  shutil.rmtree(step)
  step.mkdir()


def lose_item(step):
  shutil.rmtree(step / 'state')


def add_file(step):
  (step / 'state' / 'd' / 'more').write_bytes(b'more')


def flip_last(step):
  path = largest(step)
  flip(path, 8 * path.stat().st_size - 1)


@pytest.mark.scenario(7)
@pytest.mark.parametrize(
  'damage',
  [
    halve,
    empty_file,
    lose_manifest,
    cut_manifest,
    empty_folder,
    lose_item,
    add_file,
    flip_last,
  ],
)
def test_a_damaged_step_is_named_set_aside_and_the_one_before_used(
  tmp_path, damage, caplog
):
  save(tmp_path, 1, 2, 3)
  damage(tmp_path / 'checkpoints' / '3')
  saved = restore(tmp_path)
  assert saved.step == saved.position == 2
  np.testing.assert_array_equal(saved.state['w'], STATES[2]['w'])
  assert names(tmp_path) == ['1', '2', '3.corrupt']
  (warning,) = [r.getMessage() for r in caplog.records]
  assert 'checkpoint 3 in' in warning and '3.corrupt' in warning
  # The step comes again, and is damaged again.
  save(tmp_path, 3)
  damage(tmp_path / 'checkpoints' / '3')
  assert restore(tmp_path).step == 2
  assert names(tmp_path) == ['1', '2', '3.corrupt', '3.corrupt2']


@pytest.mark.scenario(8)
def test_a_bit_that_flips_in_any_file_is_noticed(tmp_path):
  save(tmp_path, 1)
  step = tmp_path / 'checkpoints' / '1'
  generator = np.random.default_rng(0)
  assert manifest.fault(step) is None
  flipped = 0
  for path in files(step):
    size = 8 * path.stat().st_size
    if not size:
      continue
    for bit in {0, size - 1, *generator.integers(0, size, 20).tolist()}:
      flip(path, bit)
      assert manifest.fault(step) is not None, (path, bit)
      flip(path, bit)
      flipped += 1
  assert flipped > 100 and manifest.fault(step) is None


def test_the_manifest_is_what_sha256sum_writes(tmp_path):
  save(tmp_path, 1)
  step = tmp_path / 'checkpoints' / '1'
  told = dict(
    line.split('  ')[::-1]
    for line in (step / manifest.NAME).read_text().splitlines()
  )
  assert told == {
    path.relative_to(step).as_posix(): hashlib.sha256(
      path.read_bytes()
    ).hexdigest()
    for path in files(step)
    if path.name != manifest.NAME
  }


def test_if_all_are_damaged_nothing_is_begun_or_moved(tmp_path):
  save(tmp_path, 1, 2)
  halve(tmp_path / 'checkpoints' / '1')
  lose_manifest(tmp_path / 'checkpoints' / '2')
  for _ in range(2):
    for read in (restore, checkpoints.load_generator):
      with pytest.raises(CheckpointError) as caught:
        read(tmp_path)
      said = str(caught.value)
      assert '2: manifest.sha256 is missing' in said
      assert '1: state/' in said and '--restart' in said
      assert '\n' not in said
    assert names(tmp_path) == ['1', '2']


def test_only_set_aside_steps_are_no_new_run(tmp_path):
  save(tmp_path, 1)
  step = tmp_path / 'checkpoints' / '1'
  step.rename(step.with_name('1.corrupt'))
  with pytest.raises(CheckpointError, match=r'1\.corrupt: set aside before'):
    restore(tmp_path)


def test_a_reader_steps_around_damage_and_moves_nothing(tmp_path, caplog):
  save(tmp_path, 1, 2)
  flip_last(tmp_path / 'checkpoints' / '2')
  refused = r'checkpoint 1 .* cannot be used: its record lacks generator'
  with pytest.raises(CheckpointError, match=refused):
    checkpoints.load_generator(tmp_path)  # No model is described there.
  assert 'checkpoint 2' in caplog.text and '1 is used instead' in caplog.text
  assert names(tmp_path) == ['1', '2']


def test_what_a_writer_that_died_has_left_goes(tmp_path):
  save(tmp_path, 1)
  for name in ('.2.part', '.3.part.orbax-checkpoint-tmp'):
    (tmp_path / 'checkpoints' / name / 'state').mkdir(parents=True)
  assert restore(tmp_path).step == 1
  assert names(tmp_path) == ['1']


@pytest.mark.scenario(15)
def test_a_save_that_fails_is_told_and_the_next_is_not_skipped(tmp_path):
  large = {'w': jnp.asarray(np.random.default_rng(0).normal(size=10**5))}
  before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  with checkpoints.Checkpoints(str(tmp_path)) as saver:
    saver.save(1, large, record={}, position=0)
    saver.wait()
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
      saver.save(2, large, record={}, position=0)
      with pytest.raises(ResourceError, match=r'checkpoint 2 .*no space .* MB'):
        saver.wait()
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
      signal.signal(signal.SIGXFSZ, before)
    assert names(tmp_path) == ['1']
    saver.check()  # It is told once.
    saver.save(3, large, record={}, position=0)
  assert names(tmp_path) == ['1', '3']
  assert manifest.fault(tmp_path / 'checkpoints' / '3') is None


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EIO])
def test_a_manifest_that_cannot_be_written_leaves_no_step(
  tmp_path, monkeypatch, number
):
  def fail(folder):
    raise OSError(number, 'told by the test')

  save(tmp_path, 1)
  monkeypatch.setattr(manifest, 'write', fail)
  with pytest.raises(ResourceError, match='checkpoint 2 ') as caught:
    save(tmp_path, 2)
  assert ('no space' in str(caught.value)) == (number == errno.ENOSPC)
  assert names(tmp_path) == ['1']
