"""Saved as a JPEG and read again, against two codecs."""

import io

import cv2
import jax
import numpy as np
import PIL.Image
import pytest
import skimage.data
from jax import numpy as jnp

from inpaintax.corruptions import jpeg


def photograph(side=96):
  """Grey levels of a photograph with white letters on it."""
  levels = skimage.data.camera()[100 : 100 + side, 200 : 200 + side].copy()
  cv2.putText(levels, 'jpeg', (5, 60), cv2.FONT_HERSHEY_SIMPLEX, 1, (255,), 2)
  return levels


def floats(levels):
  return jnp.asarray(levels[None, ..., None] / 127.5 - 1, jnp.float32)


def levels_of(images):
  return np.asarray(127.5 * (images + 1))[..., 0]


def assert_alike(found, expected):
  """Equal but for rounding, which may move a coefficient of some blocks."""
  difference = np.abs(found - expected)
  assert (difference < 1.5).mean() > 0.9 and difference.mean() < 0.3


def by_opencv(levels, quality):
  _, data = cv2.imencode('.jpg', levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
  return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(float)


def by_pillow(levels, quality):
  file = io.BytesIO()
  PIL.Image.fromarray(levels).save(file, 'JPEG', quality=quality)
  return np.asarray(PIL.Image.open(file)).astype(float)


@pytest.mark.parametrize('quality', [1, 30, 60, 90, 100])
@pytest.mark.parametrize('codec', [by_opencv, by_pillow])
def test_it_is_what_a_codec_makes_of_the_whole(codec, quality):
  levels = photograph()
  # The photograph lies at one of 64 places within the blocks: that of the codec
  # is the one where its corner is a block's.
  for seed in range(400):
    key = jax.random.key(seed)
    if not jax.random.randint(jax.random.split(key)[1], (2,), 0, 8).any():
      break
  found = levels_of(
    jpeg.jpeg(key[None], floats(levels), qualities=(quality, quality))
  )[0]
  np.testing.assert_allclose(found, np.rint(found), atol=1e-3)
  assert_alike(found, codec(levels, quality))


def test_a_part_is_what_it_is_of_the_whole():
  whole = photograph(112)
  for seed in range(8):
    key = jax.random.key(seed)
    first = jax.random.randint(jax.random.split(key)[1], (2,), 0, 8)
    row, column = (int(n) + 8 for n in first)
    part = whole[row : row + 88, column : column + 88]
    found = levels_of(jpeg.jpeg(key[None], floats(part), qualities=(75, 75)))[0]
    expected = by_opencv(whole, 75)[row : row + 88, column : column + 88]
    # Blocks that lie within it: those at its border are not known whole.
    inner = slice(8, -8)
    assert_alike(found[inner, inner], expected[inner, inner])


def test_the_same_keys_compress_alike_and_others_do_not():
  levels = np.stack([photograph()] * 3)[..., None]
  given = jnp.asarray(levels / 127.5 - 1, jnp.float32)
  same = jnp.stack([jax.random.key(1)] * 3)
  found = jpeg.jpeg(same, given)
  np.testing.assert_array_equal(found[0], found[2])
  found = jpeg.jpeg(jax.random.split(jax.random.key(1), 3), given)
  assert not np.array_equal(found[0], found[2])


def test_compiled_it_is_the_same():
  given = floats(photograph())
  key = jax.random.key(0)[None]
  plain, compiled = jpeg.jpeg(key, given), jax.jit(jpeg.jpeg)(key, given)
  assert_alike(levels_of(plain), levels_of(compiled))


@pytest.mark.parametrize('side', [5, 8, 13, 96])
def test_any_size_is_kept(side):
  given = jnp.zeros((2, side, side + 3, 1))
  found = jpeg.jpeg(jax.random.split(jax.random.key(0), 2), given)
  assert found.shape == given.shape
  np.testing.assert_allclose(found, 1 / 255, atol=1e-6)  # 127.5 is rounded up.


@pytest.mark.parametrize('qualities', [(0, 50), (50, 101), (80, 70)])
def test_qualities_out_of_range_are_refused(qualities):
  with pytest.raises(ValueError, match='qualities must rise'):
    jpeg.jpeg(
      jax.random.key(0)[None], jnp.zeros((1, 8, 8, 1)), qualities=qualities
    )


def test_colours_are_refused():
  with pytest.raises(ValueError, match=r'\[B, H, W, 1\]'):
    jpeg.jpeg(jax.random.key(0)[None], jnp.zeros((1, 8, 8, 3)))
