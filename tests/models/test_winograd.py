"""Fewer multiplications: on whole numbers, to the bit what many give."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

from inpaintax.models import winograd

LAYOUT = ('NHWC', 'HWIO', 'NHWC')
# Sides of the kernel, of the image, padding: outputs of even and odd sides,
# askew, beyond the kernel's reach, cropped.
CASES = [
  (3, (6, 8), ((1, 1), (1, 1))),
  (3, (7, 6), ((1, 1), (0, 2))),
  (3, (5, 4), ((0, 0), (3, 4))),
  (3, (9, 8), ((-1, 0), (1, -2))),
  (2, (5, 7), ((0, 0), (0, 0))),
  (2, (6, 5), ((1, 0), (1, 1))),
  (2, (4, 6), ((2, 3), (-1, 0))),
]


def whole(*shape, seed=0):
  """Small ones: sums of their products, and halves of them, are exact."""
  draws = np.random.default_rng(seed).integers(-8, 9, shape)
  return jnp.asarray(draws, jnp.float32)


def plain(x, kernel, pads):
  return lax.conv_general_dilated(
    x, kernel, (1, 1), pads, dimension_numbers=LAYOUT
  )


@pytest.mark.parametrize(('side', 'size', 'pads'), CASES)
@pytest.mark.parametrize(('channels', 'features'), [(3, 5), (4, 2)])
def test_values_and_gradients_of_whole_numbers_are_exact(
  side, size, pads, channels, features
):
  x = whole(2, *size, channels)
  kernel = whole(side, side, channels, features, seed=1)
  wanted, back = jax.vjp(lambda x, k: plain(x, k, pads), x, kernel)
  found = winograd.convolve(x, kernel, pads)
  np.testing.assert_array_equal(found, wanted)
  grad = whole(*wanted.shape, seed=2)
  mine = winograd.gradients(x, kernel, grad, pads)
  for ours, theirs in zip(mine, back(grad), strict=True):
    np.testing.assert_array_equal(ours, theirs)


def test_errors_are_within_a_millionth_of_the_largest():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(4, 16, 16, 64)).astype(np.float32)
  kernel = rng.normal(size=(3, 3, 64, 64)).astype(np.float32)
  pads = ((1, 1), (1, 1))
  exact = np.zeros((4, 16, 16, 64))
  padded = np.pad(x.astype(np.float64), ((0, 0), *pads, (0, 0)))
  for i in range(3):
    for j in range(3):
      exact += padded[:, i : i + 16, j : j + 16] @ kernel[i, j]
  error = abs(np.asarray(winograd.convolve(x, kernel, pads)) - exact).max()
  assert error < 2e-6 * abs(exact).max()
