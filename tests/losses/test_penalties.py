"""What is added to losses: closed forms, gradients, refusals."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.losses import penalties, reconstruction


def numbers(*shape, seed=0):
  draws = np.random.default_rng(seed).normal(size=shape)
  return jnp.asarray(draws, jnp.float32)


def check_gradient(loss, at):
  """A directional derivative against central differences, in float64."""
  with jax.enable_x64(True):
    at = jnp.asarray(np.asarray(at), jnp.float64)
    way = jnp.asarray(np.random.default_rng(7).normal(size=at.shape))
    total = lambda x: loss(x).sum()
    step = 1e-5
    measured = (total(at + step * way) - total(at - step * way)) / (2 * step)
    found = (jax.grad(total)(at) * way).sum()
    np.testing.assert_allclose(found, measured, rtol=1e-6)


def test_total_variation_of_a_ramp_is_its_slopes():
  rows, columns = jnp.meshgrid(jnp.arange(5.0), jnp.arange(9.0), indexing='ij')
  ramp = (0.25 * rows - 0.5 * columns)[None, ..., None]
  for image in (ramp, ramp[:, :3, :4]):
    np.testing.assert_allclose(penalties.total_variation(image), 0.75)
  assert not penalties.total_variation(jnp.ones((2, 4, 4, 3))).any()
  check_gradient(penalties.total_variation, numbers(2, 4, 5, 3))
  for line in (ramp[:, :1], ramp[:, :, :1]):
    with pytest.raises(AssertionError):
      penalties.total_variation(line)


def test_features_that_are_off_by_one_cost_one():
  real = [numbers(2, 4, 4, 3), numbers(2, 7, seed=1)]
  fake = [
    x + jnp.array([1.0, -2.0]).reshape(2, *[1] * (x.ndim - 1)) for x in real
  ]
  np.testing.assert_allclose(
    penalties.feature_matching(real, fake), [1, 2], rtol=1e-6
  )
  slope = jax.grad(lambda x: penalties.feature_matching([x], fake[:1]).sum())
  assert not slope(real[0]).any()
  check_gradient(
    lambda x: penalties.feature_matching([real[1].astype(x.dtype)], [x]),
    fake[1],
  )
  with pytest.raises(AssertionError):
    penalties.feature_matching(real, fake[:1])


def test_style_sees_textures_and_not_places():
  real = numbers(1, 6, 6, 4)
  moved = jnp.roll(real, (2, 3), (1, 2))
  np.testing.assert_allclose(penalties.style([real], [moved]), 0, atol=1e-6)
  # Twice the amplitude: Gram matrices four times as large.
  flat = np.asarray(real).reshape(-1, 4)
  gram = flat.T @ flat / flat.size
  np.testing.assert_allclose(
    penalties.style([real], [2 * real]), 3 * np.abs(gram).mean(), rtol=1e-5
  )
  check_gradient(
    lambda x: penalties.style([moved.astype(x.dtype)], [x]), 1.1 * real
  )


def test_the_penalties_of_a_linear_critic():
  slope = numbers(4, 4, 2)
  critic = lambda x: jnp.einsum('bhwc,hwc->b', x, slope.astype(x.dtype))
  real, fake = numbers(3, 4, 4, 2, seed=1), numbers(3, 4, 4, 2, seed=2)
  share = jnp.array([0.0, 0.3, 1.0])
  norm = float(jnp.linalg.norm(slope))
  np.testing.assert_allclose(
    penalties.gradient_penalty(critic, real, fake, share),
    [(norm - 1) ** 2] * 3,
    rtol=1e-5,
  )
  np.testing.assert_allclose(
    penalties.r1(critic, real), [norm**2] * 3, rtol=1e-5
  )


def test_the_slope_is_taken_where_it_should_be():
  # Half the square: the slope at x is x.
  critic = lambda x: 0.5 * jnp.square(x).sum((1, 2, 3))
  real, fake = jnp.full((1, 1, 1, 1), 2.0), jnp.full((1, 1, 1, 1), 6.0)
  np.testing.assert_allclose(penalties.r1(critic, real), [4.0])
  found = penalties.gradient_penalty(critic, real, fake, jnp.array([0.25]))
  np.testing.assert_allclose(found, [4.0])  # At 3: (3 - 1)^2.


def test_a_critic_that_is_flat_has_a_finite_gradient():
  x = jnp.ones((2, 3, 3, 1))

  def loss(scale):
    critic = lambda image: scale * image.sum((1, 2, 3))
    return penalties.gradient_penalty(critic, x, x, jnp.zeros(2)).sum()

  assert loss(0.0) == 2
  assert np.isfinite(jax.grad(loss)(0.0))


def hole(size, rows, columns):
  return jnp.zeros((1, *size, 1)).at[:, rows, columns].set(1.0)


@pytest.mark.parametrize('discount', [0.5, 0.99, 1.0])
def test_errors_count_less_the_further_they_are_from_what_is_known(discount):
  mask = hole((9, 11), slice(2, 7), slice(3, 8))  # 5 by 5.
  target = jnp.zeros((1, 9, 11, 2))
  found = reconstruction.discounted_l1(
    target + 0.5, target, mask, discount=discount
  )
  expected = 16 * discount + 8 * discount**2 + discount**3
  np.testing.assert_allclose(found, [0.5 * expected / 25], rtol=1e-5)


def test_the_border_of_the_image_is_not_known():
  mask = hole((6, 6), slice(0, 6), slice(0, 3))
  target = jnp.zeros((1, 6, 6, 1))
  found = reconstruction.discounted_l1(target + 1, target, mask, discount=0.5)
  np.testing.assert_allclose(found, [(0.5 + 0.25 + 0.125) / 3])
  check_gradient(
    lambda x: reconstruction.discounted_l1(
      x, x * 0, mask.astype(x.dtype), discount=0.5
    ),
    numbers(1, 6, 6, 1),
  )


def test_distances_are_counted_beyond_what_bfloat16_counts_to():
  mask = jnp.ones((1, 1, 400, 1), jnp.bfloat16).at[:, :, 0].set(0)
  target = jnp.zeros_like(mask)
  found = reconstruction.discounted_l1(target + 1, target, mask, discount=0.999)
  expected = (0.999 ** np.arange(1, 400)).mean()
  np.testing.assert_allclose(found, [expected], rtol=1e-4)


def test_without_a_hole_or_without_anything_known_it_is_finite():
  target = jnp.zeros((1, 6, 6, 1))
  for value, expected in ((0.0, 0.0), (1.0, 0.9**6)):
    mask = jnp.full((1, 6, 6, 1), value)
    found = reconstruction.discounted_l1(target + 1, target, mask, discount=0.9)
    np.testing.assert_allclose(found, [expected], rtol=1e-6)
  with pytest.raises(ValueError, match='discount'):
    reconstruction.discounted_l1(target, target, target, discount=0.0)


def test_the_style_of_large_maps_of_half_precision_or_of_no_image():
  ones = jnp.ones((1, 256, 256, 2), jnp.float16)
  assert penalties.style([ones], [0 * ones]).tolist() == [0.5]
  assert penalties.style([ones[:0]], [ones[:0]]).shape == (0,)
