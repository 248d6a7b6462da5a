"""The table: figures by hand, the same images for all, files as promised."""

import csv
import functools
import json
import math

import numpy as np
import pytest

from inpaintax import evaluate, images
from inpaintax.corruptions import masks
from inpaintax.errors import InputError
from inpaintax.evaluate import filling, reports

SIZE, HOLE = 24, 8
CENTER = functools.partial(masks.center, hole=HOLE)


class Source:
  """Images in memory; of `count` flat ones, the n-th is n everywhere."""

  def __init__(self, arrays):
    self.arrays = list(arrays)

  @classmethod
  def flat(cls, count):
    return cls(np.full((SIZE, SIZE, 3), n, np.uint8) for n in range(count))

  @classmethod
  def noise(cls, count):
    draw = np.random.default_rng(0)
    return cls(draw.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8))

  def __len__(self):
    return len(self.arrays)

  def __getitem__(self, index):
    return self.arrays[index]

  def name(self, index):
    return f'image {index}'


def method(change, name='stub'):
  """Fills with `change(images)`, which may know the truth by other ways."""
  return filling.Method(name, lambda batch, missing: change(batch), False)


def measure(methods, source, draw=CENTER, **options):
  options = {'size': SIZE, 'seed': 0, 'batch_size': 3} | options
  return filling.compare(methods, source, draw, **options)


def test_a_row_is_what_one_calculates_by_hand():
  # 102 / 255 = 0.4 and 51 / 255 = 0.2 everywhere in the hole; 0 is known.
  levels = iter([0, 102, 51])  # The first call is the untimed one.
  fill = method(lambda batch: np.full_like(batch, next(levels)))
  (row,) = measure(
    [fill], Source([np.zeros((SIZE, SIZE, 3), np.uint8)] * 2), batch_size=1
  ).rows
  assert row['method'] == 'stub'
  assert row['l1_percent'] == pytest.approx(100 * (0.4 + 0.2) / 2, rel=1e-5)
  assert row['l2_percent'] == pytest.approx(100 * (0.16 + 0.04) / 2, rel=1e-5)
  psnrs = [-20 * math.log10(0.4), -20 * math.log10(0.2)]
  assert row['psnr_db'] == pytest.approx(sum(psnrs) / 2, rel=1e-5)
  assert row['psnr_of_mean_db'] == pytest.approx(10.0, rel=1e-5)
  assert row['psnr_db_ci95'] == pytest.approx(psnrs, rel=1e-5)
  assert row['sharpness'] == 1.0  # Flat, and flat in truth.
  assert row['seconds_per_image'] > 0


def test_the_keys_of_a_row_are_the_published_ones():
  (row,) = measure([method(lambda batch: batch)], Source.flat(1)).rows
  assert list(row) == [
    'method',
    'l1_percent',
    'l2_percent',
    'psnr_db',
    'psnr_db_ci95',
    'psnr_of_mean_db',
    'ssim',
    'sharpness',
    'seconds_per_image',
    'seam',
  ]


def test_the_truth_scores_as_perfect_in_finite_numbers():
  source = Source.noise(2)
  (row,) = measure([method(lambda b: np.stack(source.arrays))], source).rows
  assert row['l1_percent'] == row['l2_percent'] == 0
  assert row['psnr_db'] == row['psnr_of_mean_db'] == evaluate.PSNR_CAP
  assert row['psnr_db_ci95'] == [evaluate.PSNR_CAP] * 2
  assert row['ssim'] == pytest.approx(1)
  assert row['sharpness'] == row['seam'] == 1.0


def test_no_method_sees_what_it_has_to_guess():
  seen = []
  look = method(lambda batch: seen.append(batch) or batch)
  measure([look], Source([np.full((SIZE, SIZE, 3), 200, np.uint8)]))
  hole = np.zeros((SIZE, SIZE), bool)
  hole[8:16, 8:16] = True
  for batch in seen:
    assert (batch[:, ~hole] == 200).all() and (batch[:, hole] == 127).all()


def test_known_pixels_do_not_count_whatever_a_method_does_to_them():
  source = Source.noise(1)

  def spoil(batch):
    out = np.zeros_like(batch)
    out[:, 8:16, 8:16] = source.arrays[0][8:16, 8:16]
    return out

  (row,) = measure([method(spoil)], source).rows
  assert row['l1_percent'] == 0 and row['ssim'] == pytest.approx(1)


def test_sharpness_is_the_ratio_of_sums():
  # Steps of 10 down, and of 30 in the other image; the fill halves each.
  ramps = [
    np.repeat(np.arange(SIZE, dtype=np.uint8)[:, None, None] * s, SIZE, 1)
    for s in (10, 2)
  ]
  source = Source(np.repeat(ramp, 3, 2) for ramp in ramps)
  halves = lambda batch: np.stack([source.arrays[0] // 2, source.arrays[1]])
  (row,) = measure([method(halves)], source).rows
  assert row['sharpness'] == pytest.approx((5 + 2) / (10 + 2), rel=1e-5)


def test_a_flat_truth_has_no_sharpness_to_compare_with():
  source = Source.flat(1)
  rough = Source.noise(1).arrays[0]
  found = measure([method(lambda batch: rough[None])], source)
  assert found.rows[0]['sharpness'] is None
  assert reports.cells(found.rows[0])[6] == '–'


@pytest.mark.parametrize('limit', [None, 1, 3, 4, 7, 50])
def test_images_are_counted_once_in_their_order(limit):
  found = measure([method(lambda batch: batch)], Source.flat(7), limit=limit)
  count = min(7, limit or 7)
  assert found.names == [f'image {n}' for n in range(count)]
  errors = found.per_image['stub']['l1_percent']
  # The fill is the grey that stands for the unknown.
  expected = [100 * (127 - n) / 255 for n in range(count)]
  np.testing.assert_allclose(errors, expected, rtol=1e-5)


def test_neither_batches_nor_limits_change_the_holes():
  source, still = Source.noise(5), method(lambda batch: batch)
  whole = measure([still], source, masks.random_region, batch_size=5)
  parts = measure([still], source, masks.random_region, batch_size=2, limit=4)
  other = measure([still], source, masks.random_region, batch_size=5, seed=1)
  area = lambda found: found.per_image['stub']['missing_pixels']
  assert len(set(area(whole))) > 1
  np.testing.assert_array_equal(area(whole)[:4], area(parts))
  assert (area(whole) != area(other)).any()


def test_baselines_are_called_image_by_image():
  image = np.full((SIZE, SIZE, 3), 7, np.uint8)
  image[:4, :, 1] = 99
  expected = int(np.round((4 * 24 * 99 + (20 * 24 - 64) * 7) / (24 * 24 - 64)))
  found = measure([filling.baseline('mean')], Source([image] * 4))
  error = 100 * (expected - 7) / 3 / 255
  np.testing.assert_allclose(
    found.per_image['mean']['l1_percent'], [error] * 4, rtol=1e-5
  )


def test_compiled_methods_have_a_call_of_each_size_for_nothing():
  calls = []

  def fill(batch, missing):
    calls.append(len(batch))
    return batch

  measure([filling.Method('a', fill, True)], Source.flat(8))
  assert calls == [3, 3, 3, 2, 2]
  calls.clear()
  measure([filling.Method('a', fill, False)], Source.flat(8))
  assert calls == [1, 3, 3, 2]


def test_the_interval_holds_the_mean_and_is_as_wide_as_it_should_be():
  values = np.random.default_rng(3).normal(20, 4, 400)
  low, high = evaluate.bootstrap_interval(values, seed=0)
  assert low < values.mean() < high
  # Of a mean of 400: 2 * 1.96 * 4 / 20.
  assert high - low == pytest.approx(0.784, rel=0.1)
  assert evaluate.bootstrap_interval(values, seed=0) == (low, high)
  assert evaluate.bootstrap_interval(values[:1], seed=0) == (values[0],) * 2


def test_the_files_say_what_was_measured(tmp_path):
  source = Source.noise(4)
  methods = [method(lambda b: b), method(lambda b: b // 2, 'half')]
  found = measure(methods, source, pictures=3)
  out = tmp_path / 'new' / 'folder'
  grid = reports.write(
    out, found, {'data': 'noise', 'seed': 0}, protocol='In the hole.'
  )
  assert sorted(path.name for path in out.iterdir()) == [
    'grid.png',
    'per_image.csv',
    'results.json',
    'results.md',
    'worst.png',
  ]
  results = json.loads((out / 'results.json').read_text())
  assert results['n'] == 4 and results['rows'] == found.rows
  assert (results['data'], results['seed']) == ('noise', 0)
  pairs = zip(found.worst.names, found.worst.psnr_db, strict=True)
  assert results['worst'] == [
    {'image': n, 'psnr_db': psnr} for n, psnr in pairs
  ]
  with (out / 'per_image.csv').open() as file:
    lines = list(csv.DictReader(file))
  assert [line['image'] for line in lines] == found.names * 2
  assert [line['method'] for line in lines] == ['stub'] * 4 + ['half'] * 4
  for row, part in zip(found.rows, (lines[:4], lines[4:]), strict=True):
    mean = np.mean([float(line['psnr_db']) for line in part])
    assert mean == pytest.approx(row['psnr_db'])
  text = (out / 'results.md').read_text()
  for row in found.rows:
    assert '| ' + ' | '.join(reports.cells(row)) + ' |' in text
  # 24 pixels, enlarged five times: four rows of three tiles of 120, 4 apart.
  picture = images.read(grid)
  assert picture.shape[0] == 4 + 4 * 124
  names = picture.shape[1] - 4 - 3 * 124
  assert 30 < names < 100
  shown = [
    picture[4 + 124 * r + 2 :: 5, names + 4 + 124 * c + 2 :: 5][:24, :24]
    for r in range(4)
    for c in range(3)
  ]
  rows = [np.stack(shown[3 * r : 3 * r + 3]) for r in range(4)]
  for row, (_, expected) in zip(rows, found.pictures, strict=True):
    np.testing.assert_array_equal(row, expected)
  np.testing.assert_array_equal(rows[0], np.stack(source.arrays[:3]))
  assert (rows[1][:, 8:16, 8:16] == 127).all()
  assert (rows[3][:, 8:16, 8:16] == 63).all()


@pytest.mark.parametrize(
  'names', [('original',), ('a', 'masked'), ('a mirrored', 'b', 'a mirrored')]
)
def test_rows_that_would_be_taken_for_one_another_are_refused(names):
  with pytest.raises(InputError, match='each row needs a name of its own'):
    measure([method(lambda batch: batch, name) for name in names], Source([]))


def test_no_picture_of_an_older_evaluation_is_left(tmp_path):
  found = measure([method(lambda batch: batch)], Source.noise(2))
  reports.write(tmp_path, found, {}, protocol='')
  assert (tmp_path / 'worst.png').exists()
  reports.write(tmp_path, found._replace(worst=None), {}, protocol='')
  assert not (tmp_path / 'worst.png').exists()
