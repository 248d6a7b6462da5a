"""Images and masks for tests of filling."""

import numpy as np


def noise(*shape, seed=0):
  return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def box(shape, top, left, height, width):
  mask = np.zeros(shape, bool)
  mask[top : top + height, left : left + width] = True
  return mask


def red(batch, missing):
  """A fill that paints holes red."""
  return np.where(missing[..., None], np.array([255, 0, 0], np.uint8), batch)
