"""Image files in and out; uint8 to [-1, 1] and back.

Every program reads pictures through `decode`, so that a photograph means the
same pixels in training, evaluation and restoration: see `images.decoding` for
what becomes of orientation, transparency, 16 bits and the rest.
"""

import os
import pathlib
import stat
import threading

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from PIL import Image

from inpaintax.errors import InputError
from inpaintax.images.decoding import MAX_PIXELS as MAX_PIXELS
from inpaintax.images.decoding import decode as decode
from inpaintax.images.decoding import decode_deep as decode_deep
from inpaintax.images.decoding import to_8_bit as to_8_bit
from inpaintax.images.encoding import encode_deep
from inpaintax.images.folders import files_below as files_below
from inpaintax.images.folders import printable as printable
from inpaintax.images.metadata import SPACES, space
from inpaintax.images.metadata import Metadata as Metadata
from inpaintax.images.metadata import count_pictures as count_pictures
from inpaintax.images.metadata import read_metadata as read_metadata
from inpaintax.images.resizing import resize_mask as resize_mask
from inpaintax.images.resizing import resize_short_side as resize_short_side
from inpaintax.images.resizing import resized_shape as resized_shape

# What files of images are called, in folders and in archives.
SUFFIXES = (
  '.avif',
  '.bmp',
  '.gif',
  '.heic',
  '.heif',
  '.jfif',
  '.jpe',
  '.jpeg',
  '.jpg',
  '.pbm',
  '.pgm',
  '.png',
  '.pnm',
  '.ppm',
  '.tif',
  '.tiff',
  '.webp',
)

# Of those, the ones that are not written.
_READ_ALONE = ('.heic', '.heif', '.pbm', '.pnm')
# And the ones that hold 16 bit a channel.
DEEP_SUFFIXES = ('.png', '.tif', '.tiff')

_MASK_THRESHOLD = 128
# Greys that are neither black nor white: the soft rim of a brush has them, a
# photograph is full of them.
_DARK, _FEW_BETWEEN = 48, 0.25


def read(path: str | os.PathLike) -> np.ndarray:
  """Reads one image file.

  Args:
    path: the file.

  Returns:
    uint8 `[H, W, 3]`, RGB, upright; see `decode`.

  Raises:
    InputError: the file cannot be read or decoded.
  """
  return decode(_bytes_of(path), name=printable(path))


def read_deep(path: str | os.PathLike) -> np.ndarray:
  """Reads one image file with all of its bits.

  Args:
    path: the file.

  Returns:
    uint8 or uint16, `[H, W]` (grey) or `[H, W, 3]` (RGB), upright; see
    `decode_deep`.

  Raises:
    InputError: the file cannot be read or decoded.
  """
  return decode_deep(_bytes_of(path), name=printable(path))


def read_mask(path: str | os.PathLike) -> np.ndarray:
  """Reads a mask: white is missing, black is known.

  A pixel is missing where its grey (`to_grey`) is 128 or more. Transparent
  parts count as known: a mask may be painted in white on a transparent layer.

  Args:
    path: an image file of any kind that `read` accepts.

  Returns:
    bool `[H, W]`, True where a pixel is missing.

  Raises:
    InputError: the file cannot be read or decoded, or what it marks is not
      white. Of what seems to be a photograph a warning is logged.
  """
  name = printable(path)
  data = _bytes_of(path)
  grey = to_grey(decode(data, name=name, background=0))
  if not grey.any():
    # Of 16 bit, what is so dark that 8 bit are black: the same mistake.
    deep = decode_deep(data, name=name)
    if deep.dtype == np.uint16 and 0 < deep.max() < _MASK_THRESHOLD:
      grey = deep
  if 0 < grey.max() < _MASK_THRESHOLD:
    # Class indices saved as pixels, or a mask in red. By the rule they mean
    # "nothing is missing", and the picture would come back untouched.
    raise InputError(
      f'{name}: the brightest pixel of the mask has a grey of {grey.max()}, and'
      f' missing is from {_MASK_THRESHOLD} on: make what is to be filled white'
    )
  between = ((grey >= _DARK) & (grey < 256 - _DARK)).mean()
  if between > _FEW_BETWEEN:
    logging.warning(
      '%s: %.0f %% of it is neither black nor white: is it a mask? A grey of %d'
      ' and more is missing.',
      name,
      100 * between,
      _MASK_THRESHOLD,
    )
  return grey >= _MASK_THRESHOLD


def to_grey(rgb: np.ndarray) -> np.ndarray:
  """(299 R + 587 G + 114 B) / 1000, rounded.

  Args:
    rgb: uint8 `[H, W, 3]`.

  Returns:
    uint8 `[H, W]`; an image of equal channels gives one of them back.

  Source: ITU-R BT.601, luma.

  >>> to_grey(np.array([[[255, 0, 0], [7, 7, 7]]], np.uint8)).tolist()
  [[76, 7]]
  """
  assert rgb.dtype == np.uint8, rgb.dtype
  weights = np.array([299, 587, 114], np.uint32)
  return ((rgb.astype(np.uint32) @ weights + 500) // 1000).astype(np.uint8)


def write(
  path: str | os.PathLike,
  array: np.ndarray,
  *,
  metadata: Metadata | None = None,
) -> None:
  """Writes one image; under its final name there is never half a file.

  Args:
    path: where to; its suffix chooses the format, `.png` keeps every bit.
      Missing folders are made.
    array: uint8 or uint16, `[H, W, 3]` (RGB) or `[H, W]` (grey).
    metadata: to keep with it, as far as the format can; 16-bit colours in a
      TIFF are written without. A grey image with a profile of RGB is written as
      RGB, but not one of 16 bit in a TIFF; else a profile for other channels is
      left out.

  Raises:
    AssertionError: the array's shape or type differs from the above.
    InputError: the suffix is not one of `SUFFIXES`, or its format has no 16
      bit or no room for so large an image, or the folder is a file.
    OSError: the file cannot be written.
  """
  array = np.asarray(array)
  chex.assert_rank(array, {2, 3})
  assert array.dtype in (np.uint8, np.uint16), array.dtype
  if array.ndim == 3:
    chex.assert_axis_dimension(array, 2, 3)
  path = pathlib.Path(path)
  suffix = path.suffix.lower()
  known = [name for name in SUFFIXES if name not in _READ_ALONE]
  if suffix not in known:
    raise InputError(
      f'{printable(path)}: cannot write an image with the suffix '
      f'{path.suffix!r}; use one of {" ".join(known)}'
    )
  deep = array.dtype == np.uint16
  if deep and suffix not in DEEP_SUFFIXES:
    raise InputError(
      f'{printable(path)}: 16-bit images need one of {" ".join(DEEP_SUFFIXES)}'
    )
  if path.parent.exists() and not path.parent.is_dir():
    raise InputError(f'{printable(path.parent)} is a file, not a folder.')
  path.parent.mkdir(parents=True, exist_ok=True)
  # In the same folder, since only there a rename is atomic; with its suffix,
  # since that chooses the format; without its name, which may be as long as a
  # name can be.
  part = path.with_name(
    f'.part-{os.getpid()}-{threading.get_ident()}{path.suffix}'
  )
  try:
    metadata = metadata or Metadata()
    colours = space(metadata.icc_profile)
    stays = not deep or suffix == '.png'
    if array.ndim == 2 and colours == SPACES[3] and stays:
      array = np.stack([array] * 3, axis=-1)
    if colours != SPACES[array.ndim]:
      metadata = metadata._replace(icc_profile=None)
    if deep and array.ndim == 3:
      name = printable(path)
      data = encode_deep(array, suffix, name=name, metadata=metadata)
      part.write_bytes(data)
    else:
      Image.fromarray(array).save(part, **metadata.given())
    os.replace(part, path)
  except ValueError as error:
    raise InputError(f'{printable(path)} cannot be written: {error}') from error
  except OSError as error:
    if error.errno is None:  # Pillow's own, which names no file.
      raise OSError(f'{printable(path)} cannot be written: {error}') from error
    # Of the file, not of the part.
    raise OSError(error.errno, error.strerror, str(path)) from error
  finally:
    part.unlink(missing_ok=True)


def to_float(image: jax.typing.ArrayLike) -> jax.Array:
  """Maps 0..255 to [-1, 1]: x / 127.5 - 1. Works under `jit`.

  Args:
    image: uint8, any shape.

  Returns:
    float32, same shape, in [-1, 1].

  Raises:
    AssertionError: `image` is not uint8.
  """
  chex.assert_type(image, jnp.uint8)
  return jnp.asarray(image, jnp.float32) / 127.5 - 1.0


def to_uint8(image: jax.typing.ArrayLike) -> jax.Array:
  """Maps [-1, 1] to 0..255, the inverse of `to_float`. Works under `jit`.

  Values outside are clipped; halves are rounded to even.

  Args:
    image: float, any shape, nominally in [-1, 1].

  Returns:
    uint8, same shape.

  Raises:
    AssertionError: `image` is not float.
  """
  chex.assert_type(image, float)
  levels = jnp.round((jnp.asarray(image, jnp.float32) + 1.0) * 127.5)
  return jnp.clip(levels, 0.0, 255.0).astype(jnp.uint8)


def _bytes_of(path: str | os.PathLike) -> bytes:
  """The content of a file."""
  try:
    # A pipe would be waited for, maybe for ever; /dev/zero never ends.
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
      raise InputError(f'{printable(path)}: is not a regular file')
    return pathlib.Path(path).read_bytes()
  except OSError as error:
    reason = error.strerror or error
    raise InputError(f'{printable(path)}: cannot read: {reason}') from error
