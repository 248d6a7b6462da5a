"""One training by several processes, on one machine or many.

The same command in each, but for --process. See docs/reliability.md.
"""

import re
import zlib

from absl import flags

from experiments import interruption, program

_COORDINATOR = flags.DEFINE_string(
  'coordinator',
  None,
  'host:port of the first process, for a training by several; auto: as Slurm or'
  ' Kubernetes have it.',
)
_PROCESSES = flags.DEFINE_integer(
  'processes', 1, 'How many train together.', lower_bound=1
)
PROCESS = flags.DEFINE_integer(
  'process', 0, 'Which of them this is.', lower_bound=0
)


def join() -> None:
  """Joins the others. Before anything else asks JAX for its devices.

  Raises:
    InputError: flags do not fit together.
    RuntimeError: the others do not come.
  """
  from inpaintax.errors import InputError

  place = _COORDINATOR.value
  if place is None:
    if _PROCESSES.value > 1 or PROCESS.value:
      raise InputError(
        '--processes and --process need --coordinator=host:port.'
      )
    return
  import jax

  if place == 'auto':
    jax.distributed.initialize()
  else:
    _check(place)
    jax.distributed.initialize(place, _PROCESSES.value, PROCESS.value)
  interruption.take_signals()


def _check(place):
  """Refuses what the others could not be found by; says what is waited for."""
  from inpaintax.errors import InputError

  if PROCESS.value >= _PROCESSES.value:
    raise InputError(
      f'--process={PROCESS.value} must be below --processes={_PROCESSES.value}.'
    )
  if not re.fullmatch(r'.+:\d+', place):
    raise InputError(f'--coordinator={place} is not host:port.')
  program.say(
    f'process {PROCESS.value} of {_PROCESSES.value}: waiting for the others at'
    f' {place}.'
  )


def check_agreement(flags_text: str) -> None:
  """Refuses processes that were given different flags.

  Args:
    flags_text: all flags, one a line; those of the process itself do not count.

  Raises:
    InputError: they differ.
  """
  import numpy as np

  from inpaintax.errors import InputError

  own = (f'--{PROCESS.name}=', f'--{_COORDINATOR.name}=')
  lines = [x for x in flags_text.splitlines() if not x.startswith(own)]
  number = np.uint32(zlib.crc32('\n'.join(lines).encode()))
  if len(np.unique(_of_all(number))) > 1:
    raise InputError(
      'the processes were given different flags: give each the same, but for'
      ' --process.'
    )


def any_of(wanted: int) -> int:
  """The largest of all processes' numbers; all ask at the same step.

  Args:
    wanted: this one's.

  Returns:
    The largest.
  """
  import numpy as np

  return int(_of_all(np.int32(wanted)).max())


def _of_all(number):
  """What each process has: an array."""
  import jax

  if jax.process_count() == 1:
    return number
  from jax.experimental import multihost_utils

  return multihost_utils.process_allgather(number)
