"""A stream that says of each batch what stage of the training it is for."""

from collections.abc import Sequence
from typing import Any


class Staged:
  """Gives `(stage, batch)`, as `inpaintax.steps.stages.in_stages` takes it.

  Its position is that of what it reads from, and how many updates were made.
  """

  def __init__(self, stream: Any, ends: Sequence[int], *, updates: int = 1):
    """Begins at the first stage.

    Args:
      stream: of batches, with `get_state` and `set_state`; None: every batch is
        None.
      ends: updates after which each stage but the last is over.
      updates: made with each batch.
    """
    self._stream = stream
    self._ends = ends
    self._updates = updates
    self._done = 0

  def __next__(self) -> tuple[int, Any]:
    from inpaintax.steps import stages

    stage = stages.stage_at(self._done, self._ends)
    self._done += self._updates
    return stage, None if self._stream is None else next(self._stream)

  def get_state(self) -> dict[str, Any]:
    """The position, plain JSON."""
    inner = None if self._stream is None else self._stream.get_state()
    return {'updates': self._done, 'stream': inner}

  def set_state(self, state: dict[str, Any]) -> None:
    """Goes to a position.

    Args:
      state: of `get_state`.

    Raises:
      CheckpointError: it is of another kind of stream.
    """
    from inpaintax.errors import CheckpointError

    if 'updates' not in state:
      raise CheckpointError(
        'this checkpoint is of an earlier version, whose place in the data this'
        ' one does not know: begin anew with --restart, or in another workdir.'
      )
    self._done = state['updates']
    if self._stream is not None:
      self._stream.set_state(state['stream'])
