"""Masks, writing, resizing, and 8 bit against float."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from inpaintax import images
from inpaintax.data import sources
from inpaintax.errors import InputError


@pytest.fixture
def image():
  return np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)


def test_a_mask_is_missing_from_128_on(tmp_path):
  levels = np.array([[0, 1, 127, 128, 254, 255]], np.uint8)
  missing = [[False, False, False, True, True, True]]
  for array in (levels, np.stack([levels] * 3, 2)):
    images.write(tmp_path / 'mask.png', array)
    mask = images.read_mask(tmp_path / 'mask.png')
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, missing)


def test_a_colour_mask_counts_by_its_grey_and_only_where_it_is_opaque(tmp_path):
  # Red and blue weigh 76 and 29 of 255, green 150; yellow 226.
  pixels = [[255, 0, 0], [0, 0, 255], [0, 255, 0], [255, 255, 0]]
  rgba = np.uint8([[[*p, 255] for p in pixels] + [[255, 255, 255, 0]]])
  Image.fromarray(rgba).save(tmp_path / 'mask.png')
  mask = images.read_mask(tmp_path / 'mask.png')
  np.testing.assert_array_equal(mask, [[False, False, True, True, False]])


def test_a_mask_that_marks_in_grey_or_red_is_refused_an_empty_one_is_not(
  tmp_path,
):
  path = tmp_path / 'mask.png'
  red = np.zeros((3, 3, 3), np.uint8)
  red[1, 1, 0] = 255
  for mask, grey in (
    (np.eye(3, dtype=np.uint8), 1),
    (2 * np.eye(3, dtype=np.uint8), 2),
    (127 * np.eye(3, dtype=np.uint8), 127),
    (red, 76),
  ):
    images.write(path, mask)
    with pytest.raises(InputError, match=rf'mask\.png.* grey of {grey}, '):
      images.read_mask(path)
  images.write(path, np.zeros((3, 3), np.uint8))
  assert not images.read_mask(path).any()


def test_a_photograph_as_a_mask_is_told(tmp_path, caplog):
  path = tmp_path / 'mask.png'
  ramp = np.arange(256, dtype=np.uint8)
  # White, with a rim of a brush; and all greys there are.
  brush = np.r_[np.zeros(100), ramp[::8], np.full(100, 255)].astype(np.uint8)
  for mask, warned in ((brush, False), (ramp, True)):
    caplog.clear()
    images.write(path, mask[None])
    np.testing.assert_array_equal(images.read_mask(path), mask[None] >= 128)
    assert ('neither black nor white' in caplog.text) == warned


def test_what_is_read_alone_is_found_in_folders_and_read(tmp_path, image):
  Image.fromarray(image).save(tmp_path / 'a.pnm', format='PPM')
  np.testing.assert_array_equal(images.read(tmp_path / 'a.pnm'), image)
  bits = image[..., 0] > 128
  Image.fromarray(bits).save(tmp_path / 'b.pbm')
  np.testing.assert_array_equal(
    images.read(tmp_path / 'b.pbm'), np.stack([bits * np.uint8(255)] * 3, 2)
  )
  assert len(sources.open_source(f'folder:{tmp_path}')) == 2


def test_what_is_written_is_read_again(tmp_path, image):
  for suffix in ('.png', '.PNG', '.bmp', '.tif', '.ppm'):
    path = tmp_path / 'new' / f'a{suffix}'
    images.write(path, image)
    np.testing.assert_array_equal(images.read(path), image)
  images.write(tmp_path / 'grey.png', image[..., 0])
  np.testing.assert_array_equal(
    images.read(tmp_path / 'grey.png'), np.stack([image[..., 0]] * 3, 2)
  )


def test_an_error_names_the_file_that_was_to_be_written(tmp_path, image):
  (tmp_path / 'file').write_text('')
  with pytest.raises(InputError, match='file is a file, not a folder'):
    images.write(tmp_path / 'file' / 'a.png', image)
  long = tmp_path / ('a' * 252 + '.png')
  with pytest.raises(OSError, match='too long') as found:
    images.write(long, image)
  assert found.value.filename == str(long)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
  tmp_path, image, monkeypatch
):
  path = tmp_path / 'a.png'
  images.write(path, image)
  before = path.read_bytes()

  def fail(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'replace', fail)
  with pytest.raises(OSError, match='No space'):
    images.write(path, 255 - image)
  assert os.listdir(tmp_path) == ['a.png']
  assert path.read_bytes() == before


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path, image):
  path = tmp_path / ('a' * 251 + '.png')
  images.write(path, image)
  np.testing.assert_array_equal(images.read(path), image)


def test_writing_refuses_other_arrays_and_suffixes(tmp_path, image):
  for array in (image / 255, image[..., :2], image[None], image[0, :, 0]):
    with pytest.raises(AssertionError):
      images.write(tmp_path / 'a.png', array)
  for name in ('a', 'a.exe'):
    with pytest.raises(InputError, match='suffix'):
      images.write(tmp_path / name, image)
  assert not os.listdir(tmp_path)


@pytest.mark.parametrize('call', [lambda f: f, jax.jit], ids=['plain', 'jit'])
def test_all_levels_survive_the_way_to_float_and_back(call):
  levels = np.arange(256, dtype=np.uint8)
  for given in (levels, jnp.asarray(levels)):
    values = call(images.to_float)(given)
    assert values.dtype == jnp.float32
    np.testing.assert_allclose(values, levels / 127.5 - 1, atol=1e-7)
    assert values[0] == -1 and values[255] == 1
    np.testing.assert_array_equal(call(images.to_uint8)(values), levels)


def test_to_uint8_clips_and_rounds_halves_to_even():
  # 127.5 -> 128, by the even rule; 0.5 / 127.5 - 1 -> 0.
  values = jnp.array([-5.0, -1.0, 0.0, 0.5 / 127.5 - 1, 1.0, 1.01, 9e9])
  expected = np.array([0, 0, 128, 0, 255, 255, 255], np.uint8)
  got = images.to_uint8(values)
  assert got.dtype == jnp.uint8
  np.testing.assert_array_equal(got, expected)


def test_conversions_refuse_the_other_type():
  with pytest.raises(AssertionError):
    images.to_float(jnp.zeros(3))
  with pytest.raises(AssertionError):
    images.to_uint8(jnp.zeros(3, jnp.uint8))


@pytest.mark.parametrize(
  'shape, side, expected',
  [
    ((10, 20), 5, (5, 10)),
    ((20, 10), 5, (10, 5)),
    ((10, 15), 20, (20, 30)),
    ((7, 7), 3, (3, 3)),
    ((3, 1000), 2, (2, 667)),
    ((1, 1), 4, (4, 4)),
  ],
)
def test_the_short_side_is_met_and_the_aspect_kept(shape, side, expected):
  flat = np.full((*shape, 3), [10, 100, 250], np.uint8)
  resized = images.resize_short_side(flat, side)
  assert resized.shape == (*expected, 3)
  assert (resized == [10, 100, 250]).all()


def test_a_resized_mask_loses_nothing_that_was_missing():
  mask = np.zeros((12, 20), bool)
  mask[7, 13] = True
  for shape in ((6, 10), (5, 7), (8, 13), (11, 19), (24, 40), (31, 45)):
    found = images.resize_mask(mask, shape)
    assert found.shape == shape and found.any()
    # Where the pixel's area lies, all that it touches, and no further.
    rows, columns = (np.arange(n) for n in shape)
    touches = lambda at, n, side, place: (
      ((at + 1) * side / n > place) & (at * side / n < place + 1)
    )
    near = np.outer(
      touches(rows, shape[0], 12, 7), touches(columns, shape[1], 20, 13)
    )
    np.testing.assert_array_equal(found, near)
  np.testing.assert_array_equal(images.resize_mask(mask, (12, 20)), mask)
  doubled = images.resize_mask(mask, (24, 40))
  np.testing.assert_array_equal(doubled, np.kron(mask, np.ones((2, 2))) > 0)


def test_shrinking_averages_areas(image):
  # Blocks of 3 x 3, the rest cut off so that they fit.
  even = image[:9, :12]
  means = even.reshape(3, 3, 4, 3, 3).mean((1, 3))
  small = images.resize_short_side(even, 3)
  assert np.abs(small - means).max() <= 0.5


def test_an_image_that_fits_is_left_alone_and_a_thread_is_refused(image):
  assert images.resize_short_side(image, 9) is image
  with pytest.raises(InputError, match='20000x1 pixels'):
    images.resize_short_side(np.zeros((1, 20_000, 3), np.uint8), 128)


@pytest.mark.parametrize('shape', [(7, 9), (7, 9, 3)])
@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_16_bit_is_written_and_read_bit_for_bit(tmp_path, shape, suffix):
  pixels = np.random.default_rng(0).integers(2**16, size=shape).astype('uint16')
  path = tmp_path / f'deep.{suffix}'
  images.write(path, pixels)
  again = images.read_deep(path)
  assert again.dtype == np.uint16
  np.testing.assert_array_equal(again, pixels)
  # And as 8 bit, scaled.
  eight = np.rint(pixels / 257.0)
  eight = eight if len(shape) == 3 else np.stack([eight] * 3, axis=-1)
  np.testing.assert_array_equal(images.read(path), eight)


def test_8_bit_stays_and_equal_channels_become_one(tmp_path, image):
  path = tmp_path / 'eight.png'
  images.write(path, image)
  np.testing.assert_array_equal(images.read_deep(path), image)
  images.write(path, np.repeat(image[..., :1], 3, axis=2))
  np.testing.assert_array_equal(images.read_deep(path), image[..., 0])


def test_16_bit_does_not_go_into_files_of_8(tmp_path):
  with pytest.raises(InputError, match='16-bit'):
    images.write(tmp_path / 'deep.bmp', np.zeros((4, 4), np.uint16))
  assert not list(tmp_path.iterdir())


def test_what_a_format_cannot_hold_is_refused(tmp_path):
  wide = np.zeros((1, 17_000, 3), np.uint8)
  for name, array in (('wide.webp', wide), ('empty.png', wide[:, :0])):
    with pytest.raises(InputError, match=f'{name} cannot be written'):
      images.write(tmp_path / name, array)
  assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(tmp_path, image):
  path = tmp_path / f'{"a" * 300}.png'
  with pytest.raises(OSError, match='too long') as caught:
    images.write(path, image)
  assert str(caught.value).endswith(f'{str(path)!r}')


def test_what_an_encoder_says_is_not_lost(tmp_path, image, monkeypatch):
  def fail(*_, **__):
    raise OSError('encoder error -2')

  monkeypatch.setattr(Image.Image, 'save', fail)
  with pytest.raises(OSError, match=r'a\.png .*encoder error -2'):
    images.write(tmp_path / 'a.png', image)
