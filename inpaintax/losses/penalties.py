"""What is added to a loss: smoothness, likeness of features, tame critics.

Each gives one value per image, `[B]`.
"""

from collections.abc import Callable, Sequence

import chex
import jax
from jax import numpy as jnp

from inpaintax.losses import precision


def total_variation(image: jax.Array) -> jax.Array:
  """Mean absolute difference of neighbouring pixels, across and down.

  Each direction is divided by the number of its own pairs, so that the value
  does not follow the image's size.

  Args:
    image: float `[B, H, W, C]`, sides of at least 2.

  Returns:
    `[B]`; 0 for a flat image.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Rudin, Osher and Fatemi 1992, anisotropic.

  >>> stripes = jnp.tile(jnp.array([0.0, 1.0]), 4).reshape(1, 1, 8, 1)
  >>> total_variation(jnp.broadcast_to(stripes, (1, 8, 8, 1))).tolist()
  [1.0]
  """
  chex.assert_rank(image, 4)
  chex.assert_type(image, float)
  chex.assert_axis_dimension_gteq(image, 1, 2)
  chex.assert_axis_dimension_gteq(image, 2, 2)
  down = jnp.abs(image[:, 1:] - image[:, :-1]).mean((1, 2, 3))
  across = jnp.abs(image[:, :, 1:] - image[:, :, :-1]).mean((1, 2, 3))
  return down + across


def feature_matching(
  real: Sequence[jax.Array], fake: Sequence[jax.Array]
) -> jax.Array:
  """Mean absolute difference of what a discriminator's layers see.

  Args:
    real: maps of true images, each float `[B, ...]`.
    fake: of generated ones, likewise.

  Returns:
    `[B]`, the mean over layers. No gradient goes into `real`.

  Raises:
    AssertionError: they differ in number or shape.

  Source: Wang et al. 2018, arXiv:1711.11585, eq. 4.
  """
  assert len(real) == len(fake) > 0, f'{len(real)} and {len(fake)} maps.'
  terms = []
  for one, other in zip(real, fake, strict=True):
    chex.assert_equal_shape([one, other])
    gap = jnp.abs(jax.lax.stop_gradient(one) - other)
    terms.append(gap.mean(tuple(range(1, gap.ndim))))
  return jnp.stack(terms).mean(0)


def style(real: Sequence[jax.Array], fake: Sequence[jax.Array]) -> jax.Array:
  """Mean absolute difference of Gram matrices: texture, wherever it lies.

  Args:
    real: maps of true images, each float `[B, H, W, C]`.
    fake: of generated ones, likewise.

  Returns:
    `[B]`, the mean over layers. No gradient goes into `real`.

  Raises:
    AssertionError: they differ in number or shape.

  Source: Gatys et al. 2016, with the absolute difference of Liu et al. 2018,
  arXiv:1804.07723, eq. 5; on features of our own, not of a network that was
  trained elsewhere.
  """
  grams = lambda maps: [_gram(x) for x in maps]
  return feature_matching(grams(real), grams(fake))


def gradient_penalty(
  critic: Callable[[jax.Array], jax.Array],
  real: jax.Array,
  fake: jax.Array,
  share: jax.Array,
) -> jax.Array:
  """How far the critic's slope between a real and a fake image is from 1.

  Args:
    critic: `images -> [B]` or `[B, N]`, each score from its own image alone.
    real: float `[B, H, W, C]`.
    fake: same shape and type.
    share: uniform in [0, 1], `[B]`: how much of the fake one is mixed in.

  Returns:
    `[B]`: (norm of the gradient - 1)^2.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Gulrajani et al. 2017, arXiv:1704.00028, eq. 3.
  """
  chex.assert_rank([real, fake], 4)
  chex.assert_equal_shape([real, fake])
  chex.assert_shape(share, (len(real),))
  share = share.reshape(-1, 1, 1, 1)
  slope = _squared_slope(critic, (1 - share) * real + share * fake)
  # At 0 the root has no gradient.
  norm = jnp.sqrt(jnp.where(slope > 0, slope, 1.0))
  return jnp.square(jnp.where(slope > 0, norm, 0.0) - 1)


def r1(critic: Callable[[jax.Array], jax.Array], real: jax.Array) -> jax.Array:
  """Squared slope of the critic at real images.

  Args:
    critic: `images -> [B]` or `[B, N]`, each score from its own image alone.
    real: float `[B, H, W, C]`.

  Returns:
    `[B]`; without the factor gamma / 2.

  Raises:
    AssertionError: a shape or type differs from the above.

  Source: Mescheder et al. 2018, arXiv:1801.04406, eq. 9.
  """
  chex.assert_rank(real, 4)
  return _squared_slope(critic, real)


def _squared_slope(
  critic: Callable[[jax.Array], jax.Array], images: jax.Array
) -> jax.Array:
  slope = jax.grad(lambda x: critic(x).sum())(images)
  return jnp.square(slope).sum((1, 2, 3))


def _gram(x: jax.Array) -> jax.Array:
  """`[B, C, C]`: how channels go together, over all places."""
  chex.assert_rank(x, 4)
  x = precision.wide(x)
  flat = x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])
  places = flat.shape[1] * flat.shape[2]
  return jnp.einsum('bnc,bnd->bcd', flat, flat) / places
