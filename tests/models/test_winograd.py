"""Fewer multiplications: on whole numbers, to the bit what many give.

But from larger tiles, whose points are no whole numbers.
"""

import jax
import numpy as np
import pytest
from arrays import whole
from jax import lax

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
  # Of cells there is none.
  (2, (5, 7), ((0, 0), (0, 0))),
  (2, (6, 5), ((0, 0), (0, 0))),
  (2, (9, 5), ((0, 0), (0, 0))),
  (2, (17, 8), ((0, 0), (0, 0))),
]


def plain(x, kernel, pads):
  return lax.conv_general_dilated(
    x, kernel, (1, 1), pads, dimension_numbers=LAYOUT
  )


def apart(x):
  """As `fewer.cells` gives a map of cells of two pixels."""
  b, h, w, c = x.shape
  return x.reshape(b, h, w, 2, c // 2).transpose(0, 1, 3, 2, 4)


@pytest.mark.parametrize(('side', 'size', 'pads'), CASES)
@pytest.mark.parametrize(('channels', 'features'), [(4, 5), (6, 2), (4, 40)])
def test_values_and_gradients_of_whole_numbers_are_exact(
  side, size, pads, channels, features
):
  x = whole(2, *size, channels)
  kernel = whole(side, side, channels, features, seed=1)
  wanted, back = jax.vjp(lambda x, k: plain(x, k, pads), x, kernel)

  def same(found, wanted, *outputs):
    changes = toom_cook.changes(side, 2, outputs, max(channels, features))
    bound = 0 if changes.tile == 2 else 4e-6 * float(abs(wanted).max())
    np.testing.assert_allclose(found, wanted, rtol=0, atol=bound)

  outputs = wanted.shape[1:3]
  grad = whole(*wanted.shape, seed=2)
  of_x, of_kernel = back(grad)
  if side == 2:
    x, of_x = apart(x), apart(of_x)
  same(winograd.convolve(x, kernel, pads), wanted, *outputs)
  # Of cells, tiles of images' gradients are small.
  same(
    winograd.of_images(grad, kernel, pads),
    of_x,
    *(size if side == 3 else (1, 1)),
  )
  same(winograd.of_kernel(x, grad, pads, side), of_kernel, *outputs)


@pytest.mark.parametrize(
  'passes',
  [
    winograd.convolve,
    lambda x, kernel, pads: winograd.of_images(
      x, kernel[::-1, ::-1].swapaxes(2, 3), pads
    ),
  ],
)
def test_errors_are_within_millionths_of_the_largest(passes):
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
  assert error < 2e-6 * abs(exact).max()


def test_of_cells_they_are_within_two_millionths():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(4, 17, 17, 64)).astype(np.float32)
  kernel = rng.normal(size=(2, 2, 64, 64)).astype(np.float32)
  assert toom_cook.changes(2, 4, (16, 16), 64).tile == 4
  exact = sum(
    x[:, i : i + 16, j : j + 16].astype(np.float64) @ kernel[i, j]
    for i in (0, 1)
    for j in (0, 1)
  )
  found = winograd.convolve(apart(x), kernel, ((0, 0), (0, 0)))
  assert abs(np.asarray(found) - exact).max() < 2e-6 * abs(exact).max()


# Of the kernel; images, their sides, channels: whether the tile is large.
@pytest.mark.parametrize(
  ('side', 'images', 'size', 'channels', 'large'),
  [
    (3, 4, (8, 8), 32, True),
    (3, 4, (8, 8), 33, False),  # As many tiles as half the channels at least.
    (3, 4, (6, 6), 1, False),  # No fewer: 4 * 36, as 9 * 16.
    (3, 4, (6, 8), 1, True),
    (3, 1, (2, 64), 1, False),
    (2, 4, (8, 8), 32, True),
    (2, 4, (8, 8), 33, False),
    (2, 4, (8, 7), 32, True),
    (2, 4, (6, 8), 1, False),  # 4 * 25, as 12 * 9.
  ],
)
def test_a_tile_is_as_large_as_is_worth_its_sums(
  side, images, size, channels, large
):
  changes = toom_cook.changes(side, images, size, channels)
  assert changes.tile == (4 if large else 2)
