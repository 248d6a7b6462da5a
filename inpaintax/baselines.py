"""What a user would fill a hole with instead of a model.

Each takes one image, uint8 `[H, W, 3]`, and one mask, bool `[H, W]`, True =
missing, and returns a new uint8 `[H, W, 3]` whose known pixels are the image's,
bit for bit. On the host.
"""

from collections.abc import Callable

import cv2
import numpy as np
from skimage import restoration

from inpaintax import errors

# How far around a pixel OpenCV's two methods look, in pixels.
RADIUS = 3


def mean(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Fills with the mean colour of the known pixels.

  Args:
    image: uint8 `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.

  Returns:
    uint8 `[H, W, 3]`.

  Raises:
    ValueError: a shape or type differs from the above.
    InputError: no pixel is known.
  """
  _check(image, mask)
  colour = image[~mask].mean(0).round().astype(np.uint8)
  return _composite(np.broadcast_to(colour, image.shape), image, mask)


def telea(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Fast marching from the border inwards, radius 3, by OpenCV.

  Args:
    image: uint8 `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.

  Returns:
    uint8 `[H, W, 3]`.

  Raises:
    ValueError: a shape or type differs from the above.
    InputError: no pixel is known.

  Source: Telea 2004, "An image inpainting technique based on the fast marching
  method", J. Graphics Tools 9(1).
  """
  return _opencv(image, mask, cv2.INPAINT_TELEA)


def navier_stokes(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Isophotes carried inwards as by a fluid, radius 3, by OpenCV.

  Args:
    image: uint8 `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.

  Returns:
    uint8 `[H, W, 3]`.

  Raises:
    ValueError: a shape or type differs from the above.
    InputError: no pixel is known.

  Source: Bertalmio, Bertozzi, Sapiro 2001, "Navier-Stokes, fluid dynamics, and
  image and video inpainting", CVPR.
  """
  return _opencv(image, mask, cv2.INPAINT_NS)


def biharmonic(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """The smooth surface whose squared Laplacian vanishes, by scikit-image.

  Recovers a linear ramp exactly. A sparse linear system per channel: slow for
  holes of many thousand pixels.

  Args:
    image: uint8 `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.

  Returns:
    uint8 `[H, W, 3]`.

  Raises:
    ValueError: a shape or type differs from the above.
    InputError: no pixel is known.

  Source: Damelin, Hoang 2018, "On surface completion and image inpainting by
  biharmonic functions", arXiv:1707.06567.
  """
  _check(image, mask)
  blank = _blank(image, mask)
  filled = restoration.inpaint_biharmonic(blank, mask, channel_axis=-1)
  filled = np.round(255 * np.clip(filled, 0, 1)).astype(np.uint8)
  return _composite(filled, image, mask)


BASELINES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
  'mean': mean,
  'telea': telea,
  'ns': navier_stokes,
  'biharmonic': biharmonic,
}


def _opencv(image: np.ndarray, mask: np.ndarray, method: int) -> np.ndarray:
  _check(image, mask)
  blank = _blank(image, mask)
  filled = cv2.inpaint(blank, mask.astype(np.uint8), RADIUS, method)
  return _composite(filled, image, mask)


def _blank(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """A writable copy without what is under the mask.

  OpenCV reads missing pixels where a hole touches the image's border; which
  grey they then have matters little, what the photograph has there must not.
  """
  return np.where(mask[..., None], np.uint8(128), image)


def _check(image: np.ndarray, mask: np.ndarray) -> None:
  if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
    raise ValueError(
      f'image must be uint8 [H, W, 3], got {image.dtype} {image.shape}.'
    )
  if mask.dtype != bool or mask.shape != image.shape[:2]:
    raise ValueError(
      f'mask must be bool {image.shape[:2]}, got {mask.dtype} {mask.shape}.'
    )
  if mask.all():
    raise errors.InputError(
      'every pixel is missing: the mask must leave some known.'
    )


def _composite(
  filled: np.ndarray, image: np.ndarray, mask: np.ndarray
) -> np.ndarray:
  return np.where(mask[..., None], filled, image)
