"""Sums with which neighbouring outputs share products.

Source: Toom 1963 and Cook 1966, for products of polynomials; Lavin and Gray
2016, arXiv:1509.09308, for layers of networks. `SMALL[3]` is their F(2x2,
3x3). `LARGE[3]`, F(4x4, 3x3), has other points than theirs, 0, +-3/4, +-3/2,
with which errors are a quarter of theirs; and `LARGE[2]` +-1/2, +-5/4, with
which they are those of small tiles.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Matrix = Sequence[Sequence[float]]


class Changes(NamedTuple):
  """What makes products of pixels and weights, and outputs of products.

  In one direction, each a matrix: of `tile` outputs of a kernel's side,
  `outputs @ ((weights @ kernel) * (pixels @ all that they see))`.
  """

  tile: int
  pixels: Matrix
  weights: Matrix
  outputs: Matrix


def _toom_cook(points: Sequence[float], tile: int, side: int) -> Changes:
  """Products of polynomials, given by their values at points and at infinity.

  A convolution is the transpose of such a product, in the pixels. What divides
  is theirs too: sums of weights, of which there are more terms, are shorter.
  """
  others = lambda p: [q for q in points if q != p]
  coefficients = lambda roots: [float(c) for c in np.poly(roots)[::-1]]
  slopes = [math.prod(p - q for q in others(p)) for p in points]
  last = lambda n, k: float(k == n - 1)
  return Changes(
    tile,
    pixels=[
      *(
        [c / slope for c in (*coefficients(others(p)), 0.0)]
        for p, slope in zip(points, slopes, strict=True)
      ),
      coefficients(points),
    ],
    weights=[
      *([float(p**k) for k in range(side)] for p in points),
      [last(side, k) for k in range(side)],
    ],
    outputs=[[*(p**k for p in points), last(tile, k)] for k in range(tile)],
  )


# By the kernel's side.
SMALL = {
  2: _toom_cook((0, 1), 2, side=2),
  3: _toom_cook((0, 1, -1), 2, side=3),
}
LARGE = {
  2: _toom_cook((0.5, -0.5, 1.25, -1.25), 4, side=2),
  3: _toom_cook((0, 0.75, -0.75, 1.5, -1.5), 4, side=3),
}


def changes(
  side: int, images: int, size: Sequence[int], channels: int
) -> Changes:
  """What to share in a convolution, on average the most.

  Args:
    side: of the kernel, 2 or 3.
    images: how many there are.
    size: rows and columns of outputs.
    channels: of pixels or of outputs, whichever has more.

  Returns:
    Those of the larger tile if it saves a quarter of the products, and there
    are tiles enough to be worth its sums of weights.
  """
  small, large = (
    images * math.prod(-(-n // kind[side].tile) for n in size)
    for kind in (SMALL, LARGE)
  )
  products = lambda kind: len(kind[side].pixels) ** 2
  fewer = products(LARGE) * large <= 0.75 * products(SMALL) * small
  return LARGE[side] if fewer and 2 * large >= channels else SMALL[side]
