"""The files in a folder, and what to call them."""

import os
from collections.abc import Iterator

from inpaintax.errors import InputError


def files_below(root: str | os.PathLike[str]) -> Iterator[str]:
  """All files in a folder and in those below it, links followed.

  Not those whose name, or whose folder's below `root`, begins with a dot:
  `._a.jpg` is no image, whatever it says.

  Args:
    root: the folder.

  Yields:
    Their paths relative to it, in no order.

  Raises:
    InputError: a folder cannot be listed.
  """
  # A folder is entered once, by whatever way comes first: links may go round.
  entered: set[tuple[int, int]] = set()
  walk = os.walk(os.fspath(root), onerror=_refuse, followlinks=True)
  for folder, subfolders, names in walk:
    status = os.stat(folder)
    if (status.st_dev, status.st_ino) in entered:
      subfolders.clear()
      continue
    entered.add((status.st_dev, status.st_ino))
    subfolders[:] = sorted(n for n in subfolders if not n.startswith('.'))
    for name in names:
      if not name.startswith('.'):
        yield os.path.relpath(os.path.join(folder, name), root)


def printable(path: str | os.PathLike) -> str:
  """A path as text that any terminal and any UTF-8 file can take.

  Args:
    path: a path; its name may be no valid UTF-8.

  Returns:
    The path, bytes that are no UTF-8 written as `\\xNN`.
  """
  return os.fsencode(path).decode('utf-8', 'backslashreplace')


def _refuse(error: OSError) -> None:
  """Stops a walk that would pass over a folder without a word."""
  raise InputError(
    f'{printable(error.filename)}: cannot list: {error.strerror}'
  ) from error
