import cv2
import jax
import numpy as np
import pytest

from inpaintax import errors
from inpaintax.corruptions import banks, masks


def write(path, mask):
  path.parent.mkdir(parents=True, exist_ok=True)
  assert cv2.imwrite(str(path), np.asarray(mask, np.uint8) * 255)


def stripe(rows, height=8, width=8):
  mask = np.zeros((height, width), bool)
  mask[:rows] = True
  return mask


def test_reads_all_masks_in_order_and_leaves_the_rest(tmp_path):
  write(tmp_path / 'b.png', stripe(2))
  write(tmp_path / 'a.PNG', stripe(1))
  write(tmp_path / 'c' / 'd.bmp', stripe(3))
  write(tmp_path / '.hidden.png', stripe(4))
  (tmp_path / 'notes.txt').write_text('white is missing')
  bank = banks.load(tmp_path, (8, 8))
  assert bank.shape == (3, 8, 8, 1) and bank.dtype == np.float32
  for mask, rows in zip(bank, (1, 2, 3), strict=True):
    np.testing.assert_array_equal(mask[..., 0], stripe(rows))


def test_takes_the_nearest_pixel_at_another_size(tmp_path):
  mask = np.array([[0, 1, 0], [0, 0, 1]], bool)
  write(tmp_path / 'a.png', mask)
  larger = banks.load(tmp_path, (8, 9))[0, ..., 0]
  np.testing.assert_array_equal(larger, mask.repeat(4, 0).repeat(3, 1))
  # And back: the middle of each cell.
  write(tmp_path / 'a.png', larger)
  smaller = banks.load(tmp_path, (2, 3))[0, ..., 0]
  np.testing.assert_array_equal(smaller, mask)


def test_the_nearest_pixel_is_the_middle_one(tmp_path):
  mask = np.zeros((9, 15), bool)
  mask[4, 7] = True
  write(tmp_path / 'a.png', mask)
  np.testing.assert_array_equal(
    banks.load(tmp_path, (3, 3))[0, ..., 0],
    [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
  )


def test_a_bank_serves_from_bank(tmp_path):
  write(tmp_path / 'a.png', stripe(2))
  keys = jax.random.split(jax.random.key(0), 3)
  drawn = masks.from_bank(keys, (8, 8), bank=banks.load(tmp_path, (8, 8)))
  np.testing.assert_array_equal(drawn.mean((1, 2, 3)), 0.25)


def test_refuses_a_missing_and_an_empty_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(errors.InputError, match=f'{tmp_path}/nowhere: no such'):
    banks.load('nowhere', (8, 8))
  (tmp_path / 'notes.txt').write_text('')
  with pytest.raises(errors.InputError, match=r'no mask .*\.png'):
    banks.load(tmp_path, (8, 8))


def test_refuses_an_unreadable_mask_by_name(tmp_path):
  (tmp_path / 'bad.png').write_bytes(b'no picture')
  with pytest.raises(errors.InputError, match=r'bad\.png'):
    banks.load(tmp_path, (8, 8))


@pytest.mark.parametrize(('rows', 'state'), [(0, 'known'), (8, 'missing')])
def test_refuses_a_mask_that_erases_nothing_or_all(tmp_path, rows, state):
  write(tmp_path / 'flat.png', stripe(rows))
  with pytest.raises(errors.InputError, match=rf'flat\.png.* {state} .*4 x 4'):
    banks.load(tmp_path, (4, 4))
