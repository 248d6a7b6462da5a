"""Batches: what they depend on, what they must not, and where crops fall."""

import collections
import json

import numpy as np
import pytest

from inpaintax import images
from inpaintax.data import batches
from inpaintax.errors import InputError


class Memory:
  """A source of arrays; counts how often each was asked for."""

  def __init__(self, arrays):
    self.arrays = arrays
    self.asked = collections.Counter()

  def __len__(self):
    return len(self.arrays)

  def __getitem__(self, index):
    self.asked[index] += 1
    return self.arrays[index]

  def name(self, index):
    return f'image {index}'


def labelled(count, side=4):
  """Every pixel of an image is its number."""
  return Memory([np.full((side, side, 3), i, np.uint8) for i in range(count)])


def noisy(sizes, seed=0):
  rng = np.random.default_rng(seed)
  return Memory([rng.integers(0, 256, (*s, 3), np.uint8) for s in sizes])


MIXED = [(9, 12), (20, 8), (5, 7), (8, 8), (30, 31), (8, 40), (3, 2)]


def train(source, *, batch_size=6, size=8, seed=3, **options):
  return batches.train_batches(
    source, batch_size=batch_size, size=size, seed=seed, **options
  )


def take(iterator, count):
  return np.stack([next(iterator) for _ in range(count)])


def numbers(iterator, count):
  """Which of the labelled images the next batches hold, in one row."""
  return take(iterator, count)[..., 0, 0, 0].reshape(-1)


def test_a_batch_is_uint8_of_the_size_asked_for():
  batch = next(train(noisy(MIXED)))
  assert batch.shape == (6, 8, 8, 3) and batch.dtype == np.uint8


def test_every_image_comes_once_an_epoch_and_each_epoch_has_its_own_order():
  epochs = numbers(train(labelled(20), size=4, batch_size=8), 10).reshape(4, 20)
  for epoch in epochs:
    assert sorted(epoch) == list(range(20))
  assert len({tuple(epoch) for epoch in epochs}) == 4


def test_a_batch_may_be_larger_than_the_source():
  seen = numbers(train(labelled(3), size=4, batch_size=7), 6)
  for epoch in seen.reshape(-1, 3):
    assert sorted(epoch) == [0, 1, 2]
  assert (numbers(train(labelled(1), size=4, batch_size=5), 2) == 0).all()


def test_all_orders_of_three_come_about_equally_often():
  epochs = numbers(train(labelled(3), size=4, batch_size=300), 20)
  orders = collections.Counter(map(tuple, epochs.reshape(-1, 3).tolist()))
  assert len(orders) == 6
  # 2000 epochs: 333 +- 17 of each; the bound is 5 deviations.
  assert all(abs(n - 2000 / 6) < 84 for n in orders.values())


@pytest.mark.parametrize('load_size', [None, 10])
def test_batches_depend_on_seed_and_position_alone(load_size):
  expected = take(train(noisy(MIXED), load_size=load_size), 12)
  for options in (
    {'threads': 0},
    {'threads': 1},
    {'threads': 8},
    {'cache_bytes': 0},
    {'cache_bytes': 1000},  # Room for some of the images.
  ):
    again = take(train(noisy(MIXED), load_size=load_size, **options), 12)
    np.testing.assert_array_equal(again, expected, str(options))
  other = take(train(noisy(MIXED), load_size=load_size, seed=4), 12)
  assert (other != expected).any()


def test_the_crops_of_an_image_differ_from_epoch_to_epoch():
  source = noisy([(64, 64)])
  crops = take(train(source, batch_size=1), 20)
  assert len(np.unique(crops.reshape(20, -1), axis=0)) == 20


@pytest.mark.parametrize('threads', [0, 2])
@pytest.mark.parametrize('done', [1, 2, 3, 17])
def test_a_restored_position_continues_bit_for_bit(done, threads):
  # 7 images, batches of 6: batch 1 lies on the first boundary of epochs.
  whole = take(train(noisy(MIXED), threads=threads), done + 10)
  first = train(noisy(MIXED), threads=threads)
  take(first, done)
  state = json.loads(json.dumps(first.get_state()))
  second = train(noisy(MIXED), threads=threads)
  next(second)  # A position that must be given up.
  second.set_state(state)
  np.testing.assert_array_equal(take(second, 10), whole[done:])
  # And back, in an iterator that has run on.
  first.set_state(state)
  np.testing.assert_array_equal(take(first, 10), whole[done:])


@pytest.mark.parametrize('count', [2, 3, 6])
def test_the_shards_together_are_the_whole_batch(count):
  whole = take(train(noisy(MIXED)), 9)
  shards = [
    take(train(noisy(MIXED), shard=(index, count)), 9) for index in range(count)
  ]
  np.testing.assert_array_equal(np.concatenate(shards, axis=1), whole)


def test_every_offset_occurs_equally_often_the_outermost_included():
  rows, columns = np.mgrid[:7, :9].astype(np.uint8)
  image = np.stack([rows, columns, rows], 2)
  crops = take(train(Memory([image]), batch_size=500, size=5, flip=False), 9)
  corners = collections.Counter(
    map(tuple, crops[..., 0, 0, :2].reshape(-1, 2).tolist())
  )
  assert set(corners) == {(y, x) for y in range(3) for x in range(5)}
  # 4500 crops, 15 places: 300 +- 17 each.
  assert all(abs(n - 300) < 84 for n in corners.values())


def test_half_of_the_crops_are_mirrored_left_to_right():
  image = noisy([(6, 6)]).arrays[0]
  crops = take(train(Memory([image]), batch_size=500, size=6), 4)
  crops = crops.reshape(-1, 6, 6, 3)
  mirrored = (crops == image[:, ::-1]).all((1, 2, 3))
  kept = (crops == image).all((1, 2, 3))
  assert (mirrored ^ kept).all()
  assert abs(mirrored.mean() - 0.5) < 0.056  # 5 deviations of 2000.


def test_without_flips_the_crops_stay_where_they_are():
  image = noisy([(12, 12)]).arrays[0]
  flipped = take(train(Memory([image]), size=5), 20).reshape(-1, 5, 5, 3)
  plain = take(train(Memory([image]), size=5, flip=False), 20)
  plain = plain.reshape(-1, 5, 5, 3)
  same = (flipped == plain).all((1, 2, 3))
  mirrored = (flipped == plain[:, :, ::-1]).all((1, 2, 3))
  assert (same | mirrored).all() and same.any() and mirrored.any()


def test_an_image_smaller_than_the_crop_is_enlarged_and_no_other():
  small = noisy([(3, 5)]).arrays[0]
  large = images.resize_short_side(small, 6)
  crops = take(train(Memory([small]), size=6, flip=False), 5)
  for crop in crops.reshape(-1, 6, 6, 3):
    assert any((crop == large[:, x : x + 6]).all() for x in range(5))


def test_the_load_size_is_the_short_side_before_the_crop():
  source = noisy([(20, 40)])
  resized = images.resize_short_side(source.arrays[0], 10)
  batch = next(train(source, size=10, load_size=10, flip=False))
  for crop in batch:
    assert any((crop == resized[:, x : x + 10]).all() for x in range(11))


def test_what_fits_into_memory_is_decoded_once():
  source = labelled(10)  # 48 bytes each.
  take(train(source, size=4, batch_size=10, threads=0), 5)
  assert set(source.asked.values()) == {1}
  source = labelled(10)
  take(train(source, size=4, batch_size=10, threads=0, cache_bytes=150), 5)
  assert sorted(source.asked.values()) == [1] * 3 + [5] * 7


@pytest.mark.parametrize(
  'options, told',
  [
    ({'batch_size': 0}, 'at least 1'),
    ({'size': 0}, 'at least 1'),
    ({'load_size': 7}, 'too small for crops of 8'),
    ({'shard': (0, 4)}, 'multiple of 4'),
    ({'shard': (2, 2)}, 'shard 2 of 2'),
    ({'shard': (-1, 2)}, 'shard -1 of 2'),
    ({'seed': -1}, 'seed -1'),
    ({'seed': 2**32}, 'seed 4294967296'),
    ({'threads': -1}, 'threads -1'),
  ],
)
def test_options_out_of_range_are_refused_at_once(options, told):
  with pytest.raises(InputError, match=told):
    train(noisy(MIXED), **options)


def test_an_empty_source_is_refused_at_once():
  with pytest.raises(InputError, match='empty'):
    train(Memory([]))
  with pytest.raises(InputError, match='empty'):
    batches.eval_batches(Memory([]), batch_size=1, size=1)


@pytest.mark.parametrize('threads', [0, 2])
def test_an_image_that_cannot_be_decoded_ends_the_batches(threads):
  class Broken(Memory):
    def __getitem__(self, index):
      return images.decode(b'no image', name=self.name(index))

  with pytest.raises(InputError, match=r'^image 0: not an image'):
    next(train(Broken([None]), threads=threads))
  thread = Memory([np.zeros((1, 20_000, 3), np.uint8)])
  with pytest.raises(InputError, match='image 0: an image of 20000x1'):
    next(train(thread, size=128, threads=threads))


@pytest.mark.parametrize(
  ('image', 'told'),
  [
    (np.zeros((8, 9, 3)), r'float64 \[8, 9, 3\]'),
    (np.zeros((8, 9), np.uint8), r'uint8 \[8, 9\]'),
    (np.zeros((8, 9, 4), np.uint8), r'uint8 \[8, 9, 4\]'),
  ],
)
def test_what_a_source_must_give_is_told(image, told):
  # Numbers within [0, 1] would become black ones without a word.
  with pytest.raises(InputError, match=f'image 0: a source gives.*{told}'):
    next(train(Memory([image])))


def test_evaluation_goes_once_through_all_in_order():
  found = list(batches.eval_batches(labelled(7), batch_size=3, size=4))
  assert [len(batch) for batch, _ in found] == [3, 3, 1]
  rows = np.concatenate([batch for batch, _ in found])
  np.testing.assert_array_equal(rows[:, 0, 0, 0], np.arange(7))
  names = [name for _, names in found for name in names]
  assert names == [f'image {i}' for i in range(7)]


def test_evaluation_crops_the_centre():
  image = noisy([(6, 9)]).arrays[0]

  def only(**options):
    iterator = batches.eval_batches(Memory([image]), batch_size=2, **options)
    return next(iterator)[0][0]

  np.testing.assert_array_equal(only(size=6), image[:, 1:7])
  np.testing.assert_array_equal(only(size=3, load_size=6), image[1:4, 3:6])
  small = images.resize_short_side(image, 4)  # 4 x 6
  np.testing.assert_array_equal(only(size=4), small[:, 1:5])


def test_evaluation_refuses_wrong_options_at_once():
  with pytest.raises(InputError, match='too small'):
    batches.eval_batches(labelled(3), batch_size=2, size=4, load_size=3)


def test_the_names_of_a_batch_are_those_of_its_images():
  source = labelled(7)
  stream = train(source, batch_size=4, size=4)
  for number in range(5):
    found = next(stream)[:, 0, 0, 0]
    names = batches.train_names(source, batch_size=4, seed=3, number=number)
    assert names == [f'image {n}' for n in found]
