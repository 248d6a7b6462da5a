"""Images of 8 or 16 bit, grey or coloured, for models that see 8-bit RGB."""

import numpy as np

from inpaintax import images
from inpaintax.errors import InputError


def seen(image: np.ndarray) -> np.ndarray:
  """What a model sees of an image.

  Args:
    image: uint8 or uint16, `[H, W]` or `[H, W, 3]`.

  Returns:
    uint8 `[H, W, 3]`.

  Raises:
    ValueError: a type or shape differs from the above.
  """
  colours = image.shape[2:]
  whole = image.dtype in (np.uint8, np.uint16) and image.ndim in (2, 3)
  if not whole or colours not in ((), (3,)):
    raise ValueError(
      'image must be uint8 or uint16, [H, W] or [H, W, 3], got'
      f' {image.dtype} {image.shape}.'
    )
  image = images.to_8_bit(image)
  return image if colours else np.repeat(image[..., None], 3, axis=2)


def put(image: np.ndarray, mask: np.ndarray, filled: np.ndarray) -> np.ndarray:
  """Takes what was missing from what a model has filled.

  Args:
    image: of `seen`.
    mask: bool `[H, W]`, True = missing.
    filled: uint8 `[H, W, 3]`; where the image is grey, as bright counts.

  Returns:
    Of the image's shape and type, a new array; equal to it outside the mask.
  """
  if image.ndim == 2:
    filled = images.to_grey(filled)
  else:
    mask = mask[..., None]
  if image.dtype == np.uint16:
    filled = filled.astype(np.uint16) * 257
  return np.where(mask, filled, image)


def check_mask(image: np.ndarray, mask: np.ndarray) -> None:
  """Refuses a mask that no model can fill in an image.

  Args:
    image: `[H, W, ...]`.
    mask: bool `[H, W]`, True = missing.

  Raises:
    InputError: mask and image differ in size, or nothing is known.
    ValueError: the mask's type differs from the above.
  """
  if mask.dtype != bool or mask.ndim != 2:
    raise ValueError(
      f'mask must be bool [H, W], got {mask.dtype} {mask.shape}.'
    )
  if mask.shape != image.shape[:2]:
    raise InputError(
      f'the mask is {mask.shape[1]}x{mask.shape[0]} pixels, the image'
      f' {image.shape[1]}x{image.shape[0]} (width x height): make them equal.'
    )
  if mask.all():
    raise InputError(
      'the mask marks every pixel as missing: nothing is left to go on. White'
      ' is what to fill, black is what is known.'
    )
