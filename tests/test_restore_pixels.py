"""Holes in pictures of 16 bit, and in grey ones."""

import numpy as np
import pytest
from arrays import box, noise, red

from inpaintax import restore


@pytest.mark.parametrize('multiple', [None, 8])
def test_known_pixels_keep_their_depth_and_grey_stays_one_channel(multiple):
  filler = restore.Filler(red, 16, 6, multiple)
  mask = box((48, 40), 12, 3, 5, 6)
  deep = np.random.default_rng(0).integers(0, 2**16, (48, 40, 3), np.uint16)
  # 0.299 of red's 255, as bright as it is.
  for image, new in (
    (deep, [65535, 0, 0]),
    (deep[..., 0], 76 * 257),
    (noise(48, 40), 76),
  ):
    found = restore.fill_image(image, mask, filler)
    assert found.dtype == image.dtype and found.shape == image.shape
    np.testing.assert_array_equal(found[~mask], image[~mask])
    assert (found[mask] == new).all()
  # As some readers leave it.
  np.testing.assert_array_equal(
    restore.fill_image(deep.astype('>u2'), mask, filler),
    restore.fill_image(deep, mask, filler),
  )
  for wrong in (deep[..., :2], deep.astype(np.int32), deep[None]):
    with pytest.raises(ValueError, match=r'uint8 or uint16, \[H, W\] or'):
      restore.fill_image(wrong, mask, filler)
