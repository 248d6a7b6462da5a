import collections

import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax import loop
from inpaintax.errors import DivergedError
from inpaintax.steps import player
from inpaintax.steps.compile import compile_step


def counting():
  """A compiled step that sums what it is given."""

  def step(state, batch):
    return state + batch.sum(), {'sum': batch.sum() + 0.0}

  return compile_step(step, devices=2)


def batches(start=0):
  """Batches [n, n] for n = start, start + 1, …"""
  while True:
    yield np.full(2, start, np.int32)
    start += 1


def place(value):
  return counting().place_state(jnp.int32(value))


def test_fit_gives_each_batch_to_the_step_and_each_result_to_the_hooks():
  seen = []
  hooks = [
    lambda step, state, metrics: seen.append(
      (step, int(state), float(metrics['sum']))
    ),
    lambda step, *_: seen.append(step),
  ]
  final = loop.fit(
    place(0), counting(), batches(), start=0, steps=3, hooks=hooks
  )
  # 0, then 2, then 4; hooks in the order given.
  assert seen == [(1, 0, 0), 1, (2, 2, 2), 2, (3, 6, 4), 3]
  assert int(final) == 6


def test_fit_is_two_calls_ahead_of_the_device_at_the_most():
  # So that a hook that ends the run is not waited for until the next look.
  done = []

  class Late:
    def __init__(self, number):
      self.number = number

    def block_until_ready(self):
      done.append(self.number)

  compiled = counting()._replace(
    step=lambda state, batch: (state, {'sum': Late(int(batch[0]))})
  )
  seen = []
  hook = lambda step, *_: seen.append(list(done))
  loop.fit(0, compiled, batches(1), start=0, steps=5, hooks=[hook])
  assert seen == [[], [], [1], [1, 2], [1, 2, 3]]


def test_fit_in_two_parts_is_fit_in_one():
  first = loop.fit(place(0), counting(), batches(), start=0, steps=2)
  steps = []
  final = loop.fit(
    first,
    counting(),
    batches(2),
    start=2,
    steps=5,
    hooks=[lambda step, *_: steps.append(step)],
  )
  whole = loop.fit(place(0), counting(), batches(), start=0, steps=5)
  assert steps == [3, 4, 5] and int(final) == int(whole) == 20


@pytest.mark.parametrize('start', [3, 4])
def test_fit_takes_no_batch_when_there_is_nothing_to_do(start):
  def none():
    pytest.fail('a batch was taken')
    yield

  assert loop.fit(7, counting(), none(), start=start, steps=3) == 7


def test_fit_takes_no_batch_too_many():
  # Else the position saved with the last step would be one too far.
  source = batches()
  loop.fit(place(0), counting(), source, start=0, steps=3)
  assert next(source)[0] == 3


@pytest.mark.parametrize(
  'interval, last, expected',
  [
    (3, 8, [3, 6, 8]),
    (4, 8, [4, 8]),
    (0, 8, [8]),
    (20, 8, [8]),
    (1, 2, [1, 2]),
  ],
)
def test_every_calls_at_its_multiples_and_at_the_end_once(
  interval, last, expected
):
  called = []
  hook = loop.every(interval, lambda *a: called.append(a), last=last)
  for step in range(1, last + 1):
    hook(step, 'state', 'metrics')
  assert called == [(step, 'state', 'metrics') for step in expected]


def players(**streaks):
  """A state of players that left out so many updates in a row."""
  fields = {
    name: player.Player({}, {}, (), jnp.int32(9), jnp.int32(streak))
    for name, streak in streaks.items()
  }
  return collections.namedtuple('State', ['step', *fields])(
    jnp.int32(17), **fields
  )


def test_a_few_updates_in_a_row_may_be_left_out():
  state = players(gen=3, disc=0)
  loop.check_progress(17, state, {'gen/rec': float('nan')}, skips=3)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -np.inf])
def test_more_stop_the_run_and_what_is_not_finite_is_named(value):
  metrics = {'gen/rec': jnp.float32(1), 'disc/loss': np.float32(value)}
  with pytest.raises(
    DivergedError, match=r'disc/loss is -?(nan|inf) at step 17, and 4 updates'
  ):
    loop.check_progress(17, players(gen=0, disc=4), metrics, skips=3)


def test_where_all_metrics_are_finite_the_gradient_was_not():
  with pytest.raises(DivergedError, match='gradient of gen is not finite'):
    loop.check_progress(17, players(gen=4), {'gen/rec': 1.0}, skips=3)


def test_calls_that_would_go_beyond_the_end_are_refused():
  with pytest.raises(ValueError, match='3 updates are not a multiple of 2'):
    loop.fit(place(0), counting(), batches(), start=1, steps=4, updates=2)
