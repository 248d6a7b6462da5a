"""What a player does with numbers that are not finite."""

import chex
import jax
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.losses import reconstruction
from inpaintax.losses.adversarial import ADVERSARIAL
from inpaintax.models.context_encoder import (
  ContextDiscriminator,
  ContextGenerator,
)
from inpaintax.steps import gan, player
from inpaintax.types import Sample

TX = optax.adam(0.1)


def make():
  params = {'w': jnp.arange(6.0).reshape(2, 3), 'b': jnp.ones(3)}
  none = jnp.int32(0)
  return player.Player(
    params, {'mean': jnp.ones(3)}, TX.init(params), none, none
  )


@jax.jit
def move(before, grads, stats, loss):
  return player.move(before, TX, grads, stats, loss=loss, axis_name=None)


def grads(value=1.0):
  return {'w': jnp.ones((2, 3)).at[1, 2].set(value), 'b': jnp.ones(3)}


STATS = {'mean': jnp.full(3, 2.0)}


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('where', ['gradient', 'loss'])
def test_an_update_that_is_not_finite_is_left_out_and_counted(value, where):
  before = make()
  broken = (grads(value), STATS, jnp.float32(1))
  if where == 'loss':
    broken = (grads(), STATS, jnp.float32(value))
  after = move(move(before, *broken), *broken)
  chex.assert_trees_all_equal(after[:3], before[:3])
  assert (after.skipped, after.streak) == (2, 2)
  # The next is as if it had been the first; the streak is over.
  fine = (grads(), STATS, jnp.float32(1))
  then, only = move(after, *fine), move(before, *fine)
  chex.assert_trees_all_equal(then[:3], only[:3])
  assert (then.skipped, then.streak) == (2, 0)
  assert (only.skipped, only.streak) == (0, 0)


def test_a_finite_one_is_the_optimisers():
  before = make()
  after = move(before, grads(), STATS, jnp.float32(1))
  updates, opt = TX.update(grads(), before.opt, before.params)
  expected = optax.apply_updates(before.params, updates)
  chex.assert_trees_all_close(after.params, expected, atol=1e-7)
  chex.assert_trees_all_close(after.opt, opt, atol=1e-7)
  chex.assert_trees_all_equal(after.stats, STATS)


@pytest.mark.scenario(22)
def test_a_pixel_that_is_nan_moves_neither_player_nor_statistics():
  nets = (
    ContextGenerator((8, 16), (16,), bottleneck_width=20),
    ContextDiscriminator((8, 16)),
  )
  image = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
  state = gan.init_gan(jax.random.key(0), *nets, TX, TX, image=image)
  step = jax.jit(
    gan.make_gan_step(
      *nets,
      TX,
      TX,
      reconstruction=reconstruction.masked_l2,
      form=ADVERSARIAL['bce'],
    )
  )
  target = jax.random.uniform(jax.random.key(0), (4, 16, 16, 3), minval=-1)
  mask = jnp.zeros((4, 16, 16, 1)).at[:, 6:10, 6:10].set(1.0)
  good = Sample(target * (1 - mask), target, mask)
  bad = good._replace(observed=good.observed.at[2, 0, 0, 1].set(np.nan))
  after, metrics = step(state, bad)
  assert not np.isfinite(metrics['gen/rec'])
  for old, new in ((state.gen, after.gen), (state.disc, after.disc)):
    chex.assert_trees_all_equal(new[:3], old[:3])
    assert (new.skipped, new.streak) == (1, 1)
  assert after.step == 1
  later, metrics = step(after, good)
  assert np.isfinite(list(map(float, metrics.values()))).all()
  assert (later.gen.skipped, later.gen.streak, later.step) == (1, 0, 2)


def test_a_start_can_be_traced_and_is_the_same():
  nets = (
    ContextGenerator((4, 8), (8, 4), bottleneck_width=6),
    ContextDiscriminator((4, 8)),
  )
  image = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
  init = lambda: gan.init_gan(
    jax.random.key(0), *nets, TX, TX, image=image, averaged=True
  )
  state, like = init(), jax.eval_shape(init)
  chex.assert_trees_all_equal_shapes_and_dtypes(state, like)
  chex.assert_trees_all_close(jax.jit(init)(), state, atol=1e-6)


class Sowing(nn.Module):
  """What it sows for losses is 2x and 3x; 5x is for somebody else."""

  @nn.compact
  def __call__(self, x, *, train):
    del train
    self.sow('intermediates', 'features', 2 * x)
    self.sow('intermediates', 'elsewhere', 5 * x)
    self.sow('intermediates', 'features', 3 * x)
    return x


def test_features_are_what_is_sown_under_that_name():
  class Around(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
      self.sow('intermediates', 'scores', x)
      return Sowing(name='inner')(x, train=train)

  for module in (Sowing(), Around()):
    (out, _), maps = player.features(module, make(), jnp.ones(2))
    assert (out == 1).all()
    np.testing.assert_array_equal(maps, [[2, 2], [3, 3]])
