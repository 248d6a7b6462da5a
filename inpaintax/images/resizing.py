"""Images and masks of another size."""

import cv2
import numpy as np

from inpaintax.errors import InputError
from inpaintax.images.decoding import MAX_PIXELS


def resize_short_side(image: np.ndarray, side: int) -> np.ndarray:
  """Resizes so that the shorter side is `side`; the aspect is kept.

  Shrinks by averaging areas, enlarges by bicubic interpolation.

  Args:
    image: uint8 `[H, W, 3]`.
    side: pixels, at least 1.

  Returns:
    uint8 `[side, W', 3]` or `[H', side, 3]`; `image` itself if it fits already.

  Raises:
    InputError: the result would have more than `MAX_PIXELS`.
    ValueError: `side` is less than 1.
  """
  if side < 1:
    raise ValueError(f'side must be at least 1, got {side}.')
  short = min(image.shape[:2])
  if short == side:
    return image
  height, width = resized_shape(image.shape[:2], side)
  method = cv2.INTER_AREA if side < short else cv2.INTER_CUBIC
  return cv2.resize(image, (width, height), interpolation=method)


def resized_shape(shape: tuple[int, int], side: int) -> tuple[int, int]:
  """What `resize_short_side` makes of an image's shape.

  Args:
    shape: (height, width).
    side: of the shorter side, pixels.

  Returns:
    (height, width).

  Raises:
    InputError: more than `MAX_PIXELS`.
  """
  height, width = shape
  short = min(shape)
  new_height = max(side, round(height * side / short))
  new_width = max(side, round(width * side / short))
  if new_height * new_width > MAX_PIXELS:
    raise InputError(
      f'an image of {width}x{height} pixels is too long to be resized to '
      f'{side} on its short side: crop it first'
    )
  return new_height, new_width


def resize_mask(missing: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Brings a mask to an image's size; nothing that was missing is lost.

  Args:
    missing: bool `[H, W]`.
    shape: (height, width) of the image.

  Returns:
    bool `shape`: True where any part of the pixel was missing.

  >>> resize_mask(np.array([[False, True, False]]), (1, 2)).tolist()
  [[True, True]]
  """
  for axis, count in enumerate(shape):
    missing = _touched(missing, axis, count)
  return missing


def _touched(missing: np.ndarray, axis: int, count: int) -> np.ndarray:
  """A mask with `count` places along an axis, each of all that it covers."""
  length = missing.shape[axis]
  # In whole numbers, so that no rounding lets go of a pixel. The k-th place
  # covers k * length / count to (k + 1) * length / count.
  ends = np.arange(count + 1) * length
  first, last = ends[:-1] // count, -(-ends[1:] // count)
  start = np.zeros_like(missing.take([0], axis), int)
  before = np.concatenate([start, missing.cumsum(axis)], axis)
  return before.take(last, axis) > before.take(first, axis)
