"""The networks of global and local consistency, and of two stages."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.models import completion, residual, two_stage


def shapes(module, side, *, train=True):
  """(output's shapes, number of parameters)."""
  image, mask = jnp.zeros((1, side, side, 3)), jnp.zeros((1, side, side, 1))
  out, variables = jax.eval_shape(
    lambda key: module.init_with_output(key, image, mask, train=train),
    jax.random.key(0),
  )
  count = sum(leaf.size for leaf in jax.tree.leaves(variables['params']))
  return jax.tree.map(lambda x: x.shape, out), count


def test_the_published_networks_have_their_parameter_counts():
  # methods.md counts the biases that a norm cancels too: 2,976 and 3,456.
  found = shapes(completion.CompletionGenerator(), 64)
  assert found == ((1, 64, 64, 3), 6_072_131 - 2_976)
  found = shapes(completion.GlobalLocalDiscriminator(), 256)
  assert found == ((1,), 45_063_681 - 3_456)
  five = (64, 128, 256, 512, 512)
  celeba = completion.GlobalLocalDiscriminator(five, five, window=0.6)
  assert shapes(celeba, 160) == ((1,), 39_557_121 - 2 * sum(five))


GENERATORS = {
  'glcic': completion.CompletionGenerator((4, 6, 8), (2, 3)),
  'residual': residual.ResidualGenerator(
    (4, 6), 2, told=True, channelwise=False, part=1
  ),
  'two_stage': two_stage.TwoStageGenerator(4, (2,)),
}


@functools.cache
def built(name):
  """(jitted `(image, mask) -> output`, variables)."""
  module = GENERATORS[name]
  image, mask = jnp.zeros((1, 16, 16, 3)), jnp.zeros((1, 16, 16, 1))
  variables = jax.jit(functools.partial(module.init, train=False))(
    jax.random.key(0), image, mask
  )
  return jax.jit(functools.partial(module.apply, variables, train=False))


def images(seed=0, shape=(24, 32)):
  return jax.random.uniform(jax.random.key(seed), (2, *shape, 3), minval=-1)


@pytest.mark.parametrize('name', GENERATORS)
def test_a_generator_takes_any_size_and_is_told_of_the_hole(name):
  fill = built(name)
  x = images()
  mask = jnp.zeros((2, 24, 32, 1)).at[:, 4:12, 8:20].set(1.0)
  out = fill(x, mask)
  assert out.shape == x.shape and out.dtype == jnp.float32
  assert float(jnp.abs(out).max()) <= 1
  assert not np.allclose(out, fill(x, 0 * mask))
  with pytest.raises(ValueError, match='give a mask'):
    GENERATORS[name].init(jax.random.key(0), x, None, train=True)


def test_two_stages_give_both_images_in_training_and_one_after():
  module = GENERATORS['two_stage']
  whole = (1, 16, 16, 3)
  assert shapes(module, 16)[0] == (whole, whole)
  assert shapes(module, 16, train=False)[0] == whole


def test_what_lies_in_the_hole_does_not_reach_the_second_stage():
  """The first stage sees the fill; the second only what the first made."""
  fill = built('two_stage')
  mask = jnp.zeros((2, 24, 32, 1)).at[:, 8:16, 8:16].set(1.0)
  x = images() * (1 - mask)
  variables = built('two_stage').__wrapped__.args[0]
  module = GENERATORS['two_stage']
  first, second = module.apply(variables, x, mask, train=True)
  assert not np.allclose(first, second)
  np.testing.assert_allclose(second, fill(x, mask), atol=1e-6)


def test_dilated_convolutions_reach_as_far_as_their_dilations_say():
  """The gradient's support: two 3x3 and the dilated ones at quarter size."""
  module = completion.CompletionGenerator((2, 2, 2), (2, 4))
  side = 128
  x, mask = jnp.zeros((1, side, side, 3)), jnp.zeros((1, side, side, 1))
  variables = module.init(jax.random.key(0), x, mask, train=False)
  ones = jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.1), variables)
  ones['batch_stats'] = variables['batch_stats']

  def centre(image):
    out = module.apply(ones, image, mask, train=False)
    return jnp.arctanh(out)[0, side // 2, side // 2].sum()

  touched = jnp.abs(jax.grad(centre)(x + 0.1)).sum((0, 1, 3)) > 0
  reach = side // 2 - int(np.flatnonzero(np.asarray(touched))[0])
  # Of 4 plain ones at quarter size and dilations 2 and 4: 10 of its places, 40
  # pixels; then the ways down and up.
  assert 40 + 4 * 1 <= reach <= 40 + 20


def discriminator(norm='spectral'):
  return completion.GlobalLocalDiscriminator((4, 8), (4,), code=8, norm=norm)


@functools.cache
def scorer():
  module = discriminator()
  x = jnp.zeros((1, 16, 16, 3))
  mask = jnp.zeros((1, 16, 16, 1)).at[:, :4, :4].set(1.0)
  variables = module.init(jax.random.key(1), x, mask, train=False)
  # The window alone: what the whole image says counts nothing.
  params = variables['params']
  kernel = params['logit']['kernel'].at[:8].set(0.0)
  params['logit']['kernel'] = kernel
  return jax.jit(functools.partial(module.apply, variables, train=False))


@pytest.mark.parametrize('corner', [(0, 0), (12, 12), (5, 9), (0, 12)])
def test_the_local_window_lies_around_the_hole_and_inside_the_image(corner):
  top, left = corner
  mask = jnp.zeros((1, 16, 16, 1)).at[:, top : top + 4, left : left + 4].set(1)
  x = images(shape=(16, 16))[:1]
  slope = jax.grad(lambda x: scorer()(x, mask).sum())(x)
  seen = np.argwhere(np.abs(np.asarray(slope[0])).sum(-1) > 0)
  start = [min(max(at + 2 - 4, 0), 8) for at in corner]
  assert seen.min(0).tolist() >= start
  assert seen.max(0).tolist() <= [at + 7 for at in start]
  # The hole itself is in it.
  assert (
    np.abs(np.asarray(slope[0, top : top + 4, left : left + 4])) > 0
  ).any()


@pytest.mark.parametrize('norm', ['batch', 'spectral'])
def test_a_discriminator_sows_the_maps_of_all_its_convolutions(norm):
  module = discriminator(norm)
  x, mask = images(shape=(16, 16)), jnp.ones((2, 16, 16, 1))
  variables = module.init(jax.random.key(0), x, mask, train=True)
  variables = {k: variables[k] for k in ('params', 'batch_stats')}
  score, new = module.apply(
    variables, x, mask, train=True, mutable=['batch_stats', 'intermediates']
  )
  maps = new['intermediates']['features']
  assert score.shape == (2,)
  assert [m.shape for m in maps] == [(2, 8, 8, 4), (2, 4, 4, 8), (2, 4, 4, 4)]


def test_discriminators_refuse_what_they_cannot_judge():
  x, mask = images(shape=(16, 16)), jnp.ones((2, 16, 16, 1))
  key = jax.random.key(0)
  with pytest.raises(ValueError, match="'batch' or 'spectral'"):
    discriminator('layer').init(key, x, mask, train=True)
  with pytest.raises(ValueError, match='by its mask'):
    discriminator().init(key, x, None, train=True)
  with pytest.raises(ValueError, match='multiples of 4'):
    discriminator().init(key, x[:, :15], mask[:, :15], train=True)


def test_a_patch_discriminator_has_a_score_for_each_place():
  module = two_stage.PatchDiscriminator((4, 8))
  x, mask = images(), jnp.zeros((2, 24, 32, 1))
  scores, _ = module.init_with_output(jax.random.key(0), x, mask, train=True)
  assert scores.shape == (2, 6 * 8)
