"""Free-form masks: exact strokes, the same bits everywhere, bounded areas."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import ndimage

from inpaintax.corruptions import drawing, strokes

MAKERS = {'deepfill': strokes.deepfill} | {
  kind: functools.partial(strokes.lama, kind=kind) for kind in strokes.LAMA
}
SIZE = (48, 64)


def keys(count, seed=0):
  return jax.random.split(jax.random.key(seed), count)


def segments(start, end, width, wanted=True):
  return drawing.Segments(
    jnp.array([start]),
    jnp.array([end]),
    jnp.array([width]),
    jnp.array([wanted]),
  )


def painted(start, end, width, size=(21, 25)):
  """What a pen would mark, pixel by pixel, in Python's own numbers."""
  found = np.zeros(size, bool)
  (a, b), (c, d) = start, end
  whole = (c - a) ** 2 + (d - b) ** 2
  for row, column in np.ndindex(*size):
    down, right = row - a, column - b
    along = down * (c - a) + right * (d - b)
    if along <= 0 or whole == 0:
      inside = 4 * (down**2 + right**2) <= width**2
    elif along >= whole:
      inside = 4 * ((row - c) ** 2 + (column - d) ** 2) <= width**2
    else:
      aside = down * (d - b) - right * (c - a)
      inside = 4 * aside**2 <= width**2 * whole
    found[row, column] = inside
  return found


def test_a_segment_is_what_lies_within_half_its_width():
  draw = np.random.default_rng(0)
  paint = jax.jit(lambda segments: drawing.paint(segments, (21, 25)))
  for _ in range(40):
    start, end = draw.integers(0, 21, (2, 2)).tolist()
    width = int(draw.integers(1, 9))
    found = paint(segments(start, end, width))
    np.testing.assert_array_equal(found, painted(start, end, width))


def test_a_segment_without_length_is_a_disc():
  found = drawing.paint(segments((10, 12), (10, 12), 6), (21, 25))
  np.testing.assert_array_equal(found, painted((10, 12), (10, 12), 6))
  assert 25 < found.sum() < 36


def test_what_is_not_wanted_or_too_much_is_left_out():
  assert not drawing.paint(segments((3, 3), (9, 9), 4, False), (21, 25)).any()
  whole = drawing.paint(segments((3, 3), (9, 9), 4), (21, 25))
  for limit, kept in ((int(whole.sum()), True), (int(whole.sum()) - 1, False)):
    found = drawing.paint(segments((3, 3), (9, 9), 4), (21, 25), limit=limit)
    np.testing.assert_array_equal(found, whole & kept)


def test_a_stroke_goes_on_from_where_it_was_and_stays_inside():
  draw = np.random.default_rng(1)
  walk, paint = (
    jax.jit(f, static_argnames='size') for f in (drawing.walk, drawing.paint)
  )
  for _ in range(20):
    one = lambda high: jnp.asarray(draw.integers(0, high, (1, 7)), jnp.int32)
    start = jnp.asarray(draw.integers(0, 40, (1, 2)), jnp.int32)
    used = jnp.arange(7)[None] < 5
    lines = walk(start, one(drawing.TURN), one(30), 1 + one(5), used, size=SIZE)
    np.testing.assert_array_equal(lines.start[0], start[0])
    np.testing.assert_array_equal(lines.start[1:], lines.end[:-1])
    assert (lines.end >= 0).all() and (lines.end < jnp.array([SIZE])).all()
    assert ndimage.label(paint(lines, size=SIZE), np.ones((3, 3)))[1] == 1


@pytest.mark.parametrize('name', MAKERS)
def test_same_keys_give_the_same_bits_with_64_bit_numbers(name):
  wanted = MAKERS[name](keys(4), SIZE)
  with jax.enable_x64(True):
    np.testing.assert_array_equal(MAKERS[name](keys(4), SIZE), wanted)


@pytest.mark.parametrize(
  ('turn', 'move'),
  [(0, (0, 9)), (0.25, (9, 0)), (0.5, (0, -9)), (0.75, (-9, 0))],
)
def test_directions_turn_from_a_row_downwards(turn, move):
  line = drawing.walk(
    jnp.array([[20, 30]]),
    jnp.array([[round(turn * drawing.TURN)]]),
    jnp.array([[9]]),
    jnp.array([[1]]),
    jnp.array([[True]]),
    SIZE,
  )
  np.testing.assert_array_equal(line.end[0] - line.start[0], move)


@pytest.mark.parametrize('name', MAKERS)
def test_a_mask_follows_from_its_key_alone_bit_for_bit(name):
  make = functools.partial(MAKERS[name], size=SIZE)
  found = jax.jit(make)(keys(6))
  assert found.shape == (6, *SIZE, 1) and found.dtype == jnp.float32
  assert set(np.unique(found)) == {0, 1}
  np.testing.assert_array_equal(jax.jit(make)(keys(6)[4:5]), found[4:5])
  np.testing.assert_array_equal(make(keys(6)[:2]), found[:2])
  shares = np.asarray(jax.jit(make)(keys(100, seed=2))).mean((1, 2, 3))
  assert len(np.unique(shares)) > 50


@pytest.mark.parametrize('kind', strokes.LAMA)
@pytest.mark.parametrize('max_area', [0.5, 0.1])
def test_no_more_is_missing_than_may_be(kind, max_area):
  make = lambda keys: strokes.lama(keys, SIZE, kind=kind, max_area=max_area)
  shares = np.asarray(jax.jit(make)(keys(300))).mean((1, 2, 3))
  assert shares.max() <= max_area and shares.mean() > 0.2 * max_area


def test_thicker_kinds_have_wider_strokes():
  def widest(kind):
    masks = jax.jit(lambda keys: strokes.lama(keys, (128, 128), kind=kind))
    return np.mean(
      [ndimage.distance_transform_edt(m).max() for m in masks(keys(60))[..., 0]]
    )

  thin, medium, thick = (widest(kind) for kind in strokes.LAMA)
  assert 2 * thin < medium and 1.3 * medium < thick


def test_every_mask_of_deepfill_has_its_box():
  masks = jax.jit(lambda keys: strokes.deepfill(keys, (64, 64)))(keys(60))
  box = np.ones((24, 24))  # The least: half, less an eighth of the side.
  for mask in np.asarray(masks[..., 0]) > 0:
    assert ndimage.binary_erosion(mask, box, border_value=0).any()


def test_options_out_of_range_are_refused():
  with pytest.raises(ValueError, match='thin, medium, thick'):
    strokes.lama(keys(1), SIZE, kind='broad')
  with pytest.raises(ValueError, match='max_area'):
    strokes.lama(keys(1), SIZE, kind='thin', max_area=0.0)
  for make in MAKERS.values():
    with pytest.raises(ValueError, match='height and a width'):
      make(keys(1), (48,))
