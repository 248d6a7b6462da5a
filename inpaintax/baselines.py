"""What a user would take instead of a model. On the host.

To fill a hole (`BASELINES`): each takes one image, uint8 `[H, W, 3]`, and one
mask, bool `[H, W]`, True = missing, and returns a new uint8 `[H, W, 3]` whose
known pixels are the image's, bit for bit.

To take noise off (`DENOISERS`): each takes one image, float32 `[H, W]`, on the
scale of 0..255, and the noise's standard deviation on that scale, and returns
float32 `[H, W]`, not clipped.
"""

from collections.abc import Callable

import cv2
import numpy as np
from scipy import ndimage
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
  image, mask = _checked(image, mask)
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
  image, mask = _checked(image, mask)
  blank = _blank(image, mask)
  filled = restoration.inpaint_biharmonic(blank, mask.copy(), channel_axis=-1)
  filled = np.round(255 * np.clip(filled, 0, 1)).astype(np.uint8)
  return _composite(filled, image, mask)


BASELINES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
  'mean': mean,
  'telea': telea,
  'ns': navier_stokes,
  'biharmonic': biharmonic,
}


def nl_means(noisy: np.ndarray, sigma: float) -> np.ndarray:
  """Non-local means: each pixel the mean of those whose patches are like its.

  Patches of 5, within 6 pixels, h = 0.6 sigma: the best of 0.4, 0.6 and 0.8 on
  three training images.

  Args:
    noisy: float32 `[H, W]`, 0..255.
    sigma: standard deviation of the noise, above 0.

  Returns:
    float32 `[H, W]`.

  Raises:
    ValueError: `noisy` is of another type or rank, or `sigma` out of range.

  Source: Buades, Coll and Morel 2005, "A non-local algorithm for image
  denoising".
  """
  _check_noisy(noisy, sigma)
  denoised = restoration.denoise_nl_means(
    noisy, patch_size=5, patch_distance=6, h=0.6 * sigma, sigma=sigma
  )
  # scikit-image drops sides of a single pixel.
  return denoised.reshape(noisy.shape).astype(np.float32)


def total_variation(noisy: np.ndarray, sigma: float) -> np.ndarray:
  """Least total variation near the image.

  The weight is 0.85 sigma: of 0.5 to 1.2, the best for 25 and near the best for
  50, on three training images.

  Args:
    noisy: float32 `[H, W]`, 0..255.
    sigma: standard deviation of the noise, above 0.

  Returns:
    float32 `[H, W]`.

  Raises:
    ValueError: `noisy` is of another type or rank, or `sigma` out of range.

  Source: Chambolle 2004, "An algorithm for total variation minimization and
  applications".
  """
  _check_noisy(noisy, sigma)
  return restoration.denoise_tv_chambolle(
    noisy.astype(np.float64), weight=0.85 * sigma
  ).astype(np.float32)


def wavelet(noisy: np.ndarray, sigma: float) -> np.ndarray:
  """Soft thresholds of wavelet coefficients, averaged over 16 shifts.

  Daubechies wavelets of length 4 on four levels, with BayesShrink thresholds:
  with the shifts, the best of five choices on three training images.

  Args:
    noisy: float32 `[H, W]`, 0..255.
    sigma: standard deviation of the noise, above 0.

  Returns:
    float32 `[H, W]`.

  Raises:
    ValueError: `noisy` is of another type or rank, or `sigma` out of range.

  Source: Chang, Yu and Vetterli 2000, "Adaptive wavelet thresholding for image
  denoising and compression"; Coifman and Donoho 1995, "Translation-invariant
  de-noising".
  """
  _check_noisy(noisy, sigma)
  import pywt  # Only here: every program would start later by it.

  levels = min(4, pywt.dwtn_max_level(noisy.shape, 'db2'))
  options = {
    'sigma': sigma,
    'wavelet': 'db2',
    'wavelet_levels': levels,
    'rescale_sigma': False,
  }
  return restoration.cycle_spin(
    noisy.astype(np.float64),
    restoration.denoise_wavelet,
    max_shifts=3,
    workers=1,
    func_kw=options,
  ).astype(np.float32)


def median(noisy: np.ndarray, sigma: float) -> np.ndarray:
  """The median of a square: 3x3 pixels below a sigma of 20, 7x7 above 40.

  Args:
    noisy: float32 `[H, W]`, 0..255.
    sigma: standard deviation of the noise, above 0.

  Returns:
    float32 `[H, W]`.

  Raises:
    ValueError: `noisy` is of another type or rank, or `sigma` out of range.
  """
  _check_noisy(noisy, sigma)
  side = 3 if sigma < 20 else 5 if sigma <= 40 else 7
  return ndimage.median_filter(noisy, size=side)


DENOISERS: dict[str, Callable[..., np.ndarray]] = {
  'nlm': nl_means,
  'wavelet': wavelet,
  'tv': total_variation,
  'median': median,
}


def _opencv(image: np.ndarray, mask: np.ndarray, method: int) -> np.ndarray:
  image, mask = _checked(image, mask)
  blank = _blank(image, mask)
  filled = cv2.inpaint(blank, mask.astype(np.uint8), RADIUS, method)
  return _composite(filled, image, mask)


def _blank(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """A writable copy without what is under the mask.

  OpenCV reads missing pixels where a hole touches the image's border; which
  grey they then have matters little, what the photograph has there must not.
  """
  return np.where(mask[..., None], np.uint8(128), image)


def _checked(
  image: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Both, as NumPy's arrays, which are read-only if they were JAX's."""
  image, mask = np.asarray(image), np.asarray(mask)
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
  return image, mask


def _check_noisy(noisy: np.ndarray, sigma: float) -> None:
  # Colours would be taken for a volume, and whole numbers for another scale.
  if noisy.dtype != np.float32 or noisy.ndim != 2:
    raise ValueError(
      f'noisy must be float32 [H, W], got {noisy.dtype} {noisy.shape}.'
    )
  if not sigma > 0:
    raise ValueError(f'sigma must be above 0, got {sigma}.')


def _composite(
  filled: np.ndarray, image: np.ndarray, mask: np.ndarray
) -> np.ndarray:
  return np.where(mask[..., None], filled, image)
