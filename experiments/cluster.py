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
    interruption.take_signals()
    return
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
  jax.distributed.initialize(place, _PROCESSES.value, PROCESS.value)
  interruption.take_signals()


def check_agreement(flags_text: str) -> None:
  """Refuses processes that were given different flags.

  Args:
    flags_text: all flags, one a line; those of the process itself do not count.

  Raises:
    InputError: they differ.
  """
  import jax
  import numpy as np

  from inpaintax.errors import InputError

  if jax.process_count() == 1:
    return
  from jax.experimental import multihost_utils

  own = (f'--{PROCESS.name}=', f'--{_COORDINATOR.name}=')
  lines = [x for x in flags_text.splitlines() if not x.startswith(own)]
  number = np.uint32(zlib.crc32('\n'.join(lines).encode()))
  if len(np.unique(multihost_utils.process_allgather(number))) > 1:
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
  import jax
  import numpy as np

  if jax.process_count() == 1:
    return wanted
  from jax.experimental import multihost_utils

  found = multihost_utils.process_allgather(np.int32(wanted))
  return int(found.max())
