"""Digests of a checkpoint's files: what shows that they are what was written.

Orbax restores an array in which a bit has flipped without a word. So a step has
a `manifest.sha256`, written last, in the format of `sha256sum`:
`sha256sum -c manifest.sha256` inside the step's folder verifies it too.
"""

import hashlib
import pathlib
import re

NAME = 'manifest.sha256'
_LINE = re.compile(r'([0-9a-f]{64})  (.+)')


def write(folder: pathlib.Path) -> None:
  """Writes the manifest of all files below a folder.

  Args:
    folder: of a step, complete but for this.

  Raises:
    OSError: a file cannot be read, or the manifest not be written.
  """
  lines = [f'{_digest(folder / name)}  {name}\n' for name in _files(folder)]
  (folder / NAME).write_text(''.join(lines))


def fault(folder: pathlib.Path) -> str | None:
  """Reads all files below a folder and compares them with its manifest.

  Args:
    folder: of a step.

  Returns:
    What is wrong first, with the file's name; None if nothing is.
  """
  try:
    text = (folder / NAME).read_text()
  except FileNotFoundError:
    return f'{NAME} is missing'
  except (OSError, ValueError) as error:
    return f'{NAME} cannot be read: {" ".join(str(error).split())}'
  wanted = {}
  for line in text.split('\n')[:-1]:
    parts = _LINE.fullmatch(line)
    if parts is None:
      return f'{NAME} is damaged'
    wanted[parts[2]] = parts[1]
  if not wanted or not text.endswith('\n'):
    return f'{NAME} is cut off'
  found = _files(folder)
  for name in sorted(wanted.keys() - set(found)):
    return f'{name} is missing'
  for name in found:
    if name not in wanted:
      return f'{name} is not in {NAME}'
    try:
      digest = _digest(folder / name)
    except OSError as error:
      return f'{name} cannot be read: {error.strerror}'
    if digest != wanted[name]:
      return f'{name} differs from what was written'
  return None


def _files(folder: pathlib.Path) -> list[str]:
  """The files below a folder but for the manifest, sorted."""
  paths = (path for path in folder.rglob('*') if not path.is_dir())
  names = sorted(path.relative_to(folder).as_posix() for path in paths)
  return [name for name in names if name != NAME]


def _digest(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()
