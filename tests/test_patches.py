import numpy as np
import pytest

from inpaintax import patches
from inpaintax.errors import InputError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize('length', [4, 5, 9, 16])
@pytest.mark.parametrize('stride', [1, 2, 3, 4])
def test_patches_cover_every_pixel_and_stay_inside(length, stride):
  found = patches.starts(length, 4, stride)
  covered = np.zeros(length, int)
  for start in found:
    covered[start : start + 4] += 1
  assert covered.min() >= 1 and found[0] == 0 and found[-1] == length - 4
  assert (np.diff(found) > 0).all()


@pytest.mark.parametrize('shape', [(9, 9), (10, 23), (31, 9)])
@pytest.mark.parametrize('stride', [1, 2, 5])
@pytest.mark.parametrize('window', [None, patches.gaussian_window(9)])
@pytest.mark.parametrize('batch_size', [1, 7, 10_000])
def test_identity_patches_give_the_image_back(
  shape, stride, window, batch_size
):
  image = RNG.normal(size=shape).astype(np.float32)
  sizes = []

  def model(found):
    sizes.append(len(found))
    return found

  restored = patches.restore(
    image, model, side=9, stride=stride, window=window, batch_size=batch_size
  )
  assert restored.dtype == np.float32
  np.testing.assert_allclose(restored, image, rtol=1e-5, atol=1e-6)
  assert max(sizes) <= batch_size


@pytest.mark.parametrize('stride', [1, 2, 3])
def test_the_central_part_alone_is_put_in_its_own_place(stride):
  image = RNG.normal(size=(12, 17)).astype(np.float32)
  restored = patches.restore(
    image, lambda found: found[:, 2:-2, 2:-2], side=7, stride=stride
  )
  np.testing.assert_allclose(restored, image, rtol=1e-5, atol=1e-6)


def test_a_pixel_is_the_weighted_mean_of_what_covers_it():
  # Patches of 2 at 0 and 1 of a line of 3; each says its own number.
  window = np.array([[1.0, 3.0], [1.0, 3.0]], np.float32)
  numbers = iter([10.0, 20.0])
  model = lambda found: np.stack(
    [np.full((2, 2), next(numbers)) for _ in found]
  )
  image = np.zeros((2, 3), np.float32)
  restored = patches.restore(image, model, side=2, window=window)
  assert restored.tolist() == [[10.0, (3 * 10 + 20) / 4, 20.0]] * 2


def test_the_gaussian_window_is_symmetric_and_highest_in_the_middle():
  window = patches.gaussian_window(7)
  assert window.shape == (7, 7) and window.min() > 0
  assert window[3, 3] == window.max() == 1
  for other in (window.T, window[::-1], window[:, ::-1]):
    np.testing.assert_array_equal(window, other)
  for width in (0.0, -1.0, float('nan')):
    with pytest.raises(ValueError, match='width must be above 0'):
      patches.gaussian_window(7, width=width)


@pytest.mark.parametrize('shape', [(1, 1), (2, 9), (9, 3), (4, 4)])
@pytest.mark.parametrize('output_side', [5, 3])
def test_small_images_are_mirrored_to_a_patch(shape, output_side):
  edge = (5 - output_side) // 2
  image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
  seen = []

  def model(found):
    seen.append(found)
    return found[:, edge : 5 - edge, edge : 5 - edge]

  window = np.ones((output_side, output_side))
  given = patches.restore(image, model, side=5, window=window)
  np.testing.assert_allclose(given, image, rtol=1e-6)
  # Nothing is seen that is not in the image.
  assert np.isin(np.concatenate(seen), image).all()


def test_no_pixels_and_wide_strides_are_refused():
  with pytest.raises(InputError, match='without pixels'):
    patches.restore(np.zeros((5, 0), np.float32), lambda x: x, side=5)
  with pytest.raises(InputError, match='shorter than the patches'):
    patches.starts(4, 5, 1)
  for stride in (0, 6):
    with pytest.raises(ValueError, match='stride'):
      patches.starts(9, 5, stride)
