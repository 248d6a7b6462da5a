"""Fewer multiplications: on whole numbers, to the bit what many give.

But from larger tiles, whose points are no whole numbers.
"""

import jax
import numpy as np
import pytest
from arrays import whole
from jax import lax
from jax import numpy as jnp

from inpaintax.models import toom_cook, winograd

LAYOUT = ('NHWC', 'HWIO', 'NHWC')
# Sides of the kernel, of the image, padding: outputs of even and odd sides,
# askew, beyond the kernel's reach, cropped.
CASES = [
  (3, (6, 8), ((1, 1), (1, 1))),
  (3, (7, 6), ((1, 1), (0, 2))),
  (3, (5, 4), ((0, 0), (3, 4))),
  (3, (9, 8), ((-1, 0), (1, -2))),
  (3, (8, 12), ((1, 1), (1, 1))),
  (3, (15, 16), ((1, 1), (2, 0))),
  (3, (9, 18), ((0, 0), (-1, 0))),
  (2, (5, 7), ((0, 0), (0, 0))),
  (2, (6, 5), ((1, 0), (1, 1))),
  (2, (4, 6), ((2, 3), (-1, 0))),
]


def plain(x, kernel, pads):
  return lax.conv_general_dilated(
    x, kernel, (1, 1), pads, dimension_numbers=LAYOUT
  )


@pytest.mark.parametrize(('side', 'size', 'pads'), CASES)
@pytest.mark.parametrize(('channels', 'features'), [(3, 5), (4, 2), (3, 40)])
def test_values_and_gradients_of_whole_numbers_are_exact(
  side, size, pads, channels, features
):
  x = whole(2, *size, channels)
  kernel = whole(side, side, channels, features, seed=1)
  wanted, back = jax.vjp(lambda x, k: plain(x, k, pads), x, kernel)
  b, *outputs, _ = wanted.shape
  tile = toom_cook.changes(side, b, outputs, max(channels, features)).tile
  same = lambda found, wanted: np.testing.assert_allclose(
    found,
    wanted,
    rtol=0,
    atol=0 if tile == 2 else 4e-6 * float(abs(wanted).max()),
  )
  same(winograd.convolve(x, kernel, pads), wanted)
  grad = whole(*wanted.shape, seed=2)
  of_x, of_kernel = back(grad)
  np.testing.assert_array_equal(winograd.of_images(grad, kernel, pads), of_x)
  same(winograd.of_kernel(x, grad, pads, side), of_kernel)


@pytest.mark.parametrize(('side', 'size', 'pads'), CASES)
@pytest.mark.parametrize('spare', [1, 3])
def test_spare_rows_change_nothing(side, size, pads, spare):
  x, kernel = whole(2, *size, 3), whole(side, side, 3, 5, seed=1)
  longer = jnp.pad(x, ((0, 0), (0, spare), (0, 0), (0, 0)))
  found = winograd.convolve(longer, kernel, pads, spare=spare)
  np.testing.assert_array_equal(found, winograd.convolve(x, kernel, pads))
  grad = whole(*found.shape, seed=2)
  np.testing.assert_array_equal(
    winograd.of_kernel(longer, grad, pads, side),
    winograd.of_kernel(x, grad, pads, side),
  )


# Of values tiles are large here; of images' gradients, always small.
@pytest.mark.parametrize(
  ('passes', 'bound'),
  [
    (lambda x, kernel, pads: winograd.convolve(x, kernel, pads), 2e-6),
    (
      lambda x, kernel, pads: winograd.of_images(
        x, kernel[::-1, ::-1].swapaxes(2, 3), pads
      ),
      1e-6,
    ),
  ],
)
def test_errors_are_within_millionths_of_the_largest(passes, bound):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(4, 16, 16, 64)).astype(np.float32)
  kernel = rng.normal(size=(3, 3, 64, 64)).astype(np.float32)
  assert toom_cook.changes(3, 4, (16, 16), 64).tile == 4
  pads = ((1, 1), (1, 1))
  exact = np.zeros(x.shape)
  padded = np.pad(x.astype(np.float64), ((0, 0), *pads, (0, 0)))
  for i in range(3):
    for j in range(3):
      exact += padded[:, i : i + 16, j : j + 16] @ kernel[i, j]
  error = abs(np.asarray(passes(x, kernel, pads)) - exact).max()
  assert error < bound * abs(exact).max()


# Images, their sides, channels: whether the tile is large.
@pytest.mark.parametrize(
  ('images', 'size', 'channels', 'large'),
  [
    (4, (8, 8), 32, True),
    (4, (8, 8), 33, False),  # As many tiles as half the channels at least.
    (4, (6, 6), 1, False),  # No fewer: 4 * 36, as 9 * 16.
    (4, (6, 8), 1, True),
    (1, (2, 64), 1, False),
  ],
)
def test_a_tile_is_as_large_as_is_worth_its_sums(images, size, channels, large):
  changes = toom_cook.changes(3, images, size, channels)
  assert changes.tile == (4 if large else 2)
  assert toom_cook.changes(2, images, size, channels).tile == 2
