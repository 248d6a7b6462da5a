"""Work that another thread does while Python goes on."""

from collections.abc import Callable
from concurrent import futures
from typing import Any


def begin(work: Callable[[], Any]) -> futures.Future:
  """Has a thread of its own do it, which then ends.

  Args:
    work: what to call.

  Returns:
    What will be its result.
  """
  pool = futures.ThreadPoolExecutor(1)
  made = pool.submit(work)
  pool.shutdown(wait=False)
  return made
