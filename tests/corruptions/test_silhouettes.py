import functools

import cv2
import jax
import numpy as np
import pytest

from inpaintax.corruptions import silhouettes
from inpaintax.errors import InputError

SIZE = (24, 32)


def keys(count=300, seed=0):
  return jax.random.split(jax.random.key(seed), count)


def write(path, labels):
  assert cv2.imwrite(str(path), labels[..., ::-1])


@pytest.fixture
def folder(tmp_path):
  """Two label images: a bar and a triangle; outlines and specks are none."""
  one = np.zeros((40, 60, 3), np.uint8)
  one[10:20, 5:45] = (128, 0, 0)
  one[9, 5:45] = (224, 224, 192)
  one[0, :3] = (0, 128, 0)
  two = np.zeros((50, 50, 3), np.uint8)
  for row in range(20):
    two[5 + row, 10 : 11 + 2 * row] = (0, 0, 128)
  write(tmp_path / 'a.png', one)
  write(tmp_path / 'b.png', two)
  return tmp_path


def test_each_colour_is_an_object_cut_out_along_its_extent(folder):
  bar, triangle = silhouettes.load(folder, side=20)
  assert bar.all()
  rows = triangle.sum(1)
  assert triangle[:, 0].all() and (np.diff(rows) >= 0).all()
  assert rows[0] <= 2 and rows[-1] == 20


def test_a_folder_without_objects_is_refused(tmp_path):
  with pytest.raises(InputError, match=r'no image|no mask'):
    silhouettes.load(tmp_path)
  write(tmp_path / 'empty.png', np.zeros((8, 8, 3), np.uint8))
  with pytest.raises(InputError, match='every colour but black is one'):
    silhouettes.load(tmp_path)


def test_a_photograph_is_no_label_image(tmp_path):
  photograph = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  write(tmp_path / 'photograph.png', photograph)
  with pytest.raises(InputError, match=r'photograph.png has \d+ colours'):
    silhouettes.load(tmp_path)


def test_none_or_too_small_ones_cannot_be_invented():
  for options in ({'count': 0}, {'count': 2, 'side': 1}):
    with pytest.raises(ValueError, match='wanted count'):
      silhouettes.invent(**options)


def test_invented_ones_are_of_one_piece_and_each_is_another():
  bank = silhouettes.invent(30)
  for one in bank:
    count, _ = cv2.connectedComponents(one.astype(np.uint8))
    assert count == 2
    # Tips may be thinner than a pixel.
    for axis in (0, 1):
      hit = np.flatnonzero(one.any(axis))
      assert hit[0] <= 3 and hit[-1] >= 60
  assert len({one.tobytes() for one in bank}) == 30
  np.testing.assert_array_equal(bank, silhouettes.invent(30))
  assert (bank != silhouettes.invent(30, seed=1)).any()


FULL = np.ones((1, 8, 8), bool)
PLACE = functools.partial(silhouettes.place, bank=FULL, min_side=3, max_side=10)


def test_all_sides_and_all_places_occur():
  masks = np.asarray(PLACE(keys(3000), SIZE))[..., 0]
  heights, widths = masks.any(2).sum(1), masks.any(1).sum(1)
  assert sorted(set(heights)) == sorted(set(widths)) == list(range(3, 11))
  np.testing.assert_array_equal(masks.sum((1, 2)), heights * widths)
  # Any border may be touched.
  for edge in (masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]):
    assert edge.any()


def test_a_silhouette_keeps_its_shape_and_may_be_mirrored():
  bank = np.tril(np.ones((8, 8), bool))[None]
  place = functools.partial(
    silhouettes.place, bank=bank, min_side=8, max_side=8
  )
  seen = set()
  for mask in np.asarray(place(keys(40), SIZE))[..., 0] > 0:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    mirrored = (cut == bank[0, :, ::-1]).all()
    assert mirrored or (cut == bank[0]).all()
    seen.add(bool(mirrored))
  assert seen == {True, False}


def test_the_same_key_gives_the_same_bits_in_any_batch_under_jit_or_not():
  place = functools.partial(
    silhouettes.place, bank=silhouettes.invent(5), min_side=4, max_side=20
  )
  found = np.asarray(place(keys(10), SIZE))
  jitted = jax.jit(lambda keys: place(keys, SIZE))
  np.testing.assert_array_equal(found, jitted(keys(10)))
  np.testing.assert_array_equal(found[3:4], place(keys(10)[3:4], SIZE))


@pytest.mark.parametrize(
  'options',
  [{'min_side': 0}, {'min_side': 11}, {'max_side': 25}, {'bank': FULL[:0]}],
)
def test_options_out_of_range_are_refused(options):
  with pytest.raises(ValueError):
    PLACE(keys(1), SIZE, **options)
