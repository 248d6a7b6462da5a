"""One training by several processes, on one machine or many.

The same command in each, but for --process. See docs/reliability.md.
"""

from absl import flags

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
    if _PROCESSES.value > 1:
      raise InputError('--processes needs --coordinator=host:port.')
    return
  import jax

  if place == 'auto':
    jax.distributed.initialize()
    return
  if PROCESS.value >= _PROCESSES.value:
    raise InputError(
      f'--process={PROCESS.value} must be below --processes={_PROCESSES.value}.'
    )
  jax.distributed.initialize(place, _PROCESSES.value, PROCESS.value)


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
