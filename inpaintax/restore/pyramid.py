"""An image with holes at several scales. On the host."""

import cv2
import numpy as np


def scales(
  image: np.ndarray, mask: np.ndarray, *, limit: float
) -> list[tuple[np.ndarray, np.ndarray]]:
  """An image and its holes at full size, half of it, and so on.

  Args:
    image: float32 `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.
    limit: the scales end where no missing pixel is further from a known one,
      pixels.

  Returns:
    (image, mask) of each scale. A cell of 2x2 pixels is the mean of them, and
    missing if one of them is.
  """
  found = [(image, mask)]
  while _depth(found[-1][1]) > limit:
    image, mask = found[-1]
    edges = [(0, n % 2) for n in mask.shape]
    image = np.pad(image, [*edges, (0, 0)], 'edge')
    mask = np.pad(mask, edges, 'edge')
    height, width = (n // 2 for n in mask.shape)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    cells = mask.reshape(height, 2, width, 2)
    found.append((np.asarray(small), np.asarray(cells.any((1, 3)))))
  return found


def _depth(mask: np.ndarray) -> float:
  """Greatest distance of a missing pixel from a known one; 0 for none known."""
  if mask.all():
    return 0.0
  distances = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_C, 3)
  return float(distances.max())


def finer(
  coarser: np.ndarray, start: np.ndarray, missing: np.ndarray
) -> np.ndarray:
  """The fill of one scale in the image of the next finer one.

  Args:
    coarser: float32 `[h, w, 3]`, filled, of half the size.
    start: float32 `[H, W, 3]`.
    missing: bool `[H, W]`, True = missing.

  Returns:
    float32 `[H, W, 3]`: `start` with its holes as in `coarser`, enlarged.
  """
  height, width = missing.shape
  size = (2 * coarser.shape[1], 2 * coarser.shape[0])
  large = cv2.resize(coarser, size, interpolation=cv2.INTER_LINEAR)
  return np.where(missing[..., None], large[:height, :width], start)
