"""Any hole in any image: scales, tiles, and no seam between them."""

import numpy as np
import pytest
from arrays import box, noise

from inpaintax import checkpoints, models, restore
from inpaintax.restore import tiles


def constant(value=200, seen=None):
  """A filler that paints one value, and remembers what it was given."""

  def fill(images, missing):
    if seen is not None:
      seen.append((images.copy(), missing.copy()))
    return np.where(missing[..., None], np.uint8(value), images)

  return fill


@pytest.mark.parametrize(
  ('side', 'expected'), [(6, 0), (16, 0), (17, 1), (32, 1), (40, 2), (100, 3)]
)
def test_a_hole_is_halved_until_it_is_shallow_enough(side, expected):
  mask = box((160, 160), 30, 30, side, side)
  found = tiles.halvings(mask, 8)
  assert (found[mask] == expected).all() and (found[~mask] == 0).all()


def test_long_thin_holes_and_neighbours_of_deep_ones_stay_as_they_are():
  mask = box((160, 300), 2, 0, 4, 300) | box((160, 300), 40, 40, 60, 60)
  found = tiles.halvings(mask, 8)
  assert (found[:6] == 0).all() and found[70, 70] == 2


def test_a_small_image_is_one_padded_tile():
  seen = []
  image, mask = noise(21, 37, 3), box((21, 37), 5, 5, 6, 6)
  found = tiles.fill(image, mask, constant(9, seen), limit=16, multiple=8)
  ((batch, missing),) = seen
  assert batch.shape == (1, 32, 64, 3) and missing.shape == (1, 32, 64)
  np.testing.assert_array_equal(batch[0, :21, :37], image)
  np.testing.assert_array_equal(found, np.where(mask[..., None], 9, image))


def test_only_tiles_with_something_missing_are_filled(monkeypatch):
  monkeypatch.setattr(tiles, '_TILE', 64)
  monkeypatch.setattr(tiles, '_OVERLAP', 16)
  seen = []
  image, mask = noise(200, 200, 3), box((200, 200), 5, 5, 6, 6)
  tiles.fill(image, mask, constant(9, seen), limit=16, multiple=8)
  assert len(seen) == 1
  np.testing.assert_array_equal(seen[0][0][0], image[:64, :64])


def test_where_tiles_overlap_they_are_mixed_without_a_step(monkeypatch):
  """Each tile paints another value: the mixture goes over smoothly."""
  monkeypatch.setattr(tiles, '_TILE', 64)
  monkeypatch.setattr(tiles, '_OVERLAP', 32)
  values = iter(range(100, 256, 20))

  def fill(images, missing):
    return np.where(missing[..., None], np.uint8(next(values)), images)

  image, mask = noise(64, 160, 3), box((64, 160), 30, 0, 4, 160)
  found = tiles.fill(image, mask, fill, limit=16, multiple=8)
  row = found[31, :, 0].astype(int)
  assert row[0] == 100 and row[-1] > 130
  assert np.abs(np.diff(row)).max() <= 2
  np.testing.assert_array_equal(found[~mask], image[~mask])


def test_a_deep_hole_is_seen_small_with_the_mean_of_what_is_known():
  seen = []
  image = np.full((128, 128, 3), 80, np.uint8)
  image[:, 64:] = 160
  mask = box((128, 128), 40, 40, 40, 40)
  image[mask] = 255  # Must not be seen.
  found = tiles.fill(image, mask, constant(9, seen), limit=5, multiple=8)
  ((batch, missing),) = seen
  small = batch[0, :32, :32]
  known = ~missing[0, :32, :32]
  assert set(np.unique(small[known])) <= {80, 160}
  # At the edge it goes over into what is known.
  assert (found[48:72, 48:72] == 9).all()
  np.testing.assert_array_equal(found[~mask], image[~mask])


def test_holes_of_different_depth_are_each_filled_at_their_scale():
  seen = []
  mask = box((256, 256), 20, 20, 80, 80) | box((256, 256), 200, 30, 6, 6)
  image = noise(256, 256, 3)
  tiles.fill(image, mask, constant(9, seen), limit=10, multiple=8)
  assert [batch.shape[1] for batch, _ in seen] == [256, 64]


@pytest.mark.parametrize('shape', [(64, 64), (1, 300), (5, 513), (320, 480)])
def test_one_known_pixel_is_enough(shape):
  seen = []
  image, mask = noise(*shape, 3), np.ones(shape, bool)
  mask[0, 7] = False
  found = tiles.fill(image, mask, constant(9, seen), limit=16, multiple=8)
  np.testing.assert_array_equal(found[0, 7], image[0, 7])
  (batch, missing), *_ = seen
  # Its colour is what the model sees, and nothing of the padding.
  assert set(map(tuple, batch[~missing])) == {tuple(image[0, 7])}


def test_a_frame_of_known_pixels_is_enough():
  image, mask = noise(320, 480, 3), box((320, 480), 4, 4, 312, 472)
  found = tiles.fill(image, mask, constant(9), limit=16, multiple=8)
  np.testing.assert_array_equal(found[~mask], image[~mask])


@pytest.fixture(scope='module')
def trained():
  """A model of any size, as its parameters were drawn."""
  import jax

  options = {
    'widths': [4, 8],
    'residual_blocks': 1,
    'told': True,
    'channelwise': False,
    'part': 1,
  }
  record = {
    'generator': {'name': 'residual_generator', 'options': options},
    'image_size': 32,
    'multiple': 4,
    'block': None,
    'hole': None,
    'fill': [0.0, 0.0, 0.0],
  }
  module = models.build(record['generator'])
  variables = jax.jit(
    lambda key: module.init(
      key, np.zeros((1, 32, 32, 3)), np.zeros((1, 32, 32, 1)), train=False
    )
  )(jax.random.key(0))
  return checkpoints.Trained(1, record, dict(variables))


@pytest.mark.parametrize('textured', [0.0, 0.5])
@pytest.mark.parametrize('blended', [False, True])
def test_a_model_of_any_size_fills_any_hole_and_known_pixels_stay(
  trained, blended, textured
):
  filler = restore.make_filler(trained, blended=blended)
  image = noise(70, 90, 3)
  mask = box((70, 90), 0, 10, 40, 50) | box((70, 90), 60, 0, 2, 90)
  found = restore.fill_image(image, mask, filler, textured=textured)
  assert found.shape == image.shape
  np.testing.assert_array_equal(found[~mask], image[~mask])
  assert (found[mask] != image[mask]).any()
  other = np.where(mask[..., None], noise(70, 90, 3, seed=1), image)
  np.testing.assert_array_equal(
    found, restore.fill_image(other, mask, filler, textured=textured)
  )


def test_a_batch_whose_sides_the_model_does_not_take_is_refused(trained):
  filler = restore.make_filler(trained)
  batch, missing = noise(1, 30, 32, 3), np.zeros((1, 30, 32), bool)
  with pytest.raises(ValueError, match='multiples of 4'):
    filler.fill(batch, missing)
