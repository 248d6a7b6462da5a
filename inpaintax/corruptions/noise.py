"""Noise on known pixels: what denoisers take away.

Every function takes `keys`, typed PRNG keys `[B]`, and images, float `[B, H, W,
C]` in [-1, 1]; it gives images of the same shape and type. A sample's noise
depends on its own key alone.
"""

import chex
import jax
from jax import numpy as jnp
from jax.typing import ArrayLike

# Standard deviations are given in grey levels of 0..255, as in the literature.
LEVELS = 127.5


def gaussian(
  keys: jax.Array, images: jax.Array, *, sigma: ArrayLike
) -> jax.Array:
  """Adds white Gaussian noise, without clipping.

  Not clipped, because the published figures are not: clipping would shift the
  mean of dark and bright pixels.

  Args:
    keys: typed PRNG keys `[B]`.
    images: float `[B, H, W, C]` in [-1, 1].
    sigma: standard deviation in grey levels of 0..255; or `[B]`, one for each
      image.

  Returns:
    Same shape and type; may leave [-1, 1].

  Raises:
    AssertionError: keys and images do not fit.
    ValueError: `sigma` is a number, and negative or NaN.

  >>> keys = jax.random.split(jax.random.key(0), 1)
  >>> noisy = gaussian(keys, jnp.zeros((1, 256, 256, 1)), sigma=25)
  >>> abs(127.5 * float(noisy.std()) - 25) < 0.2
  True
  """
  check(keys, images)
  if isinstance(sigma, int | float) and not sigma >= 0:
    raise ValueError(f'sigma must not be negative, got {sigma}.')
  sigmas = jnp.broadcast_to(jnp.asarray(sigma, images.dtype), (len(keys),))
  draw = lambda key: jax.random.normal(key, images.shape[1:], images.dtype)
  return images + sigmas[:, None, None, None] / LEVELS * jax.vmap(draw)(keys)


def salt_and_pepper(
  keys: jax.Array, images: jax.Array, *, share: float
) -> jax.Array:
  """Turns pixels black or white, each as likely, all channels together.

  Args:
    keys: typed PRNG keys `[B]`.
    images: float `[B, H, W, C]` in [-1, 1].
    share: of the pixels, in [0, 1]; each is hit on its own.

  Returns:
    Same shape and type.

  Raises:
    ValueError: `share` is outside [0, 1].
    AssertionError: keys and images do not fit.
  """
  chance = _chance(keys, images, share)
  extreme = jnp.where(chance < share / 2, -1.0, 1.0).astype(images.dtype)
  return jnp.where(chance < share, extreme, images)


def missing_pixels(
  keys: jax.Array, images: jax.Array, *, share: float
) -> jax.Array:
  """Masks of single pixels, each missing on its own.

  Args:
    keys: typed PRNG keys `[B]`.
    images: float `[B, H, W, C]`; only the shape counts.
    share: chance of a pixel to be missing, in [0, 1].

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing, for `masks.apply`.

  Raises:
    ValueError: `share` is outside [0, 1].
    AssertionError: keys and images do not fit.
  """
  return (_chance(keys, images, share) < share).astype(jnp.float32)


def _chance(keys: jax.Array, images: jax.Array, share: float) -> jax.Array:
  """float32 `[B, H, W, 1]`, uniform on [0, 1)."""
  check(keys, images)
  check_share(share)
  shape = (*images.shape[1:3], 1)
  draw = lambda key: jax.random.uniform(key, shape, jnp.float32)
  return jax.vmap(draw)(keys)


def check_keys(keys: jax.Array) -> None:
  """Refuses what are no keys, one a sample.

  Args:
    keys: typed PRNG keys `[B]`.

  Raises:
    AssertionError: they are of another rank or type.
  """
  # A raw key is two numbers: it would pass for the keys of two samples.
  if not jnp.issubdtype(keys.dtype, jax.dtypes.prng_key):
    raise AssertionError(
      f'keys must be typed (jax.random.key), got {keys.dtype}.'
    )
  if keys.ndim != 1:
    raise AssertionError(
      f'keys must be one for each sample, [B] (jax.random.split), got the shape'
      f' {keys.shape}.'
    )


def check(keys: jax.Array, images: jax.Array) -> None:
  """Refuses what does not fit together.

  Args:
    keys: typed PRNG keys `[B]`.
    images: float `[B, H, W, C]`.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  check_keys(keys)
  chex.assert_rank(images, 4)
  chex.assert_equal(len(keys), len(images))
  chex.assert_type(images, float)


def check_share(share: float) -> None:
  """Refuses a share that is none.

  Args:
    share: in [0, 1].

  Raises:
    ValueError: it is outside.
  """
  if not 0 <= share <= 1:
    raise ValueError(f'share must be in [0, 1], got {share}.')
