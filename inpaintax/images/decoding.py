"""The one decoder: any image file to 8-bit RGB, the same in every program.

- The result is upright: the EXIF orientation is applied, if it can be read.
- Grey becomes three equal channels; palette, CMYK and 1-bit are converted.
- Transparent pixels are seen over white, as a page would show them.
- 16 bit becomes 8 bit by scaling, v / 257 rounded, never by clipping. The 10
  and 12 bit of AVIF and HEIC become 8 bit in their decoders.
- Of an animation or a multi-page file, the first picture.
- Not read at all: 32-bit integer and floating-point pixels, whose white is
  anybody's guess, and pictures of more than `MAX_PIXELS`.
"""

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from inpaintax.errors import InputError
from inpaintax.images import heic, metadata

# 256 MiB of RGB. Checked against the header: a bomb is never unpacked.
MAX_PIXELS = 89_478_485

# How a TIFF begins: little and big end first, and for more than 4 GiB.
_TIFF = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
# Its tags.
_BITS, _PHOTOMETRIC, _PLANES, _EXTRA = 258, 262, 284, 338
_FORMATS = ('JPEG', 'PNG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM', 'AVIF')

# Batches are made by several threads already.
cv2.setNumThreads(1)


def decode(data: bytes, *, name: str, background: int = 255) -> np.ndarray:
  """Decodes one image file by the policy of this module.

  Args:
    data: the file's bytes: JPEG, PNG, BMP, GIF, TIFF, WebP, PPM, AVIF, or HEIC
      with the extra `heic`.
    name: what to call the image in errors: its path, as a rule.
    background: grey behind transparent pixels: 255 (white) or 0 (black).

  Returns:
    uint8 `[H, W, 3]`, RGB, upright.

  Raises:
    InputError: empty, truncated, not an image, too large, or of a pixel type
      without a known white; the message names the image.
  """
  size = _plain_jpeg_size(data)
  if size is not None:
    _check_size(*size, name)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is not None:
      return image
  pixels, orientation = _decoded(data, name)
  image = _to_rgb(pixels, background)
  return np.ascontiguousarray(_upright(to_8_bit(image), orientation))


def to_8_bit(image: np.ndarray) -> np.ndarray:
  """16 bit becomes 8 bit: v / 257, rounded.

  Args:
    image: uint8 or uint16.

  Returns:
    uint8, of the same shape; of 8 bit, the image itself.

  Raises:
    AssertionError: `image` is of another type.
  """
  if image.dtype == np.uint8:
    return image
  assert image.dtype == np.uint16, image.dtype
  return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)


def decode_deep(data: bytes, *, name: str) -> np.ndarray:
  """Decodes one image file and keeps its bits: as `decode`, but

  - 16 bit stays 16 bit, except the colours of a PPM,
  - an image of three equal channels becomes one.

  Args:
    data: the file's bytes.
    name: what to call the image in errors.

  Returns:
    uint8 or uint16, `[H, W]` or `[H, W, 3]`, upright.

  Raises:
    InputError: as `decode`.
  """
  pixels, orientation = _decoded(data, name)
  image = _upright(_to_rgb(pixels, 255), orientation)
  grey = (image == image[..., :1]).all()
  return np.ascontiguousarray(image[..., 0] if grey else image)


def _decoded(data: bytes, name: str) -> tuple[np.ndarray, int]:
  """`_pixels`, whose every failure names the image."""
  if not data:
    raise InputError(f'{name}: the file is empty')
  try:
    return _pixels(data, name)
  except InputError:
    raise
  except UnidentifiedImageError as error:
    if heic.boxed(data):  # Cut off, their plugins do not know them.
      raise InputError(f'{name}: cannot decode: not whole') from error
    if data[:4] in _TIFF:
      raise InputError(
        f'{name}: a TIFF of a kind that is not read: convert it to 8 or 16 bit,'
        ' grey or RGB'
      ) from error
    raise InputError(
      f'{name}: not an image of a known kind ({", ".join(_FORMATS)}, HEIC)'
    ) from error
  except Exception as error:  # Pillow's plugins raise whatever they like.
    reason = ' '.join(str(error).split())
    raise InputError(f'{name}: cannot decode: {reason}') from error


def _check_size(width: int, height: int, name: str) -> None:
  """Refuses bombs."""
  if width * height > MAX_PIXELS:
    raise InputError(
      f'{name}: {width}x{height} pixels are more than the limit of '
      f'{MAX_PIXELS}: shrink the image first'
    )


def _plain_jpeg_size(data: bytes) -> tuple[int, int] | None:
  """(width, height) of a JPEG that OpenCV decodes exactly as Pillow does.

  OpenCV is two to three times as fast, but has its own mind about orientation,
  colour spaces and truncated files. So None, to be on the safe side, unless the
  file is whole (ends with its end marker), is grey or YCbCr with 8 bits, and
  holds neither EXIF nor Adobe's colour transform.
  """
  if data[:2] != b'\xff\xd8' or data[-2:] != b'\xff\xd9':
    return None
  place = 2
  while place + 10 <= len(data) and data[place] == 0xFF:
    marker = data[place + 1]
    length = int.from_bytes(data[place + 2 : place + 4])
    if marker in (0xE1, 0xEE):  # APP1: EXIF or XMP. APP14: Adobe.
      return None
    if marker in (0xC0, 0xC1, 0xC2):  # Baseline, extended, progressive.
      bits, channels = data[place + 4], data[place + 9]
      height = int.from_bytes(data[place + 5 : place + 7])
      width = int.from_bytes(data[place + 7 : place + 9])
      plain = bits == 8 and channels in (1, 3) and width and height
      return (width, height) if plain else None
    if marker == 0xDA or length < 2:  # Pixels before a size: not for us.
      return None
    place += 2 + length
  return None


def _pixels(data: bytes, name: str) -> tuple[np.ndarray, int]:
  """Raw samples, uint8 or uint16 `[H, W]` or `[H, W, C]`, and orientation."""
  formats = [heic.FORMAT] if heic.prepare(data, name) else _FORMATS
  with Image.open(io.BytesIO(data), formats=formats) as picture:
    assert isinstance(picture, ImageFile.ImageFile)  # As all that is opened.
    _check_size(*picture.size, name)
    deep = picture.mode in ('LA', 'RGB', 'RGBA') and _is_16_bit(picture)
    tags = _tags(picture)
    _check_planes(tags, name)
    picture.load()
    # After `load`: some of Pillow's plugins turn the picture there themselves.
    orientation = metadata.orientation(picture)
    if deep:
      # Pillow keeps the high byte only of 16-bit samples in colour.
      pixels = _deep_pixels(data, name)
      # The fourth channel of a TIFF need not say what is transparent.
      opaque = tags and picture.mode == 'RGB'
      return pixels[..., :3] if opaque else pixels, orientation
    if picture.mode.startswith('I;16'):
      return _deep_greys(picture, tags), orientation
    if picture.mode == 'I' and picture.format == 'PPM':
      # Scaled to 16 bits by Pillow, from the white that the file names.
      return np.asarray(picture).astype(np.uint16), orientation
    if picture.mode in ('I', 'F'):
      raise InputError(
        f'{name}: pixels of 32 bit, or with a sign, have no known white:'
        ' convert the image to 8 or 16 bit'
      )
    mode = 'RGBA' if picture.has_transparency_data else 'RGB'
    return np.asarray(picture.convert(mode)), orientation


def _tags(picture: ImageFile.ImageFile) -> dict[int, Any]:
  """Of a TIFF, by their numbers; none of other files."""
  return getattr(picture, 'tag_v2', {}) if picture.format == 'TIFF' else {}


def _check_planes(tags: dict[int, Any], name: str) -> None:
  """Refuses what neither Pillow nor OpenCV reads right with 16 bit."""
  bits = tags.get(_BITS, 8)
  if max(bits if isinstance(bits, tuple) else (bits,)) <= 8:
    return
  extra = tags.get(_EXTRA, ())
  premultiplied = 1 in (extra if isinstance(extra, tuple) else (extra,))
  if tags.get(_PLANES) == 2 or premultiplied:
    kind = 'premultiplied transparency' if premultiplied else 'separate planes'
    raise InputError(
      f'{name}: a TIFF of 16 bit with {kind} is not read: save it without, or'
      ' as PNG'
    )


def _deep_greys(
  picture: ImageFile.ImageFile, tags: dict[int, Any]
) -> np.ndarray:
  """16-bit greys, uint16 `[H, W]`, or `[H, W, 4]` where one is transparent."""
  greys = np.asarray(picture).astype(np.uint16)
  if tags.get(_PHOTOMETRIC) == 0:  # White is 0.
    greys = ~greys
  clear = picture.info.get('transparency')
  if not isinstance(clear, int):
    return greys
  white = np.uint16(np.iinfo(np.uint16).max)
  return np.dstack([greys] * 3 + [np.where(greys == clear, 0, white)])


def _is_16_bit(picture: ImageFile.ImageFile) -> bool:
  """Whether the file holds 16-bit samples, whatever Pillow's mode says."""
  # The first of a tile's arguments names how samples lie in the file.
  for tile in picture.tile:
    raw = tile.args[0] if isinstance(tile.args, tuple) else tile.args
    if isinstance(raw, str) and ';16' in raw:
      return True
  return False


def _deep_pixels(data: bytes, name: str) -> np.ndarray:
  """16-bit samples in colour, uint16 `[H, W, 3]` or `[H, W, 4]`."""
  pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
  if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
    raise InputError(
      f'{name}: cannot decode its 16-bit colours: convert the image to 8 bit'
    )
  to_rgb = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
  return cv2.cvtColor(pixels, to_rgb)


def _to_rgb(pixels: np.ndarray, background: int) -> np.ndarray:
  """uint8 or uint16, with 1, 3 or 4 channels, to RGB of the same type."""
  if pixels.ndim == 2:
    pixels = np.repeat(pixels[..., None], 3, axis=2)
  white = np.uint32(np.iinfo(pixels.dtype).max)
  if pixels.shape[2] == 4:
    # Just fits: 65535 * 65535 + 32767 < 2**32.
    colour = pixels[..., :3].astype(np.uint32)
    alpha = pixels[..., 3:].astype(np.uint32)
    behind = white if background else np.uint32(0)
    blend = colour * alpha + behind * (white - alpha)
    pixels = ((blend + white // 2) // white).astype(pixels.dtype)
  return pixels


def _upright(image: np.ndarray, orientation: int) -> np.ndarray:
  """Undoes an EXIF orientation, 1 to 8; others mean nothing and are ignored."""
  if orientation in (5, 6, 7, 8):
    image = image.swapaxes(0, 1)
  if orientation in (3, 4, 7, 8):
    image = image[::-1]
  if orientation in (2, 3, 6, 7):
    image = image[:, ::-1]
  return image
