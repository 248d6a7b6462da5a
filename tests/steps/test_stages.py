"""Stages of a training: which, when, and that each is its own step."""

import jax
import numpy as np
from jax import numpy as jnp

from experiments import staged
from inpaintax.steps import compile as compiling
from inpaintax.steps import stages


def test_the_stage_is_a_function_of_the_step_alone():
  found = [stages.stage_at(step, [3, 5]) for step in range(7)]
  assert found == [0, 0, 0, 1, 1, 2, 2]
  assert stages.stage_at(10**9, []) == 0


class Numbers:
  """A stream that counts."""

  def __init__(self):
    self.next = 0

  def __next__(self):
    self.next += 1
    return np.full((2, 1), self.next)

  def get_state(self):
    return self.next

  def set_state(self, state):
    self.next = state


def test_a_stream_says_the_stage_and_goes_on_where_it_was():
  stream = staged.Staged(Numbers(), [2, 3])
  seen = [next(stream) for _ in range(5)]
  assert [stage for stage, _ in seen] == [0, 0, 1, 2, 2]
  assert [int(batch[0, 0]) for _, batch in seen] == [1, 2, 3, 4, 5]
  again = staged.Staged(Numbers(), [2, 3])
  for _ in range(2):
    next(again)
  other = staged.Staged(Numbers(), [2, 3])
  other.set_state(again.get_state())
  assert [next(other)[0] for _ in range(3)] == [1, 2, 2]
  assert other.get_state() == {'updates': 5, 'stream': 5}


def test_a_stream_of_nothing_counts_updates():
  stream = staged.Staged(None, [10], updates=5)
  assert [next(stream) for _ in range(3)] == [(0, None), (0, None), (1, None)]


def test_each_batch_is_given_to_the_step_of_its_stage():
  def adding(value):
    return compiling.compile_step(
      lambda state, batch: (state + value * batch.sum(), {}), devices=1
    )

  compiled = stages.in_stages([adding(1), adding(100)])
  example = jax.ShapeDtypeStruct((2, 1), np.int32)
  state = compiled.place_state(jnp.int32(0))
  compiled, needed = compiled.having(compiled.lower(state, example).compile())
  assert needed >= 0
  for stage in (0, 1, 0):
    batch = compiled.place((stage, np.ones((2, 1), np.int32)))
    state, _ = compiled.step(state, batch)
  assert state == 2 + 200 + 2
