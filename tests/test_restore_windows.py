"""Windows: where holes are filled, and what the model sees there."""

import cv2
import numpy as np
import pytest
from arrays import box, noise

from inpaintax.restore import windows


def test_groups_hold_whole_holes_and_fit_into_the_square():
  for seed in range(30):
    mask = np.random.default_rng(seed).random((50, 60)) < 0.03
    groups, boxes = windows.group(mask, 8)
    np.testing.assert_array_equal(groups > 0, mask)
    assert sorted(set(groups[mask])) == list(range(1, len(boxes) + 1))
    for number, (top, left, bottom, right) in enumerate(boxes, 1):
      rows, columns = np.nonzero(groups == number)
      assert (rows.min(), rows.max() + 1) == (top, bottom)
      assert (columns.min(), columns.max() + 1) == (left, right)
      assert max(bottom - top, right - left) <= 8
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    for label in range(1, labels.max() + 1):
      assert len(set(groups[labels == label])) == 1
    assert len(boxes) < labels.max()


@pytest.mark.parametrize(
  'box, shape, expected',
  [
    ((20, 12, 26, 18), (40, 30), (15, 7)),  # Centred: 23 - 8, 15 - 8.
    ((20, 12, 21, 13), (40, 30), (12, 4)),  # (41 - 16) // 2, (25 - 16) // 2.
    ((0, 0, 6, 6), (40, 30), (-5, -5)),  # In the square, not in the image.
    ((3, 0, 5, 6), (40, 30), (-2, -5)),  # As far in as the square lets it.
    ((4, 22, 6, 24), (40, 30), (-1, 14)),  # 15 would be centred: 31 > 30.
    ((2, 2, 4, 4), (10, 16), (-5, -3)),  # Smaller than the window: all seen.
  ],
)
def test_windows_prefer_pixels_that_exist(box, shape, expected):
  assert windows.place(box, shape, size=16, side=6) == expected


def test_beyond_the_border_the_image_is_mirrored():
  image = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones(3, np.uint8)
  crop, missing = windows.cut(
    image, np.zeros((5, 1), bool), (-3, -3), size=12, side=4
  )
  for column in range(12):
    np.testing.assert_array_equal(
      crop[:, column, 0], [3, 2, 1, 0, 1, 2, 3, 4, 3, 2, 1, 0]
    )
  assert not missing.any()


def test_other_holes_are_guessed_outside_the_square_alone():
  image = np.full((16, 16, 3), 80, np.uint8)
  mask = box((16, 16), 1, 1, 2, 2) | box((16, 16), 7, 7, 2, 2)
  image[mask] = 255
  crop, missing = windows.cut(image, mask, (0, 0), size=16, side=6)
  np.testing.assert_array_equal(missing, box((16, 16), 7, 7, 2, 2))
  np.testing.assert_array_equal(crop[~missing], np.full((252, 3), 80))


def test_a_guess_does_not_depend_on_what_lies_under_the_mask():
  # OpenCV reads missing pixels at the border of an image.
  for seed in range(20):
    draw = np.random.default_rng(seed)
    mask = box((16, 16), 7, 7, 2, 2)
    for top, left in draw.integers(0, 15, (3, 2)):
      mask |= box((16, 16), top, left, 3, 3)
    one, two = noise(16, 16, 3, seed=seed), noise(16, 16, 3, seed=seed)
    two[mask] ^= 255
    crops = [windows.cut(x, mask, (0, 0), size=16, side=4) for x in (one, two)]
    np.testing.assert_array_equal(crops[0][0], crops[1][0])
