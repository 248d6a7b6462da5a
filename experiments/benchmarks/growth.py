"""How the cost of an update grows with batch, image size and block size."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from experiments.benchmarks import timing, train_step

_CASE = train_step.CASES[-1]._replace(batch=16)
# The field of the case that grows, and through which values.
_SERIES: dict[str, tuple[str, tuple[float, ...]]] = {
  'batch': ('batch', (4, 8, 16, 32, 64)),
  'side of the image, pixels': ('size', (32, 64, 128)),
  'predicted part of the side': ('part', (0.25, 0.5, 1.0)),
}


def cases(
  rounds: int, wanted: Callable[[str], bool]
) -> Iterator[dict[str, Any]]:
  """Measures the networks of `imagenet64`.

  Args:
    rounds: turns.
    wanted: whether a case of that name is.

  Yields:
    Plain JSON: `case`, `unit`, `rows` of `timing.rows`, and `exponent`: of the
    power that fits the seconds best.
  """
  for name, (what, values) in _SERIES.items():
    if wanted(name):
      sides = [_side(what, value) for value in values]
      seconds = timing.interleaved(sides, rounds=rounds)
      rows = timing.rows(sides, seconds, ours=sides[0].name)
      yield {
        'case': f'imagenet64: {name}',
        'unit': 'images',
        'rows': rows,
        'exponent': exponent(values, [row['median_s'] for row in rows]),
      }


def exponent(sizes: Any, seconds: Any) -> float:
  """Of the power law through measurements, by least squares of logarithms.

  Args:
    sizes: at least two, positive.
    seconds: as many.

  Returns:
    p, where seconds grow as sizes**p.
  """
  import numpy as np

  return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _side(what, value):
  """An update of a case with another value."""
  case = _CASE._replace(**{what: value})
  updates = timing.in_a_turn()
  run, _ = train_step.ours(case, updates=updates)
  turn = functools.partial(run, train_step.batch(case))
  return timing.Side(f'{what} {value}', turn, updates * case.batch)
