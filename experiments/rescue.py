"""What a training run that fails does not lose."""

import contextlib
from collections.abc import Callable
from typing import Any

from experiments import program


class Rescue:
  """Saves the last state when a run fails, so that nothing is lost by it.

  Of several processes others may have gone on: there the last save counts.
  """

  def __init__(self, saver: Any, save: Callable[..., None]):
    """Has nothing to save yet.

    Args:
      saver: of checkpoints.
      save: a hook that saves.
    """
    self._saver, self._save = saver, save
    self._last: tuple[int, Any, Any] | None = None

  def remember(self, step: int, state: Any, metrics: Any) -> None:
    """The first of the hooks.

    Args:
      step: updates done.
      state: after them.
      metrics: of the last.
    """
    self._last = step, state, metrics

  def __enter__(self) -> 'Rescue':
    return self

  def __exit__(self, kind: Any, error: Any, _: Any) -> None:
    import jax

    from inpaintax.errors import CheckpointError, DivergedError

    told = (DivergedError, CheckpointError)
    if not isinstance(error, Exception) or isinstance(error, told):
      return
    if self._last is None or jax.process_count() > 1:
      return
    step, state, metrics = self._last
    # What failed may be the step, which has used the state up.
    if any(leaf.is_deleted() for leaf in jax.tree.leaves(state)):
      return
    with contextlib.suppress(Exception):
      self._save(step, state, metrics)
      self._saver.wait()
      program.say(f'saved step {step} before what follows:')
