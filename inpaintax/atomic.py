"""Files that are never seen half-written."""

import contextlib
import os
import pathlib


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes a whole file of text, in UTF-8; see `write_bytes`.

  Args:
    path: of the file.
    text: all of it.

  Raises:
    OSError: it cannot be written; what was there is as it was.
  """
  write_bytes(path, text.encode())


def write_bytes(path: pathlib.Path, content: bytes) -> None:
  """Writes a whole file, or leaves what was there.

  Args:
    path: of the file; its folder exists.
    content: all of it.

  Raises:
    OSError: it cannot be written; what was there is as it was.
  """
  # In the same folder, since only there a rename is atomic.
  part = path.with_name(f'.{path.name}.{os.getpid()}')
  try:
    part.write_bytes(content)
    os.replace(part, path)
  finally:
    with contextlib.suppress(OSError):
      part.unlink(missing_ok=True)
