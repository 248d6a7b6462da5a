"""What a photograph's file says beside its pixels."""

import struct

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin
from PIL.ExifTags import IFD, Base

from inpaintax import images


@pytest.fixture
def image():
  return np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)


def profile_of(space):
  """No more of a profile than its header."""
  return bytes(16) + space + bytes(108)


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_what_colours_mean_is_kept(tmp_path, image, suffix):
  path = tmp_path / f'a{suffix}'
  grey = image[..., 0]
  ink = tmp_path / 'ink.tif'
  Image.new('CMYK', (4, 4)).save(ink, icc_profile=profile_of(b'CMYK'))
  assert images.read_metadata(ink).icc_profile is None
  for array, space, kept in (
    (image, b'RGB ', True),
    (grey, b'GRAY', True),
    (grey.astype(np.uint16), b'GRAY', True),
    # A black and white photograph, as programs for photographs save it.
    (grey, b'RGB ', True),
    # A profile of other channels would make a file that few can show: of grey
    # one, or of 16-bit colours, which a TIFF gets without any.
    (grey.astype(np.uint16), b'RGB ', suffix == '.png'),
    (image, b'GRAY', False),
    (image.astype(np.uint16), b'RGB ', suffix == '.png'),
  ):
    given = profile_of(space)
    metadata = images.Metadata(given)
    images.write(path, array, metadata=metadata)
    read = images.read_metadata(path)
    assert read.icc_profile == (given if kept else None)
    # A format without any.
    if array.dtype == np.uint8:
      images.write(tmp_path / 'a.bmp', array, metadata=metadata)


def with_thumbnail(exif, thumbnail):
  """EXIF with a second directory, as cameras write it; Pillow writes none."""
  data = bytearray(exif.tobytes())
  # Places count from the header, after the word Exif; the first directory
  # stands behind the header's 8 bytes and ends with the place of the next.
  order = '<' if data[6:8] == b'II' else '>'
  (count,) = struct.unpack_from(order + 'H', data, 14)
  place = len(data) - 6
  struct.pack_into(order + 'L', data, 16 + 12 * count, place)
  entry = lambda tag, value: struct.pack(order + 'HHLL', tag, 4, 1, value)
  start = place + 2 + 2 * 12 + 4
  data += struct.pack(order + 'H', 2)
  data += entry(0x201, start) + entry(0x202, len(thumbnail)) + bytes(4)
  return bytes(data) + thumbnail


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.jpg', '.webp'])
def test_who_took_it_is_kept_and_no_picture_of_what_was_there(
  tmp_path, image, suffix
):
  exif = Image.Exif()
  exif[Base.Make], exif[Base.Orientation] = 'Maker', 6
  taken = exif.get_ifd(IFD.Exif)
  taken[Base.DateTimeOriginal] = '2026:11:26 12:00:00'
  taken[Base.MakerNote], taken[Base.ExifImageWidth] = b'SECRET note', 13
  exif.get_ifd(IFD.GPSInfo)[1] = 'N'
  photo, path = tmp_path / 'photo.jpg', tmp_path / f'a{suffix}'
  with_all = with_thumbnail(exif, b'SECRET thumbnail')
  Image.fromarray(image).save(photo, exif=with_all, dpi=(300, 200))
  with Image.open(photo) as picture:  # The test's own EXIF is a sound one.
    first = picture.getexif().get_ifd(IFD.IFD1)
    assert first[0x202] == len(b'SECRET thumbnail')
  metadata = images.read_metadata(photo)
  images.write(path, images.read(photo), metadata=metadata)

  assert images.read(path).shape == (13, 9, 3)
  assert b'SECRET' not in path.read_bytes()
  with Image.open(path) as picture:
    found = picture.getexif()
    assert found[Base.Make] == 'Maker'
    assert found.get_ifd(IFD.GPSInfo) == {1: 'N'}
    # A TIFF's say how its own pixels lie.
    assert Base.Orientation not in found
    assert found.get_ifd(IFD.Exif) == {
      Base.DateTimeOriginal: '2026:11:26 12:00:00'
    }
    if suffix != '.webp':  # Which has no resolution.
      assert picture.info['dpi'] == pytest.approx((200, 300), abs=0.02)


def test_how_the_pixels_of_a_tiff_lie_is_not_kept(tmp_path, image):
  Image.fromarray(image).save(tmp_path / 'a.tif', compression='tiff_lzw')
  metadata = images.read_metadata(tmp_path / 'a.tif')
  assert metadata.exif is None
  images.write(tmp_path / 'b.tif', image, metadata=metadata)
  np.testing.assert_array_equal(images.read(tmp_path / 'b.tif'), image)


def test_a_damaged_exif_costs_no_photograph(tmp_path, image):
  exif = Image.Exif()
  exif[Base.Make] = 'Maker'
  exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = '2026:11:26 12:00:00'
  whole = exif.tobytes()
  for end in range(len(whole) + 1):
    path = tmp_path / 'a.png'
    Image.fromarray(image).save(path, exif=whole[:end] + bytes(len(whole)))
    metadata = images.read_metadata(path)
    images.write(tmp_path / 'b.tif', images.read(path), metadata=metadata)
    np.testing.assert_array_equal(images.read(tmp_path / 'b.tif'), image)


@pytest.mark.parametrize(
  'dpi', [((0,), (72,)), ((72,), (0, 0)), ((72,), (10**9,))]
)
def test_a_resolution_without_sense_is_left_out(tmp_path, image, dpi):
  path = tmp_path / 'a.tif'
  rational = [TiffImagePlugin.IFDRational(*n) for n in dpi]
  Image.fromarray(image).save(path, dpi=rational)
  metadata = images.read_metadata(path)
  assert metadata.dpi is None
  for suffix in ('.png', '.jpg', '.bmp', '.tif', '.ppm', '.gif'):
    images.write(tmp_path / f'b{suffix}', image, metadata=metadata)
