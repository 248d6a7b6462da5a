"""Images and masks for tests of filling, numbers for those of layers."""

import numpy as np
from jax import numpy as jnp


def whole(*shape, seed=0):
  """Small ones: sums of their products, and halves of them, are exact."""
  draws = np.random.default_rng(seed).integers(-8, 9, shape)
  return jnp.asarray(draws, jnp.float32)


def noise(*shape, seed=0):
  return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def box(shape, top, left, height, width):
  mask = np.zeros(shape, bool)
  mask[top : top + height, left : left + width] = True
  return mask


def red(batch, missing):
  """A fill that paints holes red."""
  return np.where(missing[..., None], np.array([255, 0, 0], np.uint8), batch)
