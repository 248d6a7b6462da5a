import functools

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
from inpaintax.steps import gan
from inpaintax.types import Sample

BCE = ADVERSARIAL['bce']
IMAGE = jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32)


def make_sample(count=4, seed=0):
  target = jax.random.uniform(
    jax.random.key(seed), (count, 16, 16, 3), minval=-1, maxval=1
  )
  mask = jnp.zeros((count, 16, 16, 1)).at[:, 6:10, 6:10].set(1.0)
  return Sample(target * (1 - mask), target, mask)


SAMPLE = make_sample()


def networks():
  """A generator of the 8x8 block around the hole, and its discriminator."""
  gen = ContextGenerator((8, 16), (16,), bottleneck_width=20)
  return gen, ContextDiscriminator((8, 16))


def game(tx=None, **options):
  """(state, compiled step)."""
  nets, txs = networks(), (tx or optax.sgd(0.1),) * 2
  state = gan.init_gan(jax.random.key(0), *nets, *txs, image=IMAGE)
  defaults = {'reconstruction': reconstruction.masked_l2, 'form': BCE}
  step = gan.make_gan_step(*nets, *txs, **defaults | options)
  return state, jax.jit(step)


@functools.cache
def one_step():
  """(state before, state after, metrics) of one update of both players."""
  state, step = game(adversarial_weight=0.5)
  return state, *step(state, SAMPLE)


@functools.cache
def adam_game():
  """(rates -> state, step): Adam with rates that lie in the state."""
  state, step = game(optax.inject_hyperparams(optax.adam)(learning_rate=0.0))

  def start(**rates):
    players = {}
    for name, rate in rates.items():
      player = getattr(state, name)
      rate = {'learning_rate': jnp.float32(rate)}
      opt = player.opt._replace(hyperparams=rate)
      players[name] = player._replace(opt=opt)
    return state._replace(**players)

  return start, step


def moved(a, b):
  """Whether each leaf of a tree has changed."""
  changed = lambda a, b: bool((np.asarray(a) != np.asarray(b)).any())
  return jax.tree.leaves(jax.tree.map(changed, a, b))


def by_hand(state, *, rate=0.1, weight=0.5):
  """The two updates written out, each with its own passes."""
  gen, disc = networks()

  def fill(params):
    out, _ = gen.apply(
      {'params': params, 'batch_stats': state.gen.stats},
      SAMPLE.observed,
      train=True,
      mutable=['batch_stats'],
    )
    block, mask = SAMPLE.target[:, 4:12, 4:12], SAMPLE.mask[:, 4:12, 4:12]
    return out, block, mask

  def score(params, stats, block):
    return disc.apply(
      {'params': params, 'batch_stats': stats},
      block,
      train=True,
      mutable=['batch_stats'],
    )

  def disc_loss(params):
    out, block, mask = fill(state.gen.params)
    real, seen = score(params, state.disc.stats, block)
    fake = jnp.where(mask == 1, out, block)
    fake, seen = score(params, seen['batch_stats'], fake)
    loss = (jax.nn.softplus(-real) + jax.nn.softplus(fake)).mean() / 2
    return loss, seen['batch_stats']

  def gen_loss(params, judge, stats):
    out, block, mask = fill(params)
    fake, _ = score(judge, stats, jnp.where(mask == 1, out, block))
    error = (mask * (out - block) ** 2).sum() / (mask.sum() * 3)
    adversarial = jax.nn.softplus(-fake).mean()
    return (1 - weight) * error + weight * adversarial

  down = lambda p, g: p - rate * g
  grads, stats = jax.grad(disc_loss, has_aux=True)(state.disc.params)
  judge = jax.tree.map(down, state.disc.params, grads)
  grads = jax.grad(gen_loss)(state.gen.params, judge, stats)
  stale = jax.grad(gen_loss)(state.gen.params, state.disc.params, stats)
  return (
    jax.tree.map(down, state.gen.params, grads),
    (judge, stats),
    jax.tree.map(down, state.gen.params, stale),
  )


def test_a_step_is_d_then_g_judged_by_the_d_that_has_moved():
  before, after, _ = one_step()
  gen, (disc, disc_stats), stale = jax.jit(by_hand)(before)
  chex.assert_trees_all_close(after.gen.params, gen, atol=1e-6)
  chex.assert_trees_all_close(after.disc.params, disc, atol=1e-6)
  # Statistics of the real blocks, then of the fake ones: no third pass.
  chex.assert_trees_all_close(after.disc.stats, disc_stats, atol=1e-6)
  # The D from before it moved would have said something else.
  apart = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), gen, stale)
  assert max(jax.tree.leaves(apart)) > 1e-4


def test_a_step_moves_all_weights_and_statistics_and_counts():
  before, after, _ = one_step()
  assert all(moved(before.gen.params, after.gen.params))
  assert all(moved(before.disc.params, after.disc.params))
  assert all(moved(before.gen.stats, after.gen.stats))
  assert all(moved(before.disc.stats, after.disc.stats))
  assert (before.step, after.step) == (0, 1)
  chex.assert_trees_all_equal_shapes_and_dtypes(before, after)


def test_the_metrics_are_scalars_of_the_losses():
  _, _, metrics = one_step()
  assert set(metrics) == {
    'gen/rec',
    'gen/adv',
    'disc/loss',
    'disc/real',
    'disc/fake',
  }
  chex.assert_shape(list(metrics.values()), ())
  chex.assert_type(list(metrics.values()), jnp.float32)
  # D starts from small weights: it knows next to nothing.
  assert abs(metrics['disc/loss'] - np.log(2)) < 0.3
  assert 0 < metrics['gen/rec'] < 1


@pytest.mark.parametrize('still', ['gen', 'disc'])
def test_a_player_at_rate_zero_stays_bit_for_bit(still):
  start, step = adam_game()
  other = {'gen': 'disc', 'disc': 'gen'}[still]
  state = start(**{still: 0.0, other: 1e-3})
  after, _ = step(state, SAMPLE)
  chex.assert_trees_all_equal(
    getattr(after, still).params, getattr(state, still).params
  )
  assert all(moved(getattr(after, other).params, getattr(state, other).params))


def test_without_adversarial_weight_d_plays_but_g_does_not_hear_it():
  state, step = game(adversarial_weight=0.0)
  other = state._replace(
    disc=state.disc._replace(
      params=jax.tree.map(lambda x: 3 * x, state.disc.params)
    )
  )
  a, b = step(state, SAMPLE)[0], step(other, SAMPLE)[0]
  chex.assert_trees_all_equal(a.gen, b.gen)
  assert all(moved(a.disc.params, b.disc.params))


class Canvas(nn.Module):
  """A generator whose every output pixel is a parameter."""

  @nn.compact
  def __call__(self, observed, mask, *, train):
    shape = observed.shape[1:]
    canvas = self.param('canvas', nn.initializers.normal(), shape)
    return jnp.broadcast_to(canvas, observed.shape)


def test_known_pixels_are_pulled_by_nobody():
  gen, disc = Canvas(), ContextDiscriminator((8, 16))
  txs = optax.sgd(1.0), optax.sgd(0.1)
  state = gan.init_gan(jax.random.key(0), gen, disc, *txs, image=IMAGE)
  assert state.gen.stats == {}
  step = gan.make_gan_step(
    gen,
    disc,
    *txs,
    reconstruction=reconstruction.masked_l2,
    form=BCE,
    adversarial_weight=0.5,
  )
  after, _ = jax.jit(step)(state, SAMPLE)
  change = after.gen.params['canvas'] - state.gen.params['canvas']
  pulled = np.asarray(change != 0)
  np.testing.assert_array_equal(
    pulled, np.broadcast_to(SAMPLE.mask[0] == 1, pulled.shape)
  )


def test_twenty_steps_on_one_batch_lower_the_reconstruction_loss():
  start, step = adam_game()
  state, first = step(start(gen=2e-3, disc=2e-4), SAMPLE)
  for _ in range(19):
    state, last = step(state, SAMPLE)
  assert last['gen/rec'] < 0.8 * first['gen/rec']
  assert state.step == 20


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
  before, after, _ = one_step()
  again, step = game(adversarial_weight=0.5)
  chex.assert_trees_all_equal(before, again)
  chex.assert_trees_all_equal(step(again, SAMPLE)[0], after)
  other = gan.init_gan(
    jax.random.key(1),
    *networks(),
    optax.sgd(0.1),
    optax.sgd(0.1),
    image=IMAGE,
  )
  kernels = lambda state: {
    str(path): leaf
    for path, leaf in jax.tree.leaves_with_path((state.gen, state.disc))
    if 'kernel' in str(path)
  }
  assert all(moved(kernels(before), kernels(other)))


def test_the_shares_taken_for_real_are_counted_at_the_forms_boundary():
  class Judge(nn.Module):
    """Scores a block by its mean; real ones are brighter here."""

    @nn.compact
    def __call__(self, block, mask, *, train):
      scale = self.param('scale', nn.initializers.ones, ())
      return scale * block.mean((1, 2, 3))

  mask = jnp.ones((4, 16, 16, 1))
  bright = jnp.broadcast_to(
    jnp.array([0.2, 0.4, 0.6, 0.8]).reshape(4, 1, 1, 1), (4, 16, 16, 3)
  )
  nets, txs = (Canvas(), Judge()), (optax.sgd(0.0), optax.sgd(0.0))
  state = gan.init_gan(jax.random.key(0), *nets, *txs, image=IMAGE)
  state = state._replace(
    gen=state.gen._replace(params={'canvas': jnp.full((16, 16, 3), 0.3)})
  )
  for name, real, fake in [('bce', 1.0, 1.0), ('least_squares', 0.5, 0.0)]:
    step = gan.make_gan_step(
      *nets,
      *txs,
      reconstruction=reconstruction.masked_l2,
      form=ADVERSARIAL[name],
    )
    metrics = jax.jit(step)(state, Sample(bright, bright, mask))[1]
    assert (metrics['disc/real'], metrics['disc/fake']) == (real, fake)


@pytest.mark.parametrize('weight', [-0.1, 1.1, float('nan')])
def test_a_weight_outside_its_range_is_refused_before_anything_runs(weight):
  with pytest.raises(ValueError, match='adversarial_weight'):
    gan.make_gan_step(
      *networks(),
      optax.sgd(0.1),
      optax.sgd(0.1),
      reconstruction=reconstruction.masked_l2,
      form=BCE,
      adversarial_weight=weight,
    )


def test_the_composite_is_the_output_in_the_hole_and_the_target_bit_for_bit():
  output = make_sample(seed=1).target
  _, target, mask = SAMPLE
  found = gan.composite(output, target, mask)
  np.testing.assert_array_equal(found, np.where(mask == 1, output, target))
