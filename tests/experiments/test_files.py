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
  with pytest.raises(InputError, match=r'--output=.*file cannot be written to'):
    files.single(tmp_path, None, tmp_path / 'file' / 'new' / 'a.png')
