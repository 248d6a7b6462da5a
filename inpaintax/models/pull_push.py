"""Scattered known pixels, spread to where nothing is known.

Source: Gortler, Grzeszczuk, Szeliski and Cohen 1996, "The Lumigraph", sec.
3.4.2: weighted means at ever lower resolutions (pull), which fill what is
unknown at the next higher one (push). Every step has a slope, so that a network
may learn from the result which pixels are known.
"""

import chex
import jax
from jax import numpy as jnp

# So much known, of what a mean is taken of, is as good as all: what is
# coarser is farther. Under letters, told where, 1 is 1.3 dB worse than 0.5, and
# that 0.3 dB worse than 0.25.
_ENOUGH = 0.25
_TINY = 1e-6


def pull_push(images: jax.Array, known: jax.Array) -> jax.Array:
  """Fills what is unknown with means of what is known around it.

  Resolution is halved as often as both sides are even.

  Args:
    images: float `[B, H, W, C]`; where `known` is 0 they do not matter.
    known: float `[B, H, W, 1]` in [0, 1].

  Returns:
    Same shape as `images`, `known * images` and the rest from around; 0 for an
    image of which nothing is known.

  Raises:
    AssertionError: the shapes do not fit.
  """
  chex.assert_rank(images, 4)
  chex.assert_shape(known, (*images.shape[:3], 1))
  # Their slope is kept where they are numbers; NaN times 0 is no 0.
  images = jnp.where((known > 0) | jnp.isfinite(images), images, 0)
  weighted, weights = [images * known], [known]
  while not any(side % 2 for side in weights[-1].shape[1:3]):
    total, weight = _halved(weighted[-1]), _halved(weights[-1])
    # A weight of 1 at most, and what is weighted with it.
    factor = jnp.minimum(1, weight / _ENOUGH) / jnp.maximum(weight, _TINY)
    weighted.append(total * factor)
    weights.append(weight * factor)
  filled = weighted.pop() / jnp.maximum(weights.pop(), _TINY)
  while weighted:
    finer = weighted.pop()
    rest = 1 - weights.pop()
    filled = finer + rest * jax.image.resize(filled, finer.shape, 'bilinear')
  return filled


def _halved(x: jax.Array) -> jax.Array:
  """Means of four by four pixels, weighted 1, 3, 3, 1, at every second one."""
  for axis in (1, 2):
    margin = [(0, 0)] * 4
    margin[axis] = (1, 1)
    padded = jnp.pad(x, margin)
    length = x.shape[axis]
    taps = [
      jax.lax.slice_in_dim(padded, i, i + length - 1, stride=2, axis=axis)
      for i in range(4)
    ]
    x = (taps[0] + 3 * taps[1] + 3 * taps[2] + taps[3]) / 8
  return x
