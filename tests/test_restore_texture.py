"""Texture from known patches: known pixels, sharpness, where it comes from."""

import jax.numpy as jnp
import numpy as np
import pytest
from arrays import box, noise

from inpaintax.restore import texture


def filled(image, mask, value=128):
  return np.where(mask[..., None], np.uint8(value), image)


def roughness(image):
  grey = image.astype(float).mean(-1)
  return np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey)).mean()


MASK = box((48, 64), 14, 20, 18, 22)
HOLE = np.s_[14:32, 20:42]


def test_known_pixels_stay_and_what_is_under_the_mask_has_no_say():
  image, other = noise(48, 64, 3), noise(48, 64, 3, seed=1)
  found = texture.refine(image, filled(image, MASK), MASK)
  np.testing.assert_array_equal(found[~MASK], image[~MASK])
  swapped = np.where(MASK[..., None], other, image)
  given = np.where(MASK[..., None], filled(image, MASK), other)
  np.testing.assert_array_equal(found, texture.refine(swapped, given, MASK))


def test_a_flat_fill_gets_the_roughness_of_its_surroundings():
  image = 100 + noise(48, 64, 3) // 4
  found = texture.refine(image, filled(image, MASK, 131), MASK)
  truth = roughness(image[HOLE])
  assert 0.8 * truth < roughness(found[HOLE]) < 1.2 * truth
  # And its colours, on the whole, stay.
  assert abs(found[HOLE].mean() - 131) < 3


def test_a_share_of_texture_lies_between_the_fill_and_all_of_it():
  image = 100 + noise(48, 64, 3) // 4
  given = filled(image, MASK, 131)
  whole = texture.refine(image, given, MASK).astype(float)
  half = texture.refine(image, given, MASK, share=0.5).astype(float)
  np.testing.assert_allclose(half, (whole + given) / 2, atol=1)
  for share in (0.0, 1.5, -1.0):
    with pytest.raises(ValueError, match='share'):
      texture.refine(image, given, MASK, share=share)


def test_a_flat_image_stays_flat():
  image = np.full((48, 64, 3), 90, np.uint8)
  found = texture.refine(image, filled(image, MASK, 90), MASK)
  np.testing.assert_array_equal(found, image)


def test_smooth_parts_get_no_texture_from_rough_ones():
  """Left half smooth, right half rough; the hole lies across."""
  image = np.full((48, 64, 3), 120, np.uint8)
  image[:, 32:] = 100 + noise(48, 32, 3) // 6
  mask = box((48, 64), 16, 16, 16, 32)
  found = texture.refine(image, filled(image, mask, 120), mask)
  left, right = found[16:32, 16:26], found[16:32, 38:48]
  assert roughness(left) < 0.4 * roughness(right)


def test_the_nearest_patches_are_those_of_the_same_colour():
  """Bright stripes lie across, dark ones down; the fill says which."""
  image = np.zeros((64, 64, 3), np.uint8)
  rows = (np.arange(64) // 2 % 2)[:, None, None]
  columns = (np.arange(64) // 2 % 2)[None, :, None]
  image[:32] = 190 + 40 * rows[:32]
  image[32:] = 30 + 40 * columns
  for top, value, axis in ((10, 210, 0), (40, 50, 1)):
    mask = box((64, 64), top, 24, 14, 14)
    found = texture.refine(image, filled(image, mask, value), mask)
    hole = found[top + 2 : top + 12, 26:36, 0].astype(float)
    along = np.abs(np.diff(hole, axis=axis)).mean()
    across = np.abs(np.diff(hole, axis=1 - axis)).mean()
    assert along > 2 * across, (axis, along, across)


def test_a_deep_hole_is_done_at_several_scales(monkeypatch):
  image = 100 + noise(160, 160, 3) // 4
  mask = box((160, 160), 45, 45, 70, 70)
  seen = []
  plain = texture._with_texture
  monkeypatch.setattr(
    texture,
    '_with_texture',
    lambda start, missing, *rest: (
      seen.append(missing.shape) or plain(start, missing, *rest)
    ),
  )
  found = texture.refine(image, filled(image, mask, 131), mask)
  assert seen == [(40, 40), (80, 80), (160, 160)]
  middle = np.s_[60:100, 60:100]
  assert roughness(found[middle]) > 0.8 * roughness(image[middle])
  np.testing.assert_array_equal(found[~mask], image[~mask])


def test_odd_sides_and_holes_at_the_border_are_no_trouble():
  image = noise(61, 83, 3)
  mask = box((61, 83), 0, 0, 30, 83) | box((61, 83), 55, 70, 6, 13)
  found = texture.refine(image, filled(image, mask), mask)
  np.testing.assert_array_equal(found[~mask], image[~mask])


def test_without_a_known_patch_the_fill_stays():
  image, mask = noise(12, 12, 3), np.ones((12, 12), bool)
  mask[0] = False
  given = filled(image, mask)
  np.testing.assert_array_equal(texture.refine(image, given, mask), given)
  nothing = np.zeros((12, 12), bool)
  np.testing.assert_array_equal(texture.refine(image, image, nothing), image)


@pytest.mark.parametrize('edge', [3, 4, 6])
def test_a_frame_too_narrow_for_a_patch_leaves_the_fill_at_any_depth(edge):
  image = noise(96, 96, 3)
  mask = box((96, 96), edge, edge, 96 - 2 * edge, 96 - 2 * edge)
  given = np.where(mask[..., None], noise(96, 96, 3, seed=1), image)
  np.testing.assert_array_equal(texture.refine(image, given, mask), given)


@pytest.mark.parametrize('side', [60, 61, 62, 63, 64])
def test_the_last_row_gets_texture_too(side):
  image = noise(side, side, 3)
  mask = box((side, side), side - 12, 20, 12, 20)
  found = texture.refine(image, filled(image, mask), mask)
  rows = found[side - 12 :, 20:40].astype(float).std((1, 2))
  assert rows.min() > 0.4 * rows.max()


def test_what_is_known_spreads_to_where_it_is_not_nearest_first():
  weight = np.zeros((40, 64), np.float32)
  weight[:, :10] = weight[:, -10:] = 1
  values = np.where(np.arange(64)[None] < 32, 2.0, 6.0) * weight
  found = texture._spread(np.float32(values), weight)
  np.testing.assert_allclose(found[weight > 0], values[weight > 0])
  assert (found >= 2 - 1e-5).all() and (found <= 6 + 1e-5).all()
  assert (found[:, 12] < 3).all() and (found[:, 51] > 5).all()


def test_features_are_compared_beside_colours():
  """Two textures of one colour: only the features tell them apart."""
  image = np.full((64, 64, 3), 128, np.uint8)
  image[:, :32] = 128 + 40 * (np.arange(64) % 2)[:, None, None] - 20
  image[:, 32:] = 128 + 40 * (np.arange(64) % 2)[None, 32:, None] - 20
  mask = box((64, 64), 22, 24, 18, 18)
  sides = np.zeros((64, 64, 1), np.float32)
  sides[:, 32:] = 5.0
  found = texture.refine(
    image,
    filled(image, mask),
    mask,
    describe=lambda x: sides[: x.shape[0], : x.shape[1]],
  )
  for part, axis in ((found[26:36, 25:29], 0), (found[26:36, 36:40], 1)):
    part = part[..., 0].astype(float)
    along = np.abs(np.diff(part, axis=axis)).mean()
    assert along > 3 * np.abs(np.diff(part, axis=1 - axis)).mean()


def test_each_hole_is_refined_from_its_own_surroundings():
  image = np.full((64, 260, 3), 120, np.uint8)
  image[:, 130:] = 100 + noise(64, 130, 3) // 6
  left, right = (box((64, 260), 24, at, 14, 14) for at in (20, 220))
  mask = left | right
  given = filled(image, mask, 120)
  found = texture.refine_holes(image, given, mask, mask)
  assert roughness(found[24:38, 20:34]) < 1
  assert roughness(found[24:38, 220:234]) > 5
  only = texture.refine_holes(image, given, mask, left)
  np.testing.assert_array_equal(only[right], given[right])
  np.testing.assert_array_equal(found[~mask], image[~mask])


def test_what_does_not_fit_is_refused():
  image = noise(16, 16, 3)
  mask = box((16, 16), 4, 4, 4, 4)
  for bad in (
    (image.astype(float), image, mask),
    (image, image[:8], mask),
    (image, image, mask.astype(np.uint8)),
  ):
    with pytest.raises(ValueError, match='must be'):
      texture.refine(*bad)
  with pytest.raises(ValueError, match='odd'):
    texture.refine(image, image, mask, patch=4)
  for share in (0, 1.5):
    with pytest.raises(ValueError, match='share must be above 0'):
      texture.refine_holes(image, image, mask, mask & False, share=share)
  for wanted in (mask[:8], mask.astype(int)):
    with pytest.raises(ValueError, match='wanted must be bool'):
      texture.refine_holes(image, image, mask, wanted)
  image, mask = noise(32, 32, 3), box((32, 32), 9, 9, 9, 9)
  for describe in (lambda x: x[:-1], lambda x: x * np.nan):
    with pytest.raises(ValueError, match='describe must give finite'):
      texture.refine(image, image, mask, describe=describe)


def test_arrays_of_jax_are_as_good():
  arrays = noise(32, 32, 3), noise(32, 32, 3, seed=1), box((32, 32), 9, 9, 9, 9)
  others = [jnp.asarray(x) for x in arrays]
  for refine, wanted in ((texture.refine, 0), (texture.refine_holes, 1)):
    np.testing.assert_array_equal(
      refine(*others, *others[2:] * wanted),
      refine(*arrays, *arrays[2:] * wanted),
    )
