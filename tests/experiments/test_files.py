"""Many files, some of which fail."""

import errno
import pathlib

import pytest

from experiments import files
from inpaintax.errors import InputError, ItemsFailedError


def items(*names):
  return [
    files.Item(name=name, image=pathlib.Path(name), mask=None, output=None)
    for name in names
  ]


def failing(code):
  """Fails on the second of three."""
  done = []

  def restore(item):
    done.append(item.name)
    if item.name == 'b':
      raise OSError(code, 'what the system says')

  return done, restore


def test_a_file_that_cannot_be_written_does_not_end_the_others(tmp_path):
  done, restore = failing(errno.ENAMETOOLONG)
  with pytest.raises(ItemsFailedError, match='1 of 3'):
    files.each(items('a', 'b', 'c'), tmp_path, restore)
  assert done == ['a', 'b', 'c']
  assert 'b,' in (tmp_path / 'failures.csv').read_text()


def test_no_space_left_ends_them_all(tmp_path):
  done, restore = failing(errno.ENOSPC)
  with pytest.raises(OSError, match='what the system says'):
    files.each(items('a', 'b', 'c'), tmp_path, restore)
  assert done == ['a', 'b']


def test_a_folder_of_images_is_no_folder_of_their_masks(tmp_path):
  with pytest.raises(InputError, match=r'--mask=.*in a folder of their own'):
    files.in_folder(tmp_path, tmp_path, tmp_path / 'out')


def test_a_place_that_cannot_be_written_to_is_refused_before_the_work(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(InputError, match=r'--output=.*file is no folder'):
    files.single(tmp_path, None, tmp_path / 'file' / 'new' / 'a.png')


def found(folder, masks, output):
  """What is restored with which mask, and what becomes of it."""
  return {
    item.image.name: (item.mask and item.mask.name, str(item.output))
    for item in files.in_folder(folder, masks, output)
  }


def test_photographs_alike_but_for_their_suffix_have_their_own_masks(
  tmp_path,
):
  photos, masks = tmp_path / 'photos', tmp_path / 'masks'
  for path in (
    photos / 'a.jpg',
    photos / 'a.heic',
    photos / 'b.jpg',
    masks / 'a.jpg.png',
    masks / 'a.bmp',
    masks / 'b.png',
  ):
    path.parent.mkdir(exist_ok=True)
    path.write_text('')
  assert found(photos, masks, pathlib.Path('out')) == {
    'a.heic': ('a.bmp', 'out/a.heic.png'),
    'a.jpg': ('a.jpg.png', 'out/a.jpg.png'),
    'b.jpg': ('b.png', 'out/b.png'),
  }


def test_results_may_lie_above_the_photographs(tmp_path):
  photos = tmp_path / 'photos'
  (photos / 'out').mkdir(parents=True)
  for path in (photos / 'a.jpg', photos / 'out' / 'a.png', tmp_path / 'a.png'):
    path.write_text('')
  expected = {'a.jpg': (None, str(tmp_path / 'a.png'))}
  assert found(photos / 'out', None, tmp_path).keys() == {'a.png'}
  assert found(photos, None, photos / 'out').keys() == {'a.jpg'}
  (photos / 'out' / 'a.png').unlink()
  assert found(photos, None, tmp_path) == expected
  # A folder elsewhere, and round in a circle.
  other = tmp_path / 'other'
  other.mkdir()
  (other / 'b.jpg').write_text('')
  (photos / 'linked').symlink_to(other)
  (other / 'back').symlink_to(photos)
  assert found(photos, None, tmp_path / 'o').keys() == {'a.jpg', 'b.jpg'}
