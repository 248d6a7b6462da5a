"""Files of 16 bit of kinds that decoders disagree about; what they keep."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from inpaintax import images
from inpaintax.errors import InputError

DEEP = np.random.default_rng(0).integers(0, 2**16, (30, 40, 3), np.uint16)


def tiff(array, **options):
  out = io.BytesIO()
  tifffile.imwrite(out, array, **options)
  return out.getvalue()


def deep(data):
  return images.decode_deep(data, name='it')


def test_a_fourth_channel_that_means_nothing_is_left_out():
  more = np.dstack([DEEP, DEEP[..., :1]])
  data = tiff(more, photometric='rgb', extrasamples=['unspecified'])
  np.testing.assert_array_equal(deep(data), DEEP)


@pytest.mark.parametrize('compression', [None, 'zlib'])
def test_white_may_be_zero(compression):
  grey = DEEP[..., 0]
  how = {'photometric': 'miniswhite', 'compression': compression}
  np.testing.assert_array_equal(deep(tiff(~grey, **how)), grey)


def test_one_grey_may_be_transparent():
  grey, out = DEEP[..., 0] | 1, io.BytesIO()
  grey[:5] = 1000
  Image.fromarray(grey).save(out, 'PNG', transparency=1000)
  seen = deep(out.getvalue())
  assert (seen[:5] == 65535).all()
  np.testing.assert_array_equal(seen[5:], grey[5:])


@pytest.mark.parametrize('compression', [None, 'zlib'])
def test_what_no_decoder_reads_right_is_refused(compression):
  alpha = np.full((30, 40, 1), 30_000, np.uint16)
  planes = np.ascontiguousarray(DEEP.transpose(2, 0, 1))
  for array, how, told in (
    (planes, {'planarconfig': 'separate'}, 'separate planes'),
    (
      np.dstack([DEEP, alpha]),
      {'extrasamples': ['assocalpha']},
      'premultiplied transparency',
    ),
  ):
    data = tiff(array, photometric='rgb', compression=compression, **how)
    with pytest.raises(InputError, match=f'^it: .*{told}.* PNG'):
      deep(data)
  data = tiff(np.ones((4, 5, 3), np.float32), photometric='rgb')
  with pytest.raises(
    InputError, match=r'^it: a TIFF of a kind that is not read'
  ):
    deep(data)
  # Of 8 bit both are read.
  eight = planes.astype(np.uint8)
  data = tiff(eight, photometric='rgb', planarconfig='separate')
  np.testing.assert_array_equal(deep(data), eight.transpose(1, 2, 0))


def test_a_dark_mask_of_16_bit_is_refused_as_one_of_8_bit_is(tmp_path):
  mask = np.zeros((9, 13), np.uint16)
  images.write(tmp_path / 'm.png', mask)
  assert not images.read_mask(tmp_path / 'm.png').any()
  for value in (1, 127, 255):
    mask[2, 3] = value
    images.write(tmp_path / 'm.png', mask)
    with pytest.raises(InputError, match=r'm.png: the brightest pixel'):
      images.read_mask(tmp_path / 'm.png')
  mask[2, 3] = 65535
  images.write(tmp_path / 'm.png', mask)
  assert images.read_mask(tmp_path / 'm.png').sum() == 1


def metadata():
  exif = Image.Exif()
  exif[0x13B] = 'artist'
  profile = bytes(16) + b'RGB ' + bytes(108)
  return images.Metadata(profile, exif.tobytes(), (300.0, 200.0))


def test_a_png_of_16_bit_colours_keeps_what_the_file_said(tmp_path):
  path = tmp_path / 'a.png'
  # In three channels for the profile's sake, and one when read again.
  for array in (DEEP, DEEP[..., 0]):
    images.write(path, array, metadata=metadata())
    with Image.open(path) as picture:
      picture.verify()  # The checksums.
    np.testing.assert_array_equal(images.read_deep(path), array)
    found = images.read_metadata(path)
    assert found.icc_profile == metadata().icc_profile
    assert b'artist' in found.exif
    np.testing.assert_allclose(found.dpi, (300, 200), rtol=1e-3)


def test_that_a_tiff_of_16_bit_colours_keeps_nothing_is_told(tmp_path, caplog):
  images.write(tmp_path / 'a.tif', DEEP)
  assert not caplog.text
  images.write(tmp_path / 'a.tif', DEEP, metadata=metadata())
  assert 'a.tif: a TIFF of 16-bit colours is written without' in caplog.text
  np.testing.assert_array_equal(images.read_deep(tmp_path / 'a.tif'), DEEP)


@pytest.mark.parametrize('text', ['José Müller 写真', 'plain'])
@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_names_that_are_not_ascii_stay(tmp_path, text, suffix):
  exif = Image.Exif()
  exif[0x13B] = text.encode()
  # Of the lens, in the directory of the picture.
  exif[0x8769] = {0xA434: text.encode()}
  path = tmp_path / f'a{suffix}'
  Image.fromarray(DEEP.astype(np.uint8)).save(tmp_path / 'a.jpg', exif=exif)
  found = images.read_metadata(tmp_path / 'a.jpg')
  images.write(path, DEEP.astype(np.uint8), metadata=found)
  assert path.read_bytes().count(text.encode()) == 2


def test_what_cannot_be_encoded_is_refused_by_name(tmp_path):
  for name, array in (
    ('a.png', DEEP[:0]),
    ('a.jpg', np.zeros((4, 70_000, 3), np.uint8)),
    ('a.heic', DEEP.astype(np.uint8)),
    ('a.pbm', DEEP.astype(np.uint8)),
  ):
    with pytest.raises((InputError, OSError), match=name):
      images.write(tmp_path / name, array)
  assert not list(tmp_path.iterdir())


def test_arrays_of_jax_are_written(tmp_path):
  grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
  images.write(tmp_path / 'a.png', images.to_uint8(images.to_float(grey)))
  np.testing.assert_array_equal(images.read_deep(tmp_path / 'a.png'), grey)
