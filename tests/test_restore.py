"""Filling holes: known pixels come back, windows see what they should."""

import jax.numpy as jnp
import numpy as np
import pytest
from arrays import box, noise, red
from flax import linen as nn

from inpaintax import checkpoints, models, restore
from inpaintax.errors import CheckpointError, InputError
from inpaintax.models import blocks

FILL = (0.2, -0.4, 0.6)
FILL_8BIT = (153, 76, 204)  # (FILL + 1) * 127.5 = 153, 76.5, 204; half to even.


class Stub(nn.Module):
  """Returns what it observes, or the mean of what it takes for known."""

  block: int
  kind: str
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, observed, mask, *, train):
    gain = self.param('gain', nn.initializers.ones, ())
    if self.kind == 'mean':
      known = 1 - mask
      mean = (observed * known).sum((1, 2), keepdims=True) / known.sum(
        (1, 2), keepdims=True
      )
      observed = jnp.broadcast_to(mean, observed.shape)
    return gain * blocks.center_crop(observed, (self.block, self.block))


@pytest.fixture
def trained(monkeypatch):
  monkeypatch.setitem(models.MODELS, 'stub', Stub)

  def make(kind='echo', size=16, block=8, hole=6, gain=1.0):
    options = {'block': block or size, 'kind': kind}
    record = {
      'generator': {'name': 'stub', 'options': options},
      'image_size': size,
      'block': block,
      'hole': hole,
      'fill': list(FILL),
    }
    variables = {'params': {'gain': np.float32(gain)}, 'batch_stats': {}}
    return checkpoints.Trained(7, record, variables)

  return make


def test_a_fill_of_what_is_observed_gives_the_fill_colour_in_the_hole(trained):
  filler = restore.make_filler(trained())
  batch, missing = (
    noise(3, 16, 16, 3),
    np.stack([box((16, 16), 5, 5, 6, 6)] * 3),
  )
  filled = filler.fill(batch, missing)
  assert filled.dtype == np.uint8 and (filler.size, filler.hole) == (16, 6)
  np.testing.assert_array_equal(filled[~missing], batch[~missing])
  np.testing.assert_array_equal(filled[missing], [FILL_8BIT] * 108)


def test_the_whole_square_is_erased_however_little_is_missing(trained):
  # The mean of the known pixels: 10 outside the square, whatever is inside.
  batch = np.full((1, 16, 16, 3), 10, np.uint8)
  batch[:, 5:11, 5:11] = 250
  missing = box((16, 16), 7, 8, 1, 2)[None]
  filled = restore.make_filler(trained('mean')).fill(batch, missing)
  expected = batch.copy()
  expected[missing] = 10
  np.testing.assert_array_equal(filled, expected)


def test_a_mirrored_fill_is_the_mean_of_both_ways(trained, monkeypatch):
  class Slanted(nn.Module):
    """Gives grey that grows from left to right."""

    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, observed, mask, *, train):
      gain = self.param('gain', nn.initializers.ones, ())
      return gain * jnp.broadcast_to(
        jnp.linspace(-0.5, 0.3, 16)[:, None], observed.shape
      )

  monkeypatch.setitem(models.MODELS, 'slanted', Slanted)
  model = trained(block=None, hole=None)
  model.record['generator'] = {'name': 'slanted', 'options': {}}
  plain, both = (
    restore.make_filler(model, mirrored=mirrored).fill
    for mirrored in (False, True)
  )
  batch = noise(2, 16, 16, 3)
  missing = np.stack([box((16, 16), 3, 2, 6, 13)] * 2)
  one = plain(batch, missing).astype(int)
  other = plain(batch[:, :, ::-1], missing[:, :, ::-1])[:, :, ::-1]
  found = both(batch, missing)
  mean = (one + other) / 2
  assert (one != other)[missing].mean() > 0.9
  np.testing.assert_allclose(found[missing], mean[missing], atol=1)
  np.testing.assert_array_equal(found[~missing], batch[~missing])


def test_a_model_for_any_mask_sees_the_mask_as_it_is(trained):
  # 16 * 16 - 2 known pixels, of which 100 are 250 and the others 10.
  batch = np.full((1, 16, 16, 3), 10, np.uint8)
  batch[:, :10, :10] = 250
  missing = box((16, 16), 15, 14, 1, 2)[None]
  filler = restore.make_filler(trained('mean', block=None, hole=None))
  filled = filler.fill(batch, missing)
  np.testing.assert_array_equal(filled[missing], np.full((2, 3), 104))
  np.testing.assert_array_equal(filled[~missing], batch[~missing])


@pytest.mark.parametrize('count', [0, 1, 2, 3, 4, 5, 9])
def test_batches_of_any_length_are_filled_row_by_row(trained, count):
  filler = restore.make_filler(trained('mean'), batch_size=4)
  batch = np.full((count, 16, 16, 3), 0, np.uint8)
  batch += np.arange(count, dtype=np.uint8)[:, None, None, None]
  before = batch.copy()
  missing = np.tile(box((16, 16), 5, 5, 6, 6), (count, 1, 1))
  np.testing.assert_array_equal(filler.fill(batch, missing), before)


def test_a_mask_outside_the_square_is_refused(trained):
  filler = restore.make_filler(trained())
  with pytest.raises(InputError, match='only the 6x6 pixels in the centre'):
    filler.fill(noise(1, 16, 16, 3), box((16, 16), 4, 5, 6, 6)[None])


def test_wrong_shapes_and_types_are_refused(trained):
  fill = restore.make_filler(trained()).fill
  missing = np.zeros((1, 16, 16), bool)
  with pytest.raises(ValueError, match='images must be uint8'):
    fill(noise(1, 15, 16, 3), missing)
  with pytest.raises(ValueError, match='images must be uint8'):
    fill(np.zeros((1, 16, 16, 3), np.float32), missing)
  with pytest.raises(ValueError, match='masks must be bool'):
    fill(noise(1, 16, 16, 3), missing.astype(np.float32))


def test_a_diverged_model_is_refused(trained):
  filler = restore.make_filler(trained(gain=np.nan))
  with pytest.raises(CheckpointError, match=r'step 7 .* not finite'):
    filler.fill(noise(1, 16, 16, 3), np.zeros((1, 16, 16), bool))


@pytest.mark.parametrize('hole', [6, None])
@pytest.mark.parametrize(
  'shape', [(1, 2), (3, 50), (7, 7), (16, 16), (17, 40), (61, 33)]
)
def test_known_pixels_come_back_and_every_hole_is_filled(hole, shape):
  filler = restore.Filler(red, 16, hole)
  for seed in range(20):
    draw = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    for _ in range(draw.integers(1, 6)):
      top, left = (draw.integers(0, side) for side in shape)
      mask[top : top + draw.integers(1, 4), left : left + 2] = True
    if mask.all():
      continue
    image = noise(*shape, 3, seed=seed)
    before = image.copy()
    try:
      filled = restore.fill_image(image, mask, filler)
    except InputError:
      continue  # Touching holes may have become too large.
    np.testing.assert_array_equal(filled, red(image[None], mask[None])[0])
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize('top', [0, 1, 7, 20, 33, 34])
@pytest.mark.parametrize('left', [0, 2, 11, 23, 24])
def test_a_hole_of_the_full_size_is_filled_at_its_place(top, left):
  image, mask = noise(40, 30, 3), box((40, 30), top, left, 6, 6)
  filled = restore.fill_image(image, mask, restore.Filler(red, 16, 6))
  np.testing.assert_array_equal(filled, red(image[None], mask[None])[0])


def test_the_model_gets_the_surroundings_of_the_hole():
  seen = []

  def look(batch, missing):
    seen.append((batch, missing))
    return red(batch, missing)

  image, mask = noise(40, 30, 3), box((40, 30), 20, 12, 6, 6)
  restore.fill_image(image, mask, restore.Filler(look, 16, 6))
  ((batch, missing),) = seen
  np.testing.assert_array_equal(batch[0], image[15:31, 7:23])
  np.testing.assert_array_equal(missing[0], mask[15:31, 7:23])


@pytest.mark.parametrize('hole', [6, None])
def test_what_lies_under_the_mask_has_no_influence(trained, hole):
  filler = restore.make_filler(
    trained('mean', block=None if hole is None else 8, hole=hole)
  )
  # At the border, where it would be mirrored, and two in one window.
  mask = box((30, 30), 0, 2, 4, 5) | box((30, 30), 7, 9, 6, 2)
  image = noise(30, 30, 3)
  other = np.where(mask[..., None], noise(30, 30, 3, seed=1), image)
  assert (image != other).any()
  np.testing.assert_array_equal(
    restore.fill_image(image, mask, filler),
    restore.fill_image(other, mask, filler),
  )


def test_a_flat_image_is_restored_to_itself(trained):
  image = np.full((25, 40, 3), (30, 90, 200), np.uint8)
  mask = np.zeros((25, 40), bool)
  mask[::8, ::9] = True
  mask[0:5, 33:39] = True
  dirty = np.where(mask[..., None], np.uint8(255), image)
  filler = restore.make_filler(trained('mean'))
  # NumPy's arrays or JAX's.
  for given in ((dirty, mask), (jnp.asarray(dirty), jnp.asarray(mask))):
    filled = restore.fill_image(*given, filler)
    np.testing.assert_array_equal(filled, image)


@pytest.mark.parametrize('multiple', [None, 8])
@pytest.mark.parametrize('textured', [0.0, 1.0])
def test_a_grey_photograph_is_filled_in_grey(multiple, textured):
  filler = restore.Filler(red, 16, 6, multiple)
  grey = np.repeat(noise(48, 40, 1), 3, axis=2)
  mask = box((48, 40), 12, 3, 5, 6)
  found = restore.fill_image(grey, mask, filler, textured=textured)
  assert (found == found[..., :1]).all()
  np.testing.assert_array_equal(found[~mask], grey[~mask])
  if not textured:  # 0.299 of 255.
    assert (found[mask] == 76).all()
  # A known pixel makes it a coloured one, what is under the mask does not.
  grey[mask, 0] = 255 - grey[mask, 0]
  again = restore.fill_image(grey, mask, filler, textured=textured)
  np.testing.assert_array_equal(again, found)
  grey[0, 0, 0] ^= 1
  found = restore.fill_image(grey, mask, filler)
  assert (found[mask] == [255, 0, 0]).all()


def test_an_empty_mask_gives_the_image_back_without_the_model():
  image = noise(9, 5, 3)
  filler = restore.Filler(pytest.fail, 16, 6)
  filled = restore.fill_image(image, np.zeros((9, 5), bool), filler)
  np.testing.assert_array_equal(filled, image)
  assert filled is not image


def test_a_hole_that_does_not_fit_is_refused_by_name_and_limit():
  filler = restore.Filler(red, 16, 6)
  mask = box((40, 40), 3, 20, 6, 7) | box((40, 40), 20, 1, 2, 9)
  with pytest.raises(
    InputError,
    match=r'7x6 pixels .* column 20, row 3 .*\(and 1 more\).*up to 6x6',
  ):
    restore.fill_image(noise(40, 40, 3), mask, filler)


def test_masks_that_no_model_can_fill_are_refused():
  filler = restore.Filler(red, 16, 6)
  with pytest.raises(InputError, match=r'mask is 5x9 .* image 9x5'):
    restore.fill_image(noise(5, 9, 3), np.zeros((9, 5), bool), filler)
  with pytest.raises(InputError, match='every pixel as missing'):
    restore.fill_image(noise(5, 9, 3), np.ones((5, 9), bool), filler)
  with pytest.raises(ValueError, match=r'textured must be in \[0, 1\], got 2'):
    restore.fill_image(
      noise(5, 9, 3), box((5, 9), 1, 1, 1, 1), filler, textured=2
    )
  with pytest.raises(InputError, match='nothing is known in the 16x16'):
    mask = box((16, 30), 0, 0, 16, 16)
    restore.fill_image(noise(16, 30, 3), mask, filler._replace(hole=None))


def test_a_denoiser_is_refused():
  record = {'generator': {'name': 'stacked_autoencoder', 'options': {}}}
  with pytest.raises(ValueError, match='no generator that fills holes'):
    restore.make_filler(checkpoints.Trained(1, record, {}))


@pytest.mark.parametrize('batch_size', [0, -1])
def test_batches_without_images_are_refused(trained, batch_size):
  with pytest.raises(ValueError, match='batch_size must be at least 1'):
    restore.make_filler(trained(), batch_size=batch_size)
