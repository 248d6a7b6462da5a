"""The restore program from outside: files, folders, refusals."""

import csv
import re

import numpy as np
import pytest
from PIL import Image

from inpaintax import images


def photo(height, width, seed=0):
  draw = np.random.default_rng(seed)
  return draw.integers(0, 256, (height, width, 3), np.uint8)


def hole(height, width, top, left, side=5):
  mask = np.zeros((height, width), np.uint8)
  mask[top : top + side, left : left + side] = 255
  return mask


@pytest.fixture
def files(tmp_path, tiny_workdir):
  """A photograph with a hole, and the flags that fill it."""
  images.write(tmp_path / 'photo.png', photo(30, 41))
  images.write(tmp_path / 'mask.png', hole(30, 41, 25, 20))

  def flags(**changes):
    words = {
      'workdir': tiny_workdir,
      'image': tmp_path / 'photo.png',
      'mask': tmp_path / 'mask.png',
      'output': tmp_path / 'filled.png',
    } | {key: tmp_path / value for key, value in changes.items()}
    return [f'--{key}={value}' for key, value in words.items()]

  return flags


def refused(done, code, *words):
  """One line that says it, and nothing written."""
  assert done.returncode == code, done.stderr
  last = done.stderr.splitlines()[-1]
  assert last.startswith('inpaintax: ')
  assert 'Traceback' not in done.stderr
  for word in words:
    assert word in last


def test_a_photograph_is_filled_and_the_mask_may_be_a_negative(
  run_program, files, tmp_path
):
  done = run_program('restore', *files(output='new/filled.png'))
  assert done.returncode == 0, done.stderr
  filled, truth = images.read(tmp_path / 'new/filled.png'), photo(30, 41)
  missing = hole(30, 41, 25, 20) > 0
  np.testing.assert_array_equal(filled[~missing], truth[~missing])
  assert (filled[missing] != truth[missing]).mean() > 0.9
  # Untrained: nothing but middle greys.
  assert np.abs(filled[missing].astype(int) - 127).max() < 64
  before = (tmp_path / 'new/filled.png').read_bytes()
  # White is known now; and the old result may go.
  images.write(tmp_path / 'negative.png', 255 - hole(30, 41, 25, 20))
  done = run_program(
    'restore',
    *files(output='new/filled.png', mask='negative.png'),
    '--overwrite',
    '--mask_invert',
  )
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'new/filled.png').read_bytes() == before


def test_an_empty_mask_changes_nothing_and_says_so(
  run_program, files, tmp_path
):
  images.write(tmp_path / 'mask.png', np.zeros((30, 41), np.uint8))
  done = run_program('restore', *files())
  assert done.returncode == 0, done.stderr
  assert 'nothing is missing (White is what to fill, ' in done.stderr
  np.testing.assert_array_equal(
    images.read(tmp_path / 'filled.png'), photo(30, 41)
  )


def test_a_mask_that_may_be_meant_the_other_way_round_is_told(
  run_program, files, tmp_path
):
  images.write(tmp_path / 'mask.png', 255 - hole(30, 41, 2, 2))
  done = run_program('restore', *files())
  assert 'mask.png marks 98% of the photograph as missing.' in done.stderr
  assert '--mask_invert turns that round' in done.stderr


def test_of_an_animation_it_is_told_that_one_picture_is_restored(
  run_program, files, tmp_path
):
  first, second = (
    Image.fromarray(picture) for picture in (photo(30, 41), photo(30, 41)[::-1])
  )
  first.save(
    tmp_path / 'two.webp', save_all=True, append_images=[second], lossless=True
  )
  images.write(tmp_path / 'mask.png', hole(30, 41, 2, 2))
  done = run_program('restore', *files(image='two.webp'))
  assert done.returncode == 0, done.stderr
  assert 'two.webp: of its 2 pictures the first shown.' in done.stderr


def test_what_cannot_be_filled_is_refused(refusals_of, files, tmp_path):
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'photo.txt').write_text('no photograph')
  images.write(tmp_path / 'mask 2.png', hole(29, 41, 2, 2))
  images.write(tmp_path / 'large.png', hole(30, 41, 2, 2, side=7))
  images.write(tmp_path / 'deep.png', photo(30, 41).astype(np.uint16) * 256)
  images.write(tmp_path / 'white.png', np.full((30, 41), 255, np.uint8))
  cases = [
    ({'image': 'photo.txt'}, 'photo.txt: not an image'),
    ({'image': 'none.png'}, 'none.png: no such file'),
    ({'mask': 'mask 2.png'}, r'mask 2.png is 41x29 .*photo.png 41x30'),
    ({'mask': 'white.png'}, 'white.png marks every pixel as missing'),
    ({'mask': 'large.png'}, r'large.png: a hole .* does not fit.* up to 6x6'),
    ({'mask': 'empty'}, 'empty is a folder, .*photo.png is not'),
    ({'output': 'filled.jpg'}, r'bit for bit .* \.png'),
    ({'output': 'photo.png'}, 'photo.png is the photograph: .*another file'),
    ({'image': 'deep.png', 'output': 'o.bmp'}, 'deep.png has 16 bit'),
    ({'output': 'white.png'}, 'white.png exists: .*--overwrite'),
    ({'workdir': 'empty'}, 'no checkpoints in .*empty'),
  ]
  found = refusals_of('restore', [files(**changes) for changes, _ in cases])
  for (changes, words), (kind, message) in zip(cases, found, strict=True):
    wanted = 'CheckpointError' if 'workdir' in changes else 'InputError'
    assert kind == wanted and re.search(words, message), (changes, message)
  assert not (tmp_path / 'filled.png').exists()


def test_of_a_folder_what_can_be_is_filled_and_the_rest_is_named(
  run_program, files, tmp_path
):
  folder, masks = tmp_path / 'photos', tmp_path / 'photos' / 'masks'
  for number, name in enumerate(
    ['a.png', 'b.bmp', 'in/c.png', 'd.png', 'e.png']
  ):
    images.write(folder / name, photo(20 + number, 33, number))
  for name, mask in {
    'a.png': hole(20, 33, 0, 0),
    'b.png': hole(21, 33, 3, 28),
    'in/c.bmp': hole(22, 33, 10, 10),
    'd.png': hole(23, 32, 10, 10),
  }.items():
    images.write(masks / name, mask)
  images.write(masks / 'f.png', hole(20, 33, 9, 9))
  deep = np.random.default_rng(2).integers(0, 2**16, (22, 33), np.uint16)
  images.write(folder / 'in/c.png', deep)
  (folder / 'f.jpg').write_bytes(b'')
  out = tmp_path / 'photos' / 'out'
  flags = files(image='photos', mask='photos/masks', output='photos/out')
  done = run_program('restore', *flags)
  refused(done, 4, '3 of 6 images failed', 'failures.csv')
  for number, (name, mask) in enumerate(
    [('a', hole(20, 33, 0, 0)), ('b', hole(21, 33, 3, 28))]
  ):
    filled, truth = (
      images.read(out / f'{name}.png'),
      photo(20 + number, 33, number),
    )
    np.testing.assert_array_equal(filled[mask == 0], truth[mask == 0])
    assert (filled != truth).any()
  filled = images.read_deep(out / 'in' / 'c.png')
  known = hole(22, 33, 10, 10) == 0
  np.testing.assert_array_equal(filled[known], deep[known])
  assert filled.dtype == np.uint16 and (filled != deep).any()
  assert len([path for path in out.rglob('*') if path.is_file()]) == 4
  with (out / 'failures.csv').open() as file:
    failures = {line['image']: line['reason'] for line in csv.DictReader(file)}
  assert list(failures) == ['d.png', 'e.png', 'f.jpg']
  assert '32x23' in failures['d.png'] and '33x23' in failures['d.png']
  assert 'no mask of this name' in failures['e.png']
  assert 'empty' in failures['f.jpg']
  # Once more, with the same mask for all, and the three mended.
  for path in ('d.png', 'e.png', 'a.png', 'b.bmp', 'in/c.png'):
    images.write(folder / path, photo(20, 33))
  (folder / 'f.jpg').unlink()
  flags = files(image='photos', mask='photos/masks/a.png', output='photos/out')
  done = run_program('restore', *flags)
  refused(done, 2, 'a.png and 2 more exist')
  # No longer the folder of masks: its other masks would be photographs.
  for name in ('b.png', 'd.png', 'f.png', 'in/c.bmp'):
    (masks / name).unlink()
  done = run_program('restore', *flags, '--overwrite')
  assert done.returncode == 0, done.stderr
  assert sorted(p.name for p in out.rglob('*.*')) == [
    f'{name}.png' for name in 'abcde'
  ]
  # And an old list goes, also where nothing is left to do.
  (out / 'failures.csv').write_text('image,reason\ng.png,empty\n')
  done = run_program('restore', *flags, '--skip_existing')
  assert done.returncode == 0 and '5 of 5 exist' in done.stderr
  assert not (out / 'failures.csv').exists()


def test_folders_that_make_no_sense_are_refused(refusals_of, files, tmp_path):
  for name in (
    'text/notes.txt',
    'one/a.png',
    'two/a.png',
    'two/a.bmp',
    'two/a.png.tif',
    'm/b.png',
  ):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b'')
  cases = [
    ({'image': 'text'}, r'no image in this folder; .*\.jpg'),
    ({'image': 'two'}, r'a.png and .*a.png.tif would both .*rename one'),
    ({'image': 'one', 'mask': 'two'}, 'masks of the same name'),
    ({'image': 'one', 'output': 'one'}, 'is the folder of the images'),
    ({'image': 'one', 'mask': 'm'}, 'no mask there has the name'),
  ]
  found = refusals_of(
    'restore', [files(**({'output': 'out'} | changes)) for changes, _ in cases]
  )
  for (changes, words), (kind, message) in zip(cases, found, strict=True):
    assert kind == 'InputError', (changes, kind, message)
    assert re.search(words, message), (changes, message)
  assert not (tmp_path / 'out').exists()
