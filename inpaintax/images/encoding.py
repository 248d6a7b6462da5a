"""Colours of 16 bit into a file, which Pillow does not write."""

import io
from collections.abc import Iterator

import cv2
import numpy as np
from absl import logging
from PIL import Image

from inpaintax.errors import InputError
from inpaintax.images.metadata import Metadata

# Of a PNG: its signature and first chunk, behind which others may stand.
_HEAD = 8 + 25


def encode_deep(
  array: np.ndarray, suffix: str, *, name: str, metadata: Metadata
) -> bytes:
  """Encodes an image of 16 bit a colour.

  Args:
    array: uint16 `[H, W, 3]`, RGB.
    suffix: of the file: `.png`, `.tif` or `.tiff`.
    name: what to call the image in errors.
    metadata: to keep with it. A TIFF is written without: of what is lost a
      warning is logged.

  Returns:
    The file's bytes.

  Raises:
    InputError: it cannot be encoded.
  """
  try:
    whole, data = cv2.imencode(suffix, cv2.cvtColor(array, cv2.COLOR_RGB2BGR))
  except cv2.error:
    whole = False
  if not whole:
    size = 'x'.join(map(str, array.shape[1::-1]))
    raise InputError(f'{name} cannot be written: {size} pixels of 16 bit')
  encoded = data.tobytes()
  if suffix == '.png':
    return encoded[:_HEAD] + b''.join(_chunks(metadata)) + encoded[_HEAD:]
  if any(value is not None for value in metadata):
    logging.warning(
      '%s: a TIFF of 16-bit colours is written without profile, resolution and'
      ' EXIF: write a PNG to keep them.',
      name,
    )
  return encoded


def _chunks(metadata: Metadata) -> Iterator[bytes]:
  """What Pillow says of an image, in a PNG, beside its pixels."""
  out = io.BytesIO()
  Image.new('RGB', (1, 1)).save(out, 'PNG', **metadata.given())
  data, place = out.getvalue(), _HEAD
  while place < len(data):
    # Length, kind, content, checksum.
    end = place + 12 + int.from_bytes(data[place : place + 4])
    if data[place + 4 : place + 8] not in (b'IDAT', b'IEND'):
      yield data[place:end]
    place = end
