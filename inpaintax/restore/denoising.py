"""A trained denoiser of patches on images of any size."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from skimage import restoration

from inpaintax import checkpoints, models, patches

# Pixels that a model sees at a time.
_PIXELS = 2**20


def output_side(record: dict[str, Any]) -> int:
  """The side of what a denoiser gives for a patch.

  Args:
    record: of a trained one.

  Returns:
    Pixels.

  Raises:
    ValueError: the record is of another model.
  """
  options = record['generator']['options']
  if 'output_side' not in options:
    raise ValueError('this model is no denoiser of patches.')
  return options['output_side'] or record['image_size']


def best_stride(record: dict[str, Any]) -> int:
  """How far apart patches should begin.

  Args:
    record: of a trained denoiser.

  Returns:
    Pixels: 1; or for a convolutional one, which gains less from overlap, about
    a quarter of a patch, and no multiple of its cells.

  Raises:
    ValueError: the record is of another model.
  """
  out = output_side(record)
  cell = record['generator']['options'].get('cell')
  return 1 if cell is None else out // 4 // cell * cell + 1


def make_denoiser(
  trained: checkpoints.Trained,
  *,
  stride: int | None = None,
  batch_size: int | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
  """Compiles a trained denoiser into what takes noise off whole images.

  Overlapping patches are averaged with a Gaussian window.

  Args:
    trained: a network of patches.
    stride: between patches, pixels; time falls with its square. None:
      `best_stride`.
    batch_size: patches at a time; None: a million pixels' worth.

  Returns:
    `denoise(noisy) -> clean`: float32 `[H, W]`, or `[H, W, C]` with each
    channel alone, on the scale where clean pixels lie in [0, 255]; what it
    gives is not clipped. Images smaller than a patch are mirrored until they
    are as large; InputError for one without pixels.

  Raises:
    ValueError: the record is not that of a denoiser, the stride leaves gaps, or
      a batch has no patches.
  """
  record = trained.record
  module: Any = models.build(record['generator'])
  variables = jax.device_put(trained.variables)
  side = record['image_size']
  out = output_side(record)
  step = best_stride(record) if stride is None else stride
  size = max(1, _PIXELS // side**2) if batch_size is None else batch_size
  if step not in range(1, out + 1):
    raise ValueError(f'stride must be in 1..{out}, got {step}.')
  if size < 1:
    raise ValueError(f'batch_size must be at least 1, got {batch_size}.')
  window = patches.gaussian_window(out)

  @jax.jit
  def run(variables: dict[str, Any], found: jax.Array) -> jax.Array:
    pixels = found[..., None] / 127.5 - 1
    clean: Any = module.apply(variables, pixels, train=False)
    return 127.5 * (clean[..., 0] + 1)

  def model(found: np.ndarray) -> np.ndarray:
    # One size to compile for.
    padded = np.zeros((size, side, side), np.float32)
    padded[: len(found)] = found
    return np.asarray(run(variables, padded))[: len(found)]

  def plane(noisy: np.ndarray) -> np.ndarray:
    return patches.restore(
      noisy.astype(np.float32),
      model,
      side=side,
      stride=step,
      window=window,
      batch_size=size,
    )

  def denoise(noisy: np.ndarray) -> np.ndarray:
    if noisy.ndim == 2:
      return plane(noisy)
    planes = [plane(noisy[..., i]) for i in range(noisy.shape[-1])]
    return np.stack(planes, axis=-1)

  return denoise


def denoise_image(
  pixels: np.ndarray, denoise: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
  """Denoises an image of whole numbers.

  Args:
    pixels: uint8 or uint16, `[H, W]` or `[H, W, C]`.
    denoise: of `make_denoiser`.

  Returns:
    Same shape and type, clipped and rounded.

  Raises:
    ValueError: `pixels` are of another type.
    InputError: the image has no pixels.
  """
  if pixels.dtype not in (np.uint8, np.uint16):
    raise ValueError(f'pixels must be uint8 or uint16, got {pixels.dtype}.')
  white = np.float32(np.iinfo(pixels.dtype).max)
  clean = denoise(pixels.astype(np.float32) * (255 / white))
  levels = np.rint(np.clip(clean * (white / 255), 0, white))
  return levels.astype(pixels.dtype)


def estimated_sigma(pixels: np.ndarray) -> float:
  """How strong the noise of an image seems to be.

  Args:
    pixels: uint8 or uint16, `[H, W]` or `[H, W, C]`.

  Returns:
    A standard deviation in grey levels of 0..255, the mean over channels; too
    high for fine textures, too low where noise was clipped or smoothed.

  Source: Donoho and Johnstone 1994, "Ideal spatial adaptation by wavelet
  shrinkage": the median of the finest wavelet coefficients.
  """
  with warnings.catch_warnings():
    # A channel of one colour has no coefficients: nan, and much said about it.
    warnings.simplefilter('ignore', RuntimeWarning)
    found = restoration.estimate_sigma(
      np.atleast_3d(pixels) * (255 / np.iinfo(pixels.dtype).max),
      channel_axis=-1,
    )
  return float(np.nan_to_num(found).mean())
