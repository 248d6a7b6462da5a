"""The training loop. It knows no model."""

import collections
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from inpaintax.errors import DivergedError
from inpaintax.steps import player
from inpaintax.steps.compile import Compiled
from inpaintax.types import Metrics

Hook = Callable[[int, Any, Metrics], None]
# Calls that the device may be behind: enough to keep it busy, and few enough
# for whoever asks for an end to see it soon.
_AHEAD = 2


def fit(
  state: Any,
  compiled: Compiled,
  batches: Iterator[np.ndarray],
  *,
  start: int,
  steps: int,
  updates: int = 1,
  hooks: Sequence[Hook] = (),
) -> Any:
  """Trains.

  Args:
    state: on the devices (`compiled.place_state`); used up.
    compiled: the step.
    batches: host batches, from where `start` updates have left them.
    start: updates done.
    steps: updates wanted in all.
    updates: that one call of the step makes; start and steps are multiples.
    hooks: called after each step as `hook(updates done, state, metrics)`; the
      device is two calls behind at the most. A hook that reads a value waits
      for it, so wrap it in `every`.

  Returns:
    The state after the last update.

  Raises:
    ValueError: a call makes more updates than are left in the end.
  """
  if (steps - start) % updates:
    raise ValueError(
      f'{steps - start} updates are not a multiple of {updates}.'
    )
  begun: collections.deque[Metrics] = collections.deque()
  for step in range(start + updates, steps + 1, updates):
    state, metrics = compiled.step(state, compiled.place(next(batches)))
    begun.append(metrics)
    if len(begun) > _AHEAD:
      jax.block_until_ready(begun.popleft())
    for hook in hooks:
      hook(step, state, metrics)
  return state


def every(interval: int, hook: Hook, *, last: int) -> Hook:
  """Calls a hook at every multiple of an interval, and at the end.

  Args:
    interval: updates between two calls; 0: only at the end.
    hook: what to call.
    last: the run's last update.

  Returns:
    The hook to give to `fit`.
  """

  def sometimes(step: int, state: Any, metrics: Metrics) -> None:
    if step == last or (interval and step % interval == 0):
      hook(step, state, metrics)

  return sometimes


def check_progress(
  step: int, state: Any, metrics: Metrics, *, skips: int
) -> None:
  """Stops a run whose updates are left out one after the other.

  Args:
    step: updates done.
    state: its players (`steps.player`) have counts of what they left out.
    metrics: of this update.
    skips: how many in a row may be.

  Raises:
    DivergedError: there are more; the message says what is not finite.
  """
  players = player.players(state)
  streaks = {name: int(one.streak) for name, one in players.items()}
  worst = max(streaks, key=lambda name: streaks[name])
  if streaks[worst] <= skips:
    return
  broken = [
    f'{name} is {float(value)}'
    for name, value in metrics.items()
    if not np.isfinite(value)
  ]
  raise DivergedError(
    f'{", ".join(broken) or f"the gradient of {worst} is not finite"} at step'
    f' {step}, and {streaks[worst]} updates in a row were left out: lower the'
    ' learning rate.'
  )
