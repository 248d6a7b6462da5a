"""Compiling a step, which Python need not wait for."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

from experiments import executables, interruption, program, threads

# Between looks for a signal, seconds.
_LOOK = 0.1


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
  """No search for garbage: while a step is traced there is little, and much to
  search, a second of the start."""
  gc.disable()
  try:
    yield
  finally:
    gc.enable()


class Build:
  """The state before the first update, and the compiled step.

  Where the last run of the same command has kept both, nothing is traced before
  the first update, but while training goes on; and nothing is saved until that
  has shown that they were right.
  """

  def __init__(
    self,
    kept: executables.Kept,
    given: Any,
    init: Callable[[], Any],
    compiled: Any,
    example: Any,
  ) -> None:
    """Begins with the state.

    Args:
      kept: by the last run.
      given: what the model is made of.
      init: of `course.Run`.
      compiled: the step, see `inpaintax.steps.compile.Compiled`.
      example: shape and type of what it is given.
    """
    import jax

    self._kept, self._init = kept, init
    self._compiled, self._example = compiled, example
    self._state: futures.Future | None = None
    self._made: futures.Future | None = None
    self._right: futures.Future | None = None
    self._settled = False
    self._taken = kept.take(repr((given, example)))
    # For a debugger nothing is compiled.
    self._plain = jax.config.jax_disable_jit  # type: ignore[attr-defined]
    if self._taken is None and not self._plain:
      lowered, self._like = self._traced()
      self._state = threads.begin(lambda: kept.compile('start', lowered)())

  def state(self) -> Any:
    """The state; to be asked for once."""
    if self._plain:
      return self._init()
    if self._taken:
      return self._taken['start']()
    assert self._state is not None
    # Not held here: the step takes its memory.
    made, self._state = self._state, None
    return made.result()

  def begin(self) -> None:
    """Traces the step, unless it is there; another thread will compile it."""
    if not (self._taken or self._made or self._plain):
      lowered = self._compiled.lower(self._like, self._example)
      self._made = threads.begin(lambda: self._kept.compile('step', lowered))

  def step(self, requests: interruption.Requests) -> tuple[Any, int]:
    """The compiled step.

    Args:
      requests: what signals have asked for.

    Returns:
      (it, bytes that a call takes).

    Raises:
      Interrupted: see `wait`.
    """
    if self._plain:
      return self._compiled, 0
    if self._taken:
      return self._compiled.having(self._taken['step'])
    self.begin()
    assert self._made is not None
    executable = wait(self._made, requests)
    self._kept.keep()
    return self._compiled.having(executable)

  def tick(self, metrics: Any) -> None:
    """A hook, for each update: sees to what can wait until the first is done.

    That is whether what was kept is right, in another thread, and then what all
    this has left in memory.

    Args:
      metrics: of the update.

    Raises:
      RuntimeError: see `check`.
    """
    import jax

    if self._settled:
      return
    if self._taken and self._right is None:
      jax.block_until_ready(metrics)
      self._right = threads.begin(self._is_right)
    if self._right is None or self._right.done():
      self.check()
      jax.block_until_ready(metrics)
      gc.collect()
      program.settle_memory()
      self._settled = True

  def check(self) -> None:
    """Waits for what `tick` has begun.

    Raises:
      RuntimeError: what was kept is not what is traced.
    """
    if self._right is not None and not self._right.result():
      raise RuntimeError(
        'what an earlier run has kept was compiled from another program. It'
        ' will not be used again, and no step has been saved: rerun the same'
        ' command.'
      )

  def _traced(self):
    """(the lowered start, shapes and types of the state)."""
    import jax

    from inpaintax.steps import player

    options = player.start_options()
    traced = jax.jit(self._init, compiler_options=options).trace()
    return traced.lower(), traced.out_info

  def _is_right(self):
    with uncollected():
      start, like = self._traced()
      step = self._compiled.lower(like, self._example)
      lowered = {'start': start, 'step': step}
      return all(self._kept.is_of(*pair) for pair in lowered.items())


def wait(made: futures.Future, requests: interruption.Requests) -> Any:
  """What has been compiled, unless a signal ends the program first.

  Args:
    made: what another thread will have compiled.
    requests: what signals have asked for.

  Returns:
    That.

  Raises:
    Interrupted: one has. Of several processes none goes alone: they end after
      the first update.
  """
  import jax

  while not made.done():
    if requests.stop and jax.process_count() == 1:
      raise interruption.Interrupted(
        requests.stop,
        'ended before an update: nothing has changed; rerun the same command.',
      )
    futures.wait([made], timeout=_LOOK)
  return made.result()
