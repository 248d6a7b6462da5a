import functools

import numpy as np
import pytest

from inpaintax.data import batches, forgiving, pool
from inpaintax.errors import InputError


class Source:
  """Images of their own number; those in `bad` cannot be read."""

  def __init__(self, length, bad=()):
    self.length, self.bad, self.tries = length, dict.fromkeys(bad, 10**9), []

  def __len__(self):
    return self.length

  def __getitem__(self, index):
    self.tries.append(index)
    if self.bad.get(index, 0) > 0:
      self.bad[index] -= 1
      raise InputError(f'{self.name(index)}: broken')
    return np.full((8 + index, 9, 3), index, np.uint8)

  def name(self, index):
    return f'{index}.png'


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
  monkeypatch.setattr(forgiving, '_PAUSE', 0)


def numbers(source):
  return [int(source[n][0, 0, 0]) for n in range(len(source))]


def test_the_next_good_image_stands_in_for_a_bad_one(tmp_path):
  listing = tmp_path / 'bad.txt'
  source = forgiving.Forgiving(Source(5, (1, 2, 4)), listing, share=0.6)
  assert numbers(source) == [0, 3, 3, 3, 0]
  assert numbers(source) == [0, 3, 3, 3, 0]
  assert listing.read_text().splitlines() == [
    f'{n}.png\t{n}.png: broken' for n in (1, 2, 4)
  ]
  assert len(source) == 5 and source.name(2) == '2.png'


@pytest.mark.scenario(30)
def test_a_bad_image_is_tried_twice_and_never_again(tmp_path):
  inner = Source(3, (1,))
  source = forgiving.Forgiving(inner, tmp_path / 'bad.txt')
  assert numbers(source) == numbers(source) == [0, 2, 2]
  assert inner.tries.count(1) == 2


def test_one_that_comes_back_is_not_bad(tmp_path):
  inner = Source(3, (1,))
  inner.bad[1] = 1
  source = forgiving.Forgiving(inner, tmp_path / 'bad.txt')
  assert numbers(source) == [0, 1, 2]
  assert not (tmp_path / 'bad.txt').exists()


def test_an_image_that_is_too_small_is_bad(tmp_path):
  source = forgiving.Forgiving(
    Source(100),
    tmp_path / 'bad.txt',
    check=functools.partial(pool.check, side=9),
  )
  assert numbers(source)[:3] == [1, 1, 2]
  assert (tmp_path / 'bad.txt').read_text() == (
    '0.png\t0.png: 9x8 pixels are too few for patches of 9x9\n'
  )


def test_more_than_a_share_end_it_and_the_last_is_named(tmp_path):
  source = forgiving.Forgiving(Source(200, (3, 7, 9)), tmp_path / 'bad.txt')
  assert source[3].max() == 4 and source[7].max() == 8
  with pytest.raises(InputError, match=r'3 of 200 images are bad.*9\.png'):
    source[9]


def test_a_list_that_is_there_is_added_to(tmp_path):
  listing = tmp_path / 'bad.txt'
  for bad in ((1,), (1, 2)):
    numbers(forgiving.Forgiving(Source(4, bad), listing, share=0.5))
  assert [line.split('\t')[0] for line in listing.read_text().splitlines()] == [
    '1.png',
    '2.png',
  ]


def test_batches_stay_a_function_of_seed_and_number(tmp_path):
  def first(count, threads, name):
    source = forgiving.Forgiving(
      Source(20, (3, 11)), tmp_path / name, share=0.1
    )
    stream = batches.train_batches(
      source, batch_size=4, size=8, seed=0, threads=threads
    )
    return [next(stream) for _ in range(count)]

  for one, other in zip(first(9, 0, 'a'), first(9, 2, 'b'), strict=True):
    np.testing.assert_array_equal(one, other)
