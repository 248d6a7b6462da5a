"""Ten thousand damaged image files: no crash, no hang, no memory kept."""

import io
import os
import pathlib
import time

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image
from pngs import bomb

from inpaintax import images
from inpaintax.errors import InputError

COUNT = int(os.environ.get('MUTATIONS', '10000'))
KINDS = ('PNG', 'JPEG', 'BMP', 'GIF', 'TIFF', 'WEBP', 'PPM', 'AVIF', 'HEIF')
_MB = 2**20


def memory():
  """Bytes that this process has in memory."""
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE')


def seeds():
  """Whole files of every kind, small ones."""
  generator = np.random.default_rng(0)
  pillow_heif.register_heif_opener()
  small = generator.integers(0, 255, (6, 7, 3), np.uint8)
  array = cv2.resize(small, (57, 43), interpolation=cv2.INTER_CUBIC)
  found = []
  picture = Image.fromarray(array)
  exif = Image.Exif()
  exif[274] = 6
  for mode in ('RGB', 'L', 'P', 'RGBA', 'LA', '1', 'CMYK'):
    for kind in KINDS:
      for options in ({}, {'exif': exif, 'progressive': True}):
        out = io.BytesIO()
        try:
          picture.convert(mode).save(out, kind, **options)
        except (OSError, ValueError):
          continue
        found.append(out.getvalue())
  deep = array.astype(np.uint16) * 257
  for part in (deep, deep[..., 0]):
    found += [cv2.imencode(s, part)[1].tobytes() for s in ('.png', '.tiff')]
  return found


def mutated(data, generator):
  """One of five ways to spoil a file."""
  data = bytearray(data)
  way = generator.integers(5)
  if way == 0:  # Bits.
    for place in generator.integers(0, 8 * len(data), generator.integers(1, 9)):
      data[place // 8] ^= 1 << place % 8
  elif way == 1:  # Cut off.
    del data[generator.integers(len(data)) :]
  elif way == 2:  # A stretch overwritten.
    start = int(generator.integers(len(data)))
    part = generator.integers(0, 256, min(64, len(data) - start), np.uint8)
    data[start : start + len(part)] = part.tobytes()
  elif way == 3:  # In the header, where sizes are.
    for place in generator.integers(0, min(64, len(data)), 3):
      data[place] = generator.integers(256)
  else:  # A stretch left out, or twice there.
    start, end = sorted(generator.integers(0, len(data), 2).tolist())
    middle = data[start:end]
    data[start:end] = b'' if generator.random() < 0.5 else middle + middle
  return bytes(data)


def test_damaged_files_give_an_image_or_one_clear_error():
  files = seeds()
  assert len(files) > 40
  generator = np.random.default_rng(1)
  read = refused = 0
  slowest, begun = 0.0, None
  for number in range(COUNT):
    data = mutated(files[number % len(files)], generator)
    start = time.monotonic()
    for decode in (images.decode, images.decode_deep):
      try:
        image = decode(data, name='it')
        assert image.size <= 3 * images.MAX_PIXELS
        read += 1
      except InputError as error:
        assert str(error).startswith('it: ') and '\n' not in str(error)
        refused += 1
    slowest = max(slowest, time.monotonic() - start)
    if number == COUNT // 10:
      begun = memory()
  grown = memory() - begun
  print(
    f'{read} read, {refused} refused, slowest {slowest:.2f} s,'
    f' {grown / _MB:.0f} MB grown'
  )
  assert read > COUNT / 10 and refused > COUNT / 10
  assert slowest < 10 and grown < 100 * _MB


@pytest.mark.scenario(26)
@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize(
  ('side', 'text'), [(12_000, 0), (60_000, 0), (8, 100 * 10**6)]
)
def test_a_bomb_is_refused_before_it_is_unpacked(side, text):
  data = bomb(side, text)
  before = memory()
  with pytest.raises(InputError, match=r'^it: '):
    images.decode(data, name='it')
  assert memory() - before < 50 * _MB
