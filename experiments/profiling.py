"""--profile: where the time goes, for TensorBoard's profiler or Perfetto."""

import pathlib
from typing import Any

from absl import flags

PROFILE = flags.DEFINE_integer(
  'profile',
  0,
  'Write a profile of so many calls of the compiled step, or images, into'
  ' profile/ in the folder of results, and evaluate no other images; 0: none.',
  lower_bound=0,
)
# Calls before it: they compile, and fill queues.
_BEFORE = 2


class Tracer:
  """Profiles some units of work, once the first ones are done."""

  def __init__(self, folder: str, *, before: int = _BEFORE):
    """Begins at once if there is nothing to wait for.

    Args:
      folder: of results.
      before: units that are not profiled.
    """
    self._folder = pathlib.Path(folder) / 'profile'
    self._before = before
    self._units = 0
    self._runs = False
    self.tick(None, done=0)

  def tick(self, values: Any, *, done: int = 1) -> None:
    """After units of work.

    Args:
      values: arrays to wait for, so that work does not run into its neighbour.
      done: how many units.
    """
    import jax

    self._units += done
    end = self._before + PROFILE.value
    if not self._runs and self._before <= self._units < end:
      jax.block_until_ready(values)
      options = jax.profiler.ProfileOptions()
      # Every Python call would hide, and slow, what is looked for.
      options.python_tracer_level = 0
      jax.profiler.start_trace(self._folder, profiler_options=options)
      self._runs = True
    elif self._runs and self._units >= end:
      jax.block_until_ready(values)
      self.close()

  def close(self) -> None:
    """Writes what there is."""
    import jax

    if self._runs:
      jax.profiler.stop_trace()
      self._runs = False
      print(f'The profile: {self._folder.absolute()}', flush=True)
