"""Times sides against each other, and against what the machine can do.

The sides take turns, A B A B, so that what else runs on a shared machine slows
all of them; ratios are taken within a turn.
"""

import multiprocessing
import pathlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

# Of the square matrices whose product is the ceiling, and the floats copied.
_PRODUCT = 2048
_COPY = 2**26


class Side(NamedTuple):
  """One of what is compared.

  Attributes:
    name: of its row.
    run: does the work once, and waits until it is done. What it returns, if it
      is a float, is the seconds that count.
    work: what `run` does, in the suite's unit (images, patches, pixels).
    operations: floating-point operations of `run`; None: not counted.
  """

  name: str
  run: Callable[[], Any]
  work: float
  operations: float | None = None


def interleaved(
  sides: Sequence[Side], *, rounds: int, warmups: int = 2
) -> dict[str, list[float]]:
  """Runs sides in turn.

  Args:
    sides: to run.
    rounds: turns that count.
    warmups: runs of each side before them.

  Returns:
    Seconds of each turn, by name.
  """
  for side in sides:
    for _ in range(warmups):
      side.run()
  found: dict[str, list[float]] = {side.name: [] for side in sides}
  for _ in range(rounds):
    for side in sides:
      start = time.perf_counter()
      counted = side.run()
      whole = time.perf_counter() - start
      found[side.name].append(counted if isinstance(counted, float) else whole)
  return found


def ceilings() -> list[Side]:
  """What the device can do: products of large matrices, a large copy.

  Returns:
    Sides: `float32 product` and `bfloat16 product` with their operations, and
    `copy`, whose work is the bytes read and written.
  """
  import jax
  import jax.numpy as jnp

  n = _PRODUCT
  sides = []
  product = jax.jit(lambda a: a @ a)
  for dtype in (jnp.float32, jnp.bfloat16):
    a = jax.random.normal(jax.random.key(0), (n, n), dtype)
    run = lambda a=a: product(a).block_until_ready()
    sides.append(Side(f'{jnp.dtype(dtype).name} product', run, 1, 2 * n**3))
  long = jnp.zeros(_COPY, jnp.float32)
  add = jax.jit(lambda x: x + 1)
  copy = lambda: add(long).block_until_ready()
  return [*sides, Side('copy', copy, 8 * _COPY)]


def rows(
  sides: Sequence[Side], seconds: dict[str, list[float]], *, ours: str
) -> list[dict[str, Any]]:
  """What was found, a row each.

  Args:
    sides: that ran.
    seconds: of `interleaved`.
    ours: the side that others are divided by.

  Returns:
    Plain JSON. `times_ours` is the median of (other / ours) over the turns,
    with its quartiles: above 1, ours is faster.
  """
  found = []
  top = _gflops(sides, seconds, 'float32 product')
  for side in sides:
    taken = seconds[side.name]
    median = statistics.median(taken)
    row = {
      'name': side.name,
      'seconds': taken,
      'median_s': median,
      'per_second': side.work / median,
    }
    if side.operations is not None:
      row['gflops_per_s'] = side.operations / median / 1e9
      if top:
        row['of_float32_product'] = row['gflops_per_s'] / top
    ratios = [a / b for a, b in zip(taken, seconds[ours], strict=True)]
    row['times_ours'] = statistics.median(ratios)
    if len(ratios) > 1:
      first, _, last = statistics.quantiles(ratios, n=4, method='inclusive')
      row['times_ours_quartiles'] = [first, last]
    found.append(row)
  return found


def _gflops(sides, seconds, name):
  for side in sides:
    if side.name == name:
      return side.operations / statistics.median(seconds[name]) / 1e9
  return None


def peak_memory(work: Callable[..., None], *args: Any) -> float:
  """The most memory that a process of its own takes for work.

  Args:
    work: a module's function.
    *args: its arguments, which can be pickled.

  Returns:
    MiB of the whole process, as Linux counts it.

  Raises:
    RuntimeError: it failed.
  """
  context = multiprocessing.get_context('spawn')
  receive, send = context.Pipe(duplex=False)
  process = context.Process(target=_report_peak, args=(send, work, args))
  process.start()
  send.close()
  try:
    return receive.recv()
  except EOFError:
    raise RuntimeError(f'{work.__name__}{args} failed.') from None
  finally:
    process.join()


def _report_peak(send, work, args):
  work(*args)
  # Not of getrusage: on Linux a child begins with its parent's maximum.
  status = pathlib.Path('/proc/self/status').read_text()
  (line,) = (x for x in status.splitlines() if x.startswith('VmHWM'))
  send.send(int(line.split()[1]) / 1024)
