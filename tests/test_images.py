"""The decoder's policy, format by format; masks; writing; 8 bit and float."""

import io
import os
import struct
import sys

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps
from pngs import bomb

from inpaintax import images
from inpaintax.data import sources
from inpaintax.errors import InputError
from inpaintax.images import decoding


def noise(*shape, dtype=np.uint8, seed=0):
  top = np.iinfo(dtype).max
  return np.random.default_rng(seed).integers(0, top, shape, dtype, True)


def smooth(height, width):
  """A colour picture that JPEG renders without much loss."""
  small = noise(4, 5, 3)
  return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def encode(array, kind, mode=None, **options):
  out = io.BytesIO()
  Image.fromarray(array, mode).save(out, kind, **options)
  return out.getvalue()


def pillow(data):
  with Image.open(io.BytesIO(data)) as picture:
    return np.asarray(ImageOps.exif_transpose(picture).convert('RGB'))


def decode(data):
  image = images.decode(data, name='it')
  assert image.dtype == np.uint8 and image.flags.c_contiguous
  return image


@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'TIFF', 'PPM'])
def test_a_lossless_file_gives_its_pixels(kind):
  image = noise(5, 7, 3)
  np.testing.assert_array_equal(decode(encode(image, kind)), image)


@pytest.mark.parametrize('quality', [5, 75, 100])
@pytest.mark.parametrize('subsampling', [0, 1, 2])
@pytest.mark.parametrize('progressive', [False, True])
def test_the_fast_jpeg_path_equals_the_slow_one(
  quality, subsampling, progressive
):
  data = encode(
    smooth(23, 37),
    'JPEG',
    quality=quality,
    subsampling=subsampling,
    progressive=progressive,
  )
  assert decoding._plain_jpeg_size(data) == (37, 23)
  np.testing.assert_array_equal(decode(data), pillow(data))


def test_jpegs_of_other_kinds_take_the_slow_path():
  plain = encode(smooth(8, 8), 'JPEG')
  cmyk = encode(noise(8, 8, 4), 'JPEG', 'CMYK')
  exif = Image.Exif()
  exif[0x112] = 6
  turned = encode(smooth(8, 8), 'JPEG', exif=exif)
  for data in (cmyk, turned, plain[:-2], plain + b'\0', plain[:20], b''):
    assert decoding._plain_jpeg_size(data) is None
  np.testing.assert_array_equal(decode(cmyk), pillow(cmyk))


@pytest.mark.scenario(28)
@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'TIFF', 'deep TIFF'])
def test_every_orientation_comes_out_upright(kind, orientation):
  upright = np.kron(np.eye(4, 6, 1), np.ones((8, 8)))[..., None]
  upright = np.uint8(255 * upright * [1, 1, 0])
  # How a camera held that way stores it: the inverse of what is to be done.
  inverse = {6: 8, 8: 6}.get(orientation, orientation)
  stored = np.ascontiguousarray(decoding._upright(upright, inverse))
  if kind == 'deep TIFF':
    ok, data = cv2.imencode('.tiff', stored[..., ::-1].astype(np.uint16) * 257)
    data = data.tobytes()
    # OpenCV writes no orientation: it is put where 'planar' (always 1) is.
    entry = struct.pack('<HHIHH', 284, 3, 1, 1, 0)
    assert ok and data.count(entry) == 1
    new = struct.pack('<HHIHH', 274, 3, 1, orientation, 0)
    data = sorted_tags(data.replace(entry, new))
  else:
    exif = Image.Exif()
    exif[0x112] = orientation
    data = encode(stored, kind, exif=exif)
  image = decode(data)
  assert image.shape == upright.shape
  assert np.abs(image.astype(int) - upright).mean() < 4


def sorted_tags(data):
  """A little-endian TIFF with the entries of its directory in order."""
  start = struct.unpack_from('<I', data, 4)[0]
  (count,) = struct.unpack_from('<H', data, start)
  begin, end = start + 2, start + 2 + 12 * count
  entries = [data[i : i + 12] for i in range(begin, end, 12)]
  entries.sort(key=lambda entry: struct.unpack_from('<H', entry))
  return data[:begin] + b''.join(entries) + data[end:]


def test_grey_and_one_bit_become_three_equal_channels():
  grey = noise(5, 7)
  for kind in ('PNG', 'TIFF', 'PPM'):
    expected = np.stack([grey] * 3, 2)
    np.testing.assert_array_equal(decode(encode(grey, kind)), expected)
  jpeg = decode(encode(smooth(16, 16)[..., 0].copy(), 'JPEG'))
  assert (jpeg == jpeg[..., :1]).all()
  bits = encode(grey > 128, 'PNG')
  np.testing.assert_array_equal(decode(bits)[..., 1], 255 * (grey > 128))


def test_transparent_pixels_are_seen_over_white():
  rgba = np.array([[[200, 0, 50, 255], [200, 0, 50, 0], [200, 0, 50, 51]]])
  data = encode(rgba.astype(np.uint8), 'PNG')
  # By hand: 0.2 * colour + 0.8 * 255.
  expected = [[[200, 0, 50], [255, 255, 255], [244, 204, 214]]]
  np.testing.assert_array_equal(decode(data), expected)
  over_black = images.decode(data, name='it', background=0)
  np.testing.assert_array_equal(over_black[0, 1:], [[0, 0, 0], [40, 0, 10]])
  grey = encode(np.array([[[100, 255], [100, 0]]], np.uint8), 'PNG', 'LA')
  np.testing.assert_array_equal(decode(grey)[0, :, 0], [100, 255])


def test_palettes_give_their_colours_and_their_transparent_entry_is_white():
  picture = Image.new('P', (2, 1))
  picture.putpalette([10, 20, 30, 40, 50, 60])
  picture.putdata([0, 1])
  for options, second in (({}, [40, 50, 60]), ({'transparency': 1}, [255] * 3)):
    out = io.BytesIO()
    picture.save(out, 'PNG', **options)
    np.testing.assert_array_equal(
      decode(out.getvalue()), [[[10, 20, 30], second]]
    )


@pytest.mark.scenario(27)
def test_16_bit_grey_keeps_its_levels():
  ramp = np.arange(0, 65536, 64, np.uint16).reshape(8, 128)
  expected = np.rint(ramp / 257)
  # The PPM's white is named in the file; here it is 65535.
  pgm = b'P5 128 8 65535\n' + ramp.astype('>u2').tobytes()
  for data in (encode(ramp, 'PNG'), encode(ramp, 'TIFF'), pgm):
    image = decode(data)
    np.testing.assert_array_equal(image[..., 2], expected)
    assert len(np.unique(image)) == 256


@pytest.mark.parametrize('suffix', ['.png', '.tiff'])
def test_16_bit_colour_is_rounded_and_not_cut_off(suffix):
  deep = noise(6, 9, 3, dtype=np.uint16)
  _, data = cv2.imencode(suffix, deep[..., ::-1])
  np.testing.assert_array_equal(decode(data.tobytes()), np.rint(deep / 257))


def test_16_bit_colour_with_alpha_is_seen_over_white():
  deep = noise(6, 9, 4, dtype=np.uint16)
  deep[0, 0] = [65535, 0, 65535, 65535]
  deep[0, 1, 3] = 0
  _, data = cv2.imencode('.png', deep[..., [2, 1, 0, 3]])
  alpha = deep[..., 3:] / 65535
  expected = (deep[..., :3] * alpha + 65535 * (1 - alpha)) / 257
  image = decode(data.tobytes())
  assert np.abs(image - expected).max() < 0.51
  np.testing.assert_array_equal(image[0, :2], [[255, 0, 255], [255] * 3])


def test_an_animation_gives_its_first_picture():
  out = io.BytesIO()
  frames = [Image.new('RGB', (4, 3), c) for c in ('red', 'blue')]
  frames[0].save(out, 'GIF', save_all=True, append_images=frames[1:])
  image = decode(out.getvalue())
  np.testing.assert_array_equal(image, np.full((3, 4, 3), [255, 0, 0]))


@pytest.mark.parametrize('suffix', ['.jfif', '.jpe'])
def test_jpegs_have_other_names_too(suffix, tmp_path):
  path = tmp_path / f'a{suffix}'
  images.write(path, smooth(40, 60))
  assert path.read_bytes()[:2] == b'\xff\xd8'
  assert len(sources.open_source(f'folder:{tmp_path}')) == 1


@pytest.mark.parametrize('kind', ['AVIF', 'HEIF'])
def test_photographs_of_telephones_are_read(kind, tmp_path):
  pillow_heif.register_heif_opener()
  image = smooth(40, 60)
  for mode in ('RGB', 'RGBA', 'L'):
    exif = Image.Exif()
    exif[0x10F] = 'maker'
    picture = Image.fromarray(image).convert(mode)
    out = io.BytesIO()
    picture.save(out, kind, quality=95, exif=exif)
    truth = np.asarray(picture.convert('RGB')).astype(int)
    assert np.abs(decode(out.getvalue()) - truth).mean() < 6  # Other: 60.
    path = tmp_path / f'a.{kind.lower()}'
    path.write_bytes(out.getvalue())
    assert path.suffix in images.SUFFIXES
    assert images.count_pictures(path) == 1
    assert b'maker' in images.read_metadata(path).exif
  cut = out.getvalue()[: len(out.getvalue()) // 2]
  with pytest.raises(InputError, match=r'^it: cannot decode: '):
    decode(cut)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_an_avif_stands_upright(orientation):
  image, exif = smooth(40, 60), Image.Exif()
  exif[0x112] = orientation
  png = encode(image, 'PNG', exif=exif)
  exif[0x112] = orientation  # Which the next one takes out.
  avif = encode(image, 'AVIF', exif=exif, quality=95)
  assert np.abs(decode(avif).astype(int) - decode(png)).mean() < 3


def test_without_its_extra_a_heic_says_what_to_install(monkeypatch):
  pillow_heif.register_heif_opener()
  heic = encode(smooth(40, 60), 'HEIF')
  monkeypatch.setitem(sys.modules, 'pillow_heif', None)
  with pytest.raises(InputError, match=r"pip install 'inpaintax\[heic\]'"):
    decode(heic)
  decode(encode(smooth(40, 60), 'AVIF'))


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'TIFF', 'GIF', 'WEBP'])
def test_half_a_file_is_refused_by_name(kind):
  data = encode(noise(64, 64, 3), kind)
  for cut in (len(data) // 2, len(data) * 9 // 10):
    with pytest.raises(InputError, match=r'^it: cannot decode: '):
      decode(data[:cut])


def test_what_is_no_image_is_refused():
  for data, told in (
    (b'', 'empty'),
    (b'hello', 'not an image'),
    (b'\xff\xd8\xff\xd9', '^it: '),
    (b'\xff\xd8' + b'\xff' * 50 + b'\xff\xd9', '^it: '),
    (encode(np.ones((2, 2), np.float32), 'TIFF'), '32 bit'),
    (encode(np.ones((2, 2), np.int32), 'TIFF'), '32 bit'),
  ):
    with pytest.raises(InputError, match=told) as refusal:
      decode(data)
    assert '\n' not in str(refusal.value)


@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
@pytest.mark.parametrize('side', [9460, 12_000, 60_000])
def test_a_bomb_is_refused_from_its_header(side):
  with pytest.raises(InputError, match=r'^it: .*(limit|exceeds)'):
    decode(bomb(side))
  jpeg = bytearray(encode(smooth(8, 8), 'JPEG'))
  place = jpeg.index(b'\xff\xc0')
  jpeg[place + 5 : place + 9] = struct.pack('>HH', side, side)
  with pytest.raises(InputError, match='limit'):
    decode(bytes(jpeg))


def test_reading_names_the_file_and_the_reason(tmp_path):
  with pytest.raises(InputError, match=r'lost\.png: cannot read: No such'):
    images.read(tmp_path / 'lost.png')
  with pytest.raises(InputError, match='Is a directory'):
    images.read(tmp_path)
  with pytest.raises(InputError, match='/dev/zero: is not a regular file'):
    images.read('/dev/zero')
  odd = os.fsencode(tmp_path) + b'/caf\xe9.png'
  with pytest.raises(InputError, match=r'caf\\xe9\.png'):
    images.read(os.fsdecode(odd))
