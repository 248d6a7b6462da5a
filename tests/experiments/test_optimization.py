"""The optimisers of both players, as their flags say."""

import jax
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import optimization


@pytest.mark.parametrize(
  ('optimizer', 'player', 'size'),
  [
    # The first step of Adam is the rate; Muon's, 0.2 of it on average.
    ('adam', 'generators', 1.0),
    ('muon', 'generators', 0.2),
    ('muon', 'discriminators', 1.0),
  ],
)
@pytest.mark.parametrize('accumulate', [1, 2])
def test_each_player_has_its_own_optimiser_and_rate(
  optimizer, player, size, accumulate
):
  rates = {'generators': 3e-3, 'discriminators': 5e-4}
  with flagsaver.flagsaver(
    gen_optimizer=optimizer,
    accumulate=accumulate,
    gen_lr=3e-3,
    disc_lr=5e-4,
    decay=0.5,
  ):
    flags.FLAGS.mark_as_parsed()
    tx = getattr(optimization, player)(16)
  params = {'kernel': np.zeros((3, 3, 16, 32), np.float32)}
  gradient = {
    'kernel': jax.random.normal(jax.random.key(0), params['kernel'].shape)
  }
  state, moves = tx.init(params), []
  for _ in range(16):
    update, state = tx.update(gradient, state, params)
    moves.append(float((np.asarray(update['kernel']) ** 2).mean() ** 0.5))
  first = accumulate - 1  # The batches before it only add their gradients.
  assert moves[first] == pytest.approx(size * rates[player], rel=0.35)
  assert moves[:first] == [0] * first
  # The rate falls over the last half.
  assert moves[7] == pytest.approx(moves[first], rel=0.1)
  assert 0 < moves[-1] < moves[7] / 5
