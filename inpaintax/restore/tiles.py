"""Holes of any size in images of any size, by a model that takes any size.

A hole that is deeper than those that the model was trained with is filled in
the image made so much smaller that it is not, and what fills it is made larger
again. Of an image only the tiles are seen that have something missing; they
overlap, and are mixed where they do.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from scipy import ndimage

from inpaintax.errors import InputError

# Side of the tiles, and of the frame in which two are mixed, pixels.
_TILE = 512
_OVERLAP = 64

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]


def halvings(mask: np.ndarray, limit: float) -> np.ndarray:
  """How often the image must be halved for each hole to be shallow enough.

  Args:
    mask: bool `[H, W]`, True = missing.
    limit: the greatest distance from a missing pixel to a known one, pixels.

  Returns:
    int `[H, W]`: the same for all of a hole; 0 where known.
  """
  padded = np.pad(mask, 1, 'symmetric').astype(np.uint8)
  distances = cv2.distanceTransform(padded, cv2.DIST_C, 3)[1:-1, 1:-1]
  labels, count = ndimage.label(mask, np.ones((3, 3)))
  depths = ndimage.maximum(distances, labels, np.arange(count + 1))
  needed = np.ceil(np.log2(np.maximum(depths / limit, 1))).astype(np.int64)
  needed[0] = 0
  return needed[labels]


def fill(
  image: np.ndarray,
  mask: np.ndarray,
  fill: Fill,
  *,
  limit: float,
  multiple: int,
) -> np.ndarray:
  """Fills holes, each at the scale that its depth asks for.

  Args:
    image: uint8 `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.
    fill: uint8 `[B, h, w, 3]` and bool `[B, h, w]` to uint8 composites.
    limit: depth that `fill` is good for, pixels.
    multiple: what h and w must be multiples of.

  Returns:
    uint8 `[H, W, 3]`, a new array; equal to `image` outside the mask.

  Raises:
    InputError: at the scale of a hole nothing is known.
  """
  out = image.copy()
  needed = halvings(mask, limit)
  for number in np.unique(needed[mask]):
    own = mask & (needed == number)
    small, missing, wanted = _shrunk(image, mask, own, 2**number)
    if missing.all():
      raise InputError(
        'at the scale of its largest hole nothing of the image is known: too'
        ' little is left to go on.'
      )
    filled = _in_tiles(small, missing, wanted, fill, multiple)
    if number:
      size = tuple(n * 2**number for n in filled.shape[1::-1])
      filled = cv2.resize(filled, size, interpolation=cv2.INTER_CUBIC)
    out[own] = filled[: mask.shape[0], : mask.shape[1]][own]
  return out


def _shrunk(
  image: np.ndarray, mask: np.ndarray, own: np.ndarray, factor: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """(image, mask, holes wanted) in cells of `factor` pixels.

  A cell's colour is the mean of what is known in it; less than half known is
  missing: a thin hole elsewhere does so not become a broad one. Where that
  would leave nothing, any known pixel is enough.
  """
  if factor == 1:
    return image, mask, own
  edges = [(0, -n % factor) for n in mask.shape]
  size = tuple(-(-n // factor) for n in mask.shape[::-1])

  def total(x: np.ndarray) -> np.ndarray:
    # Beyond the border there is nothing, neither known nor missing.
    padded = np.pad(x, [*edges, *[(0, 0)] * (x.ndim - 2)]).astype(np.float32)
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA)

  known = ~mask
  share = total(known)
  mean = total(image * known[..., None]) / np.maximum(share, 1e-9)[..., None]
  small = np.round(mean).clip(0, 255).astype(np.uint8)
  missing = share < 0.5 * total(np.ones_like(mask))
  if missing.all():
    missing = share <= 0
  return small, missing, total(own) > 0


def _in_tiles(
  image: np.ndarray,
  missing: np.ndarray,
  wanted: np.ndarray,
  fill: Fill,
  multiple: int,
) -> np.ndarray:
  """The image with its holes filled wherever something is wanted."""
  total = np.zeros(image.shape, np.float32)
  weight = np.zeros((*missing.shape, 1), np.float32)
  for rows, columns in _tiles(missing.shape):
    at = np.s_[rows, columns]
    if not (wanted[at] & missing[at]).any():
      continue
    if missing[at].all():
      raise InputError(
        f'nothing is known in {_TILE}x{_TILE} pixels of a hole: shrink image'
        ' and mask.'
      )
    across = _ramps(columns, missing.shape[1])
    share = _ramps(rows, missing.shape[0])[:, None, None] * across[:, None]
    total[at] += share * _padded(image[at], missing[at], fill, multiple)
    weight[at] += share
  mixed = np.round(total / np.maximum(weight, 1e-6)).astype(np.uint8)
  return np.where(missing[..., None] & (weight > 0), mixed, image)


def _tiles(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
  """The places of tiles; the last ones end with the image."""
  starts = [
    sorted({min(n, max(0, side - _TILE)) for n in range(0, side, step)})
    for side in shape
    for step in [_TILE - _OVERLAP]
  ]
  for top in starts[0]:
    for left in starts[1]:
      yield (
        slice(top, min(top + _TILE, shape[0])),
        slice(left, min(left + _TILE, shape[1])),
      )


def _ramps(part: slice, length: int) -> np.ndarray:
  """Shares of a tile along a side: falling towards its neighbours, never 0."""
  place = np.arange(part.start, part.stop)
  rise: np.ndarray = np.ones(len(place), np.float32)
  if part.start > 0:
    rise = np.minimum(rise, np.float32(place - part.start + 1) / _OVERLAP)
  if part.stop < length:
    rise = np.minimum(rise, np.float32(part.stop - place) / _OVERLAP)
  return rise


def _padded(
  image: np.ndarray, missing: np.ndarray, fill: Fill, multiple: int
) -> np.ndarray:
  """Fills one tile, mirrored at its end to sides that the model takes.

  The sides are few, so that there are few shapes to compile for.
  """
  height, width = missing.shape
  unit = multiple * -(-32 // multiple)
  sides = [min(_TILE, unit * _next_power(-(-n // unit))) for n in missing.shape]
  edges = [(0, side - n) for side, n in zip(sides, missing.shape, strict=True)]
  big = np.pad(image, [*edges, (0, 0)], 'symmetric')
  filled = fill(big[None], np.pad(missing, edges, 'symmetric')[None])
  return filled[0, :height, :width]


def _next_power(n: int) -> int:
  return 1 << (n - 1).bit_length()
