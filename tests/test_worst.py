"""The worst images: those of a sort, whatever the batches."""

import numpy as np
import pytest

from inpaintax.evaluate import Worst


@pytest.mark.parametrize('batch', [1, 3, 7, 20])
def test_the_worst_are_the_first_of_a_sort(batch):
  generator = np.random.default_rng(0)
  psnr = np.round(generator.uniform(5, 9, 20), 1)  # Some are equal.
  psnr[3] = psnr[12]
  names = [f'image {n}' for n in range(20)]
  pictures = generator.integers(0, 256, (20, 4, 4, 3)).astype(np.uint8)
  worst = Worst(6)
  for start in range(0, 20, batch):
    part = slice(start, start + batch)
    worst.add(
      names[part], psnr[part], {'a': pictures[part], 'b': 255 - pictures[part]}
    )
  expected = sorted(range(20), key=lambda n: (psnr[n], n))[:6]
  assert worst.names == [names[n] for n in expected]
  np.testing.assert_array_equal(worst.psnr_db, psnr[expected])
  np.testing.assert_array_equal(worst.pictures['a'], pictures[expected])
  np.testing.assert_array_equal(worst.pictures['b'], 255 - pictures[expected])


def test_fewer_images_than_wanted_are_all_kept():
  worst = Worst(5)
  assert not worst.names and not worst.pictures
  worst.add(['x'], np.array([3.0]), {'a': np.zeros((1, 2, 2, 3), np.uint8)})
  assert worst.names == ['x'] and len(worst.pictures['a']) == 1
