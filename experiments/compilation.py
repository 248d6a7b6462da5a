"""Compiling a step, which Python need not wait for."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

from experiments import interruption

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


def begin(
  init: Callable[[bool], Any], compiled: Any, example: Any
) -> futures.Future:
  """Traces a step, and has it compiled by another thread.

  Args:
    init: of `course.Run`.
    compiled: the step, see `inpaintax.steps.compile.Compiled`.
    example: shape and type of what it is given.

  Returns:
    What will be (the compiled step, bytes that a call takes).
  """
  import jax

  like = jax.eval_shape(lambda: init(False))
  pool = futures.ThreadPoolExecutor(1)
  made = pool.submit(compiled.ahead(like, example))
  pool.shutdown(wait=False)
  return made


def wait(made: futures.Future, requests: interruption.Requests) -> Any:
  """What has been compiled, unless a signal ends the program first.

  Args:
    made: of `begin`.
    requests: what signals have asked for.

  Returns:
    (the compiled step, bytes that a call takes).

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
