import jax.numpy as jnp
import numpy as np
import pytest

from inpaintax import baselines, errors

every_baseline = pytest.mark.parametrize('name', baselines.BASELINES)


def photograph(height=32, width=40):
  """Smooth, coloured, with a little noise: no ties, nothing special."""
  rows, columns = np.mgrid[:height, :width]
  waves = [
    127 + 90 * np.sin(rows / 7 + k) * np.cos(columns / (5 + k))
    for k in range(3)
  ]
  image = np.stack(waves, -1)
  image += np.random.default_rng(0).normal(0, 3, image.shape)
  return image.clip(0, 255).astype(np.uint8)


def block(height=32, width=40):
  mask = np.zeros((height, width), bool)
  mask[10:20, 12:26] = True
  return mask


class TestEveryBaseline:
  @every_baseline
  @pytest.mark.parametrize('kind', ['block', 'border', 'scattered', 'none'])
  def test_known_pixels_keep_their_bits(self, name, kind):
    image, mask = photograph(), np.zeros((32, 40), bool)
    if kind == 'block':
      mask = block()
    elif kind == 'border':
      mask[:, :3] = mask[-4:] = True
    elif kind == 'scattered':
      mask = np.random.default_rng(1).random(mask.shape) < 0.5
    before = image.copy()
    filled = baselines.BASELINES[name](image, mask)
    assert filled.dtype == np.uint8 and filled.shape == image.shape
    np.testing.assert_array_equal(filled[~mask], image[~mask])
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(filled, image)

  @every_baseline
  def test_what_was_in_the_hole_does_not_matter(self, name):
    image, mask = photograph(), block()
    other = image.copy()
    other[mask] = 255 - other[mask]
    np.testing.assert_array_equal(
      baselines.BASELINES[name](image, mask),
      baselines.BASELINES[name](other, mask),
    )

  @every_baseline
  def test_one_colour_is_continued(self, name):
    image = np.empty((32, 40, 3), np.uint8)
    image[:] = (10, 200, 77)
    holed = np.where(block()[..., None], 0, image).astype(np.uint8)
    filled = baselines.BASELINES[name](holed, block())
    # OpenCV's Telea divides sums of weights that it has rounded.
    np.testing.assert_allclose(
      filled.astype(int), image, atol=2 if name == 'telea' else 0
    )

  @every_baseline
  def test_channels_are_treated_alike(self, name):
    image, mask = photograph(), block()
    filled = baselines.BASELINES[name](image, mask)
    turned = baselines.BASELINES[name](image[..., ::-1], mask)
    np.testing.assert_array_equal(turned[..., ::-1], filled)

  @every_baseline
  def test_refuses(self, name):
    image, mask = photograph(), block()
    fill = baselines.BASELINES[name]
    with pytest.raises(errors.InputError, match='every pixel'):
      fill(image, np.ones_like(mask))
    for wrong_image, wrong_mask in [
      (image / 255, mask),
      (image[..., 0], mask),
      (image[..., :1], mask),
      (image, mask.astype(np.uint8)),
      (image, mask[:-1]),
      (image, mask[..., None]),
    ]:
      with pytest.raises(ValueError):
        fill(wrong_image, wrong_mask)


def test_mean_is_that_of_the_known_pixels():
  image = np.zeros((2, 2, 3), np.uint8)
  image[0, 0] = (10, 20, 30)
  image[0, 1] = (20, 20, 33)
  image[1, 0] = (30, 21, 30)
  mask = np.array([[False, False], [False, True]])
  # 60 / 3, 61 / 3 and 93 / 3, rounded.
  np.testing.assert_array_equal(baselines.mean(image, mask)[1, 1], (20, 20, 31))


@pytest.mark.parametrize('slope', [(0, 4), (3, 0), (3, 2), (-3, 2)])
def test_biharmonic_recovers_a_linear_ramp_exactly(slope):
  rows, columns = np.mgrid[:32, :40]
  ramp = slope[0] * rows + slope[1] * columns
  ramp -= ramp.min()
  image = np.stack([ramp, 255 - ramp, 0 * ramp + 9], -1).astype(np.uint8)
  holed = np.where(block()[..., None], 255, image).astype(np.uint8)
  np.testing.assert_array_equal(baselines.biharmonic(holed, block()), image)


def test_smooth_fills_beat_the_mean_on_a_smooth_picture():
  image, mask = photograph(), block()

  def error(name):
    filled = baselines.BASELINES[name](image, mask).astype(float)
    return np.square(filled - image)[mask].mean()

  for name in ('telea', 'ns', 'biharmonic'):
    assert error(name) < error('mean') / 2


@every_baseline
def test_nothing_under_the_mask_leaks_also_at_the_border(name):
  image = np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)
  mask = np.zeros((24, 20), bool)
  mask[:9, :7] = mask[15:, 12:] = True
  other = np.where(mask[..., None], 255 - image, image)
  image.setflags(write=False)
  filled = baselines.BASELINES[name](image, mask)
  np.testing.assert_array_equal(filled, baselines.BASELINES[name](other, mask))


@every_baseline
def test_arrays_of_jax_are_as_good(name):
  image, mask = photograph(), block()
  np.testing.assert_array_equal(
    baselines.BASELINES[name](jnp.asarray(image), jnp.asarray(mask)),
    baselines.BASELINES[name](image, mask),
  )


@pytest.mark.parametrize('name', baselines.DENOISERS)
@pytest.mark.parametrize('shape', [(1, 50), (50, 1), (7, 9)])
def test_denoisers_keep_the_shape(name, shape):
  grey = np.resize(photograph()[..., 0], shape).astype(np.float32)
  assert baselines.DENOISERS[name](grey, 10.0).shape == shape


@pytest.mark.parametrize('name', baselines.DENOISERS)
def test_denoisers_refuse_what_they_would_misunderstand(name):
  denoise = baselines.DENOISERS[name]
  grey = photograph()[..., 0].astype(np.float32)
  assert denoise(grey, 10.0).dtype == np.float32
  for noisy in (photograph()[..., 0], photograph().astype(np.float32)):
    with pytest.raises(ValueError, match=r'must be float32 \[H, W\]'):
      denoise(noisy, 10.0)
  for sigma in (0.0, float('nan')):
    with pytest.raises(ValueError, match='sigma must be above 0'):
      denoise(grey, sigma)
