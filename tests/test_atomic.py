"""Text files that are never seen half-written."""

import pytest

from inpaintax import atomic


def test_a_write_replaces_all_of_a_file(tmp_path):
  path = tmp_path / 'a.txt'
  path.write_text('a longer text that was there before')
  atomic.write_text(path, 'schön')
  assert path.read_text(encoding='utf-8') == 'schön'
  assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
  path = tmp_path / 'a.txt'
  path.write_text('before')
  with pytest.raises(UnicodeEncodeError):
    # Fails after the first bytes: more than a buffer, then no character.
    atomic.write_text(path, 'x' * 2**20 + '\ud800')
  assert path.read_text() == 'before'
  assert list(tmp_path.iterdir()) == [path]
