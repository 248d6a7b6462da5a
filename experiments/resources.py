"""Memory and disk: enough for a run, before it begins."""

import os
import pathlib
import shutil
from typing import Any

from absl import flags

from experiments import program

_GB = 1e9


def check_memory(needed: int, fixed: int, batch_size: int) -> None:
  """Refuses a step that takes more than the device has.

  Args:
    needed: bytes of the compiled step on each device.
    fixed: of them, those of the state.
    batch_size: images or patches, over all devices.

  Raises:
    ResourceError: it cannot run; the message has a batch size that can.
  """
  from inpaintax.errors import ResourceError

  limit = device_bytes()
  if not limit or needed <= limit:
    return
  each = max(needed - fixed, 1) / batch_size
  fits = int(0.9 * (limit - fixed) / each)
  advice = 'take a smaller model'
  if fits >= 1:
    advice = f'try --batch_size={fits}'
    if 'accumulate' in flags.FLAGS and 2 * fits <= batch_size:
      batches = -(-batch_size // fits)
      advice = (
        f'try --batch_size={-(-batch_size // batches)}, and'
        f' --accumulate={batches} for the same sum'
      )
  raise ResourceError(
    f'--batch_size={batch_size} needs about {needed / _GB:.1f} GB on a device,'
    f' which has {limit / _GB:.1f} GB: {advice}.'
  )


def device_bytes() -> int:
  """The memory of a device; of the machine, for the CPU.

  Returns:
    Bytes; 0 if nobody tells.
  """
  import jax

  device = jax.local_devices()[0]
  if device.platform != 'cpu':
    return (device.memory_stats() or {}).get('bytes_limit', 0)
  limits = [os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')]
  group = pathlib.Path('/sys/fs/cgroup/memory.max')
  if group.is_file() and (text := group.read_text().strip()).isdecimal():
    limits.append(int(text))
  return min(limits)


def warn_of_disk(workdir: str, state: Any) -> None:
  """Warns where a disk has no room for two checkpoints.

  Args:
    workdir: on that disk.
    state: what a checkpoint holds.
  """
  from inpaintax import checkpoints

  size = checkpoints.bytes_of(state)
  free = shutil.disk_usage(workdir).free
  if free < 2 * size:
    program.say(
      f'warning: {free / 1e6:.0f} MB are free in {workdir}, and a'
      f' checkpoint takes about {size / 1e6:.0f} MB: free some, or choose'
      ' another --workdir.'
    )
