"""Times sides against each other, and against what the machine can do.

The sides take turns, A B A B, so that what else runs on a shared machine slows
all of them; ratios are taken within a turn.
"""

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from experiments import program

# Of the square matrices whose product is the ceiling, and the floats copied.
_PRODUCT = 2048
_COPY = 2**26
# On an accelerator: longer sides and copies, and more of what is measured in a
# turn, lest its start be what is measured.
_LONGER = 4
_MORE = 20


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
    warmups: turns before them: also for memory, which sides leave to each
      other in pieces, until there is enough of every size.

  Returns:
    Seconds of each turn, by name.
  """
  for turn in range(warmups):
    for side in sides:
      side.run()
    if not turn:  # What compiling has left, as our programs do.
      program.settle_memory()
  found: dict[str, list[float]] = {side.name: [] for side in sides}
  for _ in range(rounds):
    for side in sides:
      start = time.perf_counter()
      counted = side.run()
      whole = time.perf_counter() - start
      found[side.name].append(counted if isinstance(counted, float) else whole)
  return found


def on_cpu() -> bool:
  """Whether JAX computes on a CPU."""
  import jax

  return jax.default_backend() == 'cpu'


def in_a_turn() -> int:
  """How often a side does its work in a turn, waiting for the last alone."""
  return 1 if on_cpu() else _MORE


def ceilings() -> list[Side]:
  """What the device can do: products of large matrices, a large copy.

  Returns:
    Sides: `float32 product`, as JAX makes it of its own (on a GPU in TF32), and
    `bfloat16 product` with their operations, and `copy`, whose work is the
    bytes read and written.
  """
  import jax
  import jax.numpy as jnp

  longer = 1 if on_cpu() else _LONGER
  n, count, times = longer * _PRODUCT, longer * _COPY, in_a_turn()

  def repeated(work, x):
    for _ in range(times):
      y = work(x)
    y.block_until_ready()

  sides = []
  # In float32, or a CPU does not use what it has for bfloat16.
  product = jax.jit(
    lambda a: jnp.matmul(a, a, preferred_element_type=jnp.float32)
  )
  for dtype in (jnp.float32, jnp.bfloat16):
    a = jax.random.normal(jax.random.key(0), (n, n), dtype)
    run = functools.partial(repeated, product, a)
    name = f'{jnp.dtype(dtype).name} product'
    sides.append(Side(name, run, times, times * 2 * n**3))
  add = jax.jit(lambda x: x + 1)
  copy = functools.partial(repeated, add, jnp.zeros(count, jnp.float32))
  return [*sides, Side('copy', copy, times * 8 * count)]


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
  tops = {
    f'of_{dtype}_product': _gflops(sides, seconds, f'{dtype} product')
    for dtype in ('float32', 'bfloat16')
  }
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
      row |= {
        name: row['gflops_per_s'] / top for name, top in tops.items() if top
      }
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
