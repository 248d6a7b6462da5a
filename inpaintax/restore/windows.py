"""Which parts of an image its holes are filled in.

A window is a square of the size that a model takes, with a group of holes in
the smaller square in its centre that the model fills. Boxes are int `[4]`: top,
left, bottom, right; the last two are the first that are outside.
"""

import cv2
import numpy as np

from inpaintax.errors import InputError

# How far around a pixel the guess at other holes looks, in pixels.
_RADIUS = 3


def square(size: int, side: int) -> np.ndarray:
  """The square in the centre of a window.

  Args:
    size: side of the window, pixels.
    side: side of the square, pixels, of the same parity.

  Returns:
    bool `[size, size]`, True inside the square.
  """
  start = (size - side) // 2
  out = np.zeros((size, size), bool)
  out[start : start + side, start : start + side] = True
  return out


def group(mask: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
  """Groups holes that fit together into one square.

  Missing pixels that touch, also at corners, are one hole. From the top down,
  each hole that has no group yet takes all with it that the square down and
  right of it holds.

  Args:
    mask: bool `[H, W]`, True = missing.
    limit: side of the square, pixels.

  Returns:
    int32 `[H, W]`, the group of each missing pixel, from 1 on, 0 where known;
    and the groups' boxes, `[N, 4]`.

  Raises:
    InputError: a hole alone is too large; the message names it and the limit.
  """
  count, labels, stats, _ = cv2.connectedComponentsWithStats(
    mask.astype(np.uint8), connectivity=8
  )
  left, top, width, height = stats[1:, :4].T.astype(np.int64)
  large = np.flatnonzero(np.maximum(width, height) > limit)
  if len(large):
    worst = large[np.argmax((width * height)[large])]
    others = f' (and {len(large) - 1} more)' if len(large) > 1 else ''
    raise InputError(
      f'a hole of {width[worst]}x{height[worst]} pixels (width x height) at'
      f' column {left[worst]}, row {top[worst]} does not fit{others}: this'
      f' model fills holes of up to {limit}x{limit}. Shrink image and mask, or'
      ' use a model for larger holes.'
    )
  order = np.lexsort((left, top))
  boxes = np.stack([top, left, top + height, left + width], 1)[order]
  grouped = np.zeros(len(boxes), np.int32)
  found: list[np.ndarray] = []
  for first, box in enumerate(boxes):
    if grouped[first]:
      continue
    last = np.searchsorted(boxes[:, 0], box[0] + limit)
    near = boxes[first:last]
    fits = (
      (grouped[first:last] == 0)
      & (near[:, 1] >= box[1])
      & (near[:, 2:] <= box[:2] + limit).all(1)
    )
    joined = near[fits]
    found.append(np.r_[joined[:, :2].min(0), joined[:, 2:].max(0)])
    grouped[first:last][fits] = len(found)
  group_of = np.zeros(count, np.int32)
  group_of[1 + order] = grouped
  return group_of[labels], np.array(found, np.int64).reshape(-1, 4)


def place(
  box: np.ndarray, shape: tuple[int, ...], *, size: int, side: int
) -> tuple[int, int]:
  """Where the window of a group starts.

  The group lies in its middle; but where the window would leave the image, it
  is moved back as far as the group stays inside the square. Pixels that exist
  are a better context than mirrored ones.

  Args:
    box: of the group, at most `side` high and wide.
    shape: height and width of the image.
    size: side of the window, pixels.
    side: side of the square in it, pixels.

  Returns:
    Its top and left, negative where it begins outside of the image.
  """
  edge = (size - side) // 2
  out = []
  for axis in (0, 1):
    low, high = int(box[axis]), int(box[axis + 2])
    room = shape[axis] - size
    start = (low + high - size) // 2
    start = min(max(start, min(0, room)), max(0, room))
    out.append(min(max(start, high - side - edge), low - edge))
  return out[0], out[1]


def cut(
  image: np.ndarray,
  mask: np.ndarray,
  start: tuple[int, int],
  *,
  size: int,
  side: int,
) -> tuple[np.ndarray, np.ndarray]:
  """Cuts a window out; beyond its border the image is seen mirrored.

  A model of centre holes does not know a second hole in the surroundings: there
  OpenCV's Navier-Stokes method fills it. What lies under the mask has no
  influence.

  Args:
    image: uint8 `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.
    start: the window's top and left.
    size: its side, pixels.
    side: side of the square in its centre; equal to `size` there is nothing
      outside, and nothing is filled.

  Returns:
    uint8 `[size, size, 3]`, and bool `[size, size]`, True where missing inside
    the square.

  Raises:
    InputError: nothing is known in the window.
  """
  at = np.ix_(
    *(
      _mirrored(first, size, length)
      for first, length in zip(start, mask.shape, strict=True)
    )
  )
  crop, missing = image[at], mask[at]
  if missing.all():
    raise InputError(
      f'nothing is known in the {size}x{size} pixels around a hole, all that'
      ' this model sees: shrink image and mask, or use a model for larger'
      ' images.'
    )
  inside = square(size, side)
  if (missing & ~inside).any():
    crop = np.where(missing[..., None], np.uint8(0), crop)
    crop = cv2.inpaint(crop, missing.astype(np.uint8), _RADIUS, cv2.INPAINT_NS)
  return crop, missing & inside


def _mirrored(start: int, size: int, length: int) -> np.ndarray:
  """Indices start … start + size - 1 of a line mirrored at its end pixels."""
  period = max(1, 2 * (length - 1))
  index = np.arange(start, start + size) % period
  return np.minimum(index, period - index)
