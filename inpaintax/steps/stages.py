"""A training of several stages, each with a step of its own.

Not a condition within one step: within one, XLA's convolutions are fifty times
slower on a CPU.
"""

from collections.abc import Sequence
from typing import Any

import jax

from inpaintax.steps.compile import Compiled


def stage_at(step: int, ends: Sequence[int]) -> int:
  """The stage of an update, a pure function of its number.

  Args:
    step: updates done before it.
    ends: updates after which each stage but the last is over, ascending.

  Returns:
    From 0 to `len(ends)`.

  >>> [stage_at(step, [90, 100]) for step in (0, 89, 90, 99, 100)]
  [0, 0, 1, 1, 2]
  """
  return sum(step >= end for end in ends)


def in_stages(stages: Sequence[Compiled]) -> Compiled:
  """One step of several: which, comes with each batch.

  Args:
    stages: their steps, on the same devices and for states of the same shapes.

  Returns:
    The step, for batches `(stage, batch)`. Its `lower` and `having` are of the
    last one; the others are compiled when they are first called.
  """
  steps = list(stages)

  def place(given: tuple[int, Any]) -> tuple[int, Any]:
    stage, batch = given
    return stage, steps[stage].place(batch)

  def step(state: Any, placed: tuple[int, Any]) -> Any:
    stage, batch = placed
    return steps[stage].step(state, batch)

  def having(executable: jax.stages.Compiled) -> tuple[Compiled, int]:
    steps[-1], needed = steps[-1].having(executable)
    return made, needed

  made = Compiled(step, place, steps[0].place_state, steps[-1].lower, having)
  return made
