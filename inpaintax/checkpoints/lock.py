"""One writer in a workdir."""

import fcntl
import os
import pathlib
import socket

from absl import logging

from inpaintax.errors import InputError

_NAME = 'lock'


class Lock:
  """Held by the process that writes to a workdir, until `release`.

  The kernel frees it when its owner dies, however that comes about: a file that
  is left behind is no lock. Between machines it holds as far as their common
  file system carries `flock`.
  """

  def __init__(self, workdir: str | os.PathLike[str]):
    """Takes the lock.

    Args:
      workdir: a folder that is there.

    Raises:
      InputError: another process has it; the message says which.
      OSError: the file cannot be written.
    """
    self._path = pathlib.Path(workdir) / _NAME
    while True:
      file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError as error:
        owner = os.read(file, 1000).decode(errors='replace').strip()
        os.close(file)
        raise InputError(
          f'{workdir} is in use by {owner or "another process"}: wait for it,'
          ' stop it, or give another --workdir.'
        ) from error
      except OSError as error:
        logging.warning(
          '%s: this file system has no locks (%s): see to it yourself that one'
          ' program at a time writes there.',
          workdir,
          error.strerror,
        )
      # Its last owner may have removed the file while we were opening it.
      if self._is_ours(file):
        break
      os.close(file)
    self._file: int | None = file
    os.ftruncate(file, 0)
    os.write(file, f'pid {os.getpid()} on {socket.gethostname()}\n'.encode())

  def _is_ours(self, file: int) -> bool:
    try:
      return os.path.samestat(os.fstat(file), os.stat(self._path))
    except FileNotFoundError:
      return False

  def release(self) -> None:
    """Gives the lock back; again: nothing."""
    if self._file is not None:
      self._path.unlink(missing_ok=True)
      os.close(self._file)
      self._file = None
