"""What can go wrong in ways that a user can mend.

The message of each is one line: what happened, in which file or flag, and
what to do. Programs turn the class into an exit code (`experiments.program`).
"""

import errno

# How the system says that a disk, or one's share of it, is full.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class InputError(ValueError):
  """Bad input, configuration or data."""


class DivergedError(RuntimeError):
  """Training produced a value that is not finite."""


class CheckpointError(RuntimeError):
  """No usable checkpoint where one is needed."""


class ResourceError(RuntimeError):
  """Not enough memory or disk."""


class ItemsFailedError(RuntimeError):
  """The work is done, but for some items that are named."""
