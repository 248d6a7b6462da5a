"""Who moves, the average, penalties, features, stages of a generator."""

import math

import chex
import jax
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax import numpy as jnp

from inpaintax.losses import penalties, reconstruction
from inpaintax.losses.adversarial import ADVERSARIAL
from inpaintax.models.completion import GlobalLocalDiscriminator
from inpaintax.models.residual import ResidualGenerator
from inpaintax.models.two_stage import PatchDiscriminator
from inpaintax.steps import gan, player, supervised
from inpaintax.types import Sample

IMAGE = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)
GEN = ResidualGenerator((4,), 1, told=True, channelwise=False, part=1)
DISC = GlobalLocalDiscriminator((4, 8), (4,), code=8, norm='spectral')
TXS = optax.sgd(0.1), optax.sgd(0.1)


def make_sample(count=4, seed=0):
  target = jax.random.uniform(
    jax.random.key(seed), (count, 16, 16, 3), minval=-1
  )
  mask = jnp.zeros((count, 16, 16, 1)).at[:, 6:10, 2:9].set(1.0)
  return Sample(target * (1 - mask), target, mask)


SAMPLE = make_sample()


def game(gen=GEN, disc=DISC, *, averaged=False, **options):
  """(state, metrics, state before) of one step."""
  state = gan.init_gan(
    jax.random.key(0), gen, disc, *TXS, image=IMAGE, averaged=averaged
  )
  defaults = {
    'reconstruction': reconstruction.masked_l2,
    'form': ADVERSARIAL['hinge'],
    'adversarial_weight': 0.5,
  }
  step = gan.make_gan_step(gen, disc, *TXS, **defaults | options)
  return *jax.jit(step)(state, SAMPLE), state


@pytest.fixture(scope='module')
def plain():
  return game()


def test_g_alone_moves_as_without_a_discriminator():
  after, metrics, before = game(moves='gen')
  chex.assert_trees_all_equal(after.disc, before.disc)
  assert set(metrics) == {'gen/rec'}
  step = supervised.make_supervised_step(
    GEN, TXS[0], reconstruction=reconstruction.masked_l2
  )
  alone = supervised.SupervisedState(before.step, before.gen)
  expected, logs = jax.jit(step)(alone, SAMPLE)
  chex.assert_trees_all_close(after.gen, expected.gen, atol=1e-6)
  np.testing.assert_allclose(metrics['gen/rec'], logs['gen/rec'], rtol=1e-6)


def test_d_alone_moves_as_it_does_in_turn(plain):
  after, metrics, before = game(moves='disc')
  chex.assert_trees_all_equal(after.gen, before.gen)
  assert set(metrics) == {'disc/loss', 'disc/real', 'disc/fake'}
  chex.assert_trees_all_close(after.disc, plain[0].disc, atol=1e-6)
  assert after.step == 1


def test_the_average_keeps_its_share_and_is_what_is_used():
  after, _, before = game(averaged=True, decay=0.05)
  for number in (0, 1):
    old, new = before.gen[number], after.gen[number]
    expected = jax.tree.map(lambda a, b: 0.05 * a + 0.95 * b, old, new)
    chex.assert_trees_all_close(after.gen.average[number], expected, atol=1e-6)
  best = player.best(after.gen)
  chex.assert_trees_all_equal(best['params'], after.gen.average[0])
  assert player.best(after.disc)['params'] is after.disc.params


def test_from_0_to_1_the_average_is_1_less_the_decay_to_the_n():
  ones = {'w': jnp.ones(3)}
  tx = optax.sgd(0.0)
  none = jnp.int32(0)
  at_zero = ({'w': jnp.zeros(3)}, {})
  one = player.Player(ones, {}, tx.init(ones), none, none, at_zero)
  for _ in range(5):
    one = player.move(
      one, tx, ones, {}, loss=jnp.float32(0), axis_name=None, decay=0.9
    )
  np.testing.assert_allclose(one.average[0]['w'], 1 - 0.9**5, rtol=1e-6)
  # And what never changes is its own average.
  same = one._replace(average=(ones, {}))
  same = player.move(
    same, tx, ones, {}, loss=jnp.float32(0), axis_name=None, decay=0.9
  )
  chex.assert_trees_all_close(same.average[0], ones, rtol=1e-7)


@pytest.mark.parametrize('alone', [True, False])
def test_an_average_forgets_the_first_weights_in_few_updates(alone):
  # What is left of them after n is the product of (1 + t) / (10 + t), t < n:
  # 9! n! / (n + 9)!. Here they are 1, and all that come after 0.
  state = gan.init_gan(
    jax.random.key(0), GEN, DISC, *TXS, image=IMAGE, averaged=True
  )
  nothing = optax.set_to_zero()
  to = lambda value: (
    lambda tree: jax.tree.map(lambda x: jnp.full_like(x, value), tree)
  )
  gen = state.gen
  gen = gen._replace(params=to(0)(gen.params), opt=nothing.init(gen.params))
  gen = gen._replace(average=to(1)(gen.average))
  state = state._replace(gen=gen)
  recipe = {'reconstruction': reconstruction.masked_l2, 'decay': 0.999}
  if alone:
    state = supervised.SupervisedState(state.step, state.gen)
    step = supervised.make_supervised_step(GEN, nothing, **recipe)
  else:
    step = gan.make_gan_step(
      GEN, DISC, nothing, TXS[1], form=ADVERSARIAL['hinge'], **recipe
    )
  step = jax.jit(step)
  for _ in range(3):
    state, _ = step(state, SAMPLE)
  left = math.factorial(9) * math.factorial(3) / math.factorial(12)
  chex.assert_trees_all_close(
    state.gen.average[0], to(left)(state.gen.params), rtol=1e-5
  )
  late = player.warmed_up(0.999, jnp.int32(8_990))
  assert late == np.float32(0.999)
  assert player.warmed_up(0.999, jnp.int32(8_900)) < late


def test_a_step_that_is_not_finite_leaves_the_average_too():
  state = gan.init_gan(
    jax.random.key(0), GEN, DISC, *TXS, image=IMAGE, averaged=True
  )
  step = gan.make_gan_step(
    GEN,
    DISC,
    *TXS,
    reconstruction=reconstruction.masked_l2,
    form=ADVERSARIAL['hinge'],
  )
  broken = SAMPLE._replace(target=SAMPLE.target.at[0, 7, 7].set(jnp.nan))
  after, _ = jax.jit(step)(state, broken)
  chex.assert_trees_all_equal(after.gen.average, state.gen.average)
  assert after.gen.skipped == 1


class Slope(nn.Module):
  """A critic whose score is linear in the image."""

  @nn.compact
  def __call__(self, image, mask, *, train):
    weights = self.param('w', nn.initializers.ones, image.shape[1:])
    return (image * weights[None]).sum((1, 2, 3))


def test_penalties_are_those_of_a_linear_critic():
  norm = np.sqrt(16 * 16 * 3)
  for name, penalty, expected in [
    ('gradient', penalties.gradient_penalty, (norm - 1) ** 2),
    ('r1', lambda critic, real, *_: penalties.r1(critic, real), norm**2),
  ]:
    form = ADVERSARIAL['wasserstein']
    options = {'form': form, 'penalty': penalty}
    off = game(disc=Slope(), **options, penalty_weight=0.0)
    on = game(disc=Slope(), **options, penalty_weight=0.01)
    np.testing.assert_allclose(on[1]['disc/penalty'], expected, rtol=1e-5)
    gap = on[1]['disc/loss'] - off[1]['disc/loss']
    np.testing.assert_allclose(gap, 0.01 * expected, rtol=1e-3, err_msg=name)
    # It draws the slope down.
    total = lambda found: found[0].disc.params['w'].sum()
    assert total(on) < total(off)


@pytest.mark.parametrize('kind', ['feature', 'style'])
def test_features_are_matched_and_pull_g(plain, kind):
  off, on = plain, game(**{f'{kind}_weight': 100.0})
  name = {'feature': 'gen/features', 'style': 'gen/style'}[kind]
  assert name not in off[1] and on[1][name] > 0
  chex.assert_trees_all_close(off[0].disc, on[0].disc, atol=1e-6)
  apart = jax.tree.map(
    lambda a, b: jnp.abs(a - b).max(), off[0].gen.params, on[0].gen.params
  )
  assert max(jax.tree.leaves(apart)) > 1e-5


def test_scores_of_many_places_are_one_value_per_image():
  after, metrics, _ = game(disc=PatchDiscriminator((4,)))
  assert metrics['disc/loss'].shape == ()
  assert np.isfinite(float(metrics['gen/adv'])) and after.disc.skipped == 0


class Twice(nn.Module):
  """Two images of parameters; in training both, else the second."""

  @nn.compact
  def __call__(self, observed, mask, *, train):
    first, second = (
      jnp.broadcast_to(
        self.param(name, nn.initializers.constant(value), (16, 16, 3)),
        observed.shape,
      )
      for name, value in (('first', 0.5), ('second', -0.25))
    )
    return (first, second) if train else second


def test_each_stage_is_reconstructed_and_the_last_is_judged():
  after, metrics, before = game(gen=Twice())
  target = np.asarray(SAMPLE.target)[np.asarray(SAMPLE.mask[..., 0]) > 0]
  expected = ((target - 0.5) ** 2).mean() + ((target + 0.25) ** 2).mean()
  np.testing.assert_allclose(metrics['gen/rec'], expected, rtol=1e-5)
  # D sees the second: the first's gradient is the reconstruction's alone.
  change = (before.gen.params['first'] - after.gen.params['first']) / 0.1
  hole = np.asarray(SAMPLE.mask[0])
  error = 0.5 - np.asarray(SAMPLE.target)
  pull = 0.5 * (2 * error * hole).mean(0) / (hole.sum() * 3)
  np.testing.assert_allclose(change, pull, atol=1e-6)


def test_who_moves_must_be_known():
  with pytest.raises(ValueError, match='moves is one of both, gen, disc'):
    game(moves='neither')


def test_a_form_by_its_name_alone_is_refused():
  with pytest.raises(ValueError, match=r"Form, got 'hinge'"):
    game(form='hinge')
