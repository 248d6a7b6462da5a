import jax
import numpy as np
import pytest

from inpaintax import images
from inpaintax.data import pool
from inpaintax.data.sources import open_source
from inpaintax.errors import InputError


@pytest.fixture
def folder(tmp_path):
  """Two images of different sizes in which each pixel tells its place."""
  for name, shape, first in (('a', (3, 5), 0), ('b', (4, 3), 100)):
    grey = first + np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    images.write(tmp_path / f'{name}.png', np.stack([grey] * 3, -1))
  return open_source(f'folder:{tmp_path}')


def all_ways(patch):
  turns = [np.rot90(patch, k) for k in range(4)]
  return {p.tobytes() for turn in turns for p in (turn, turn[:, ::-1])}


def test_every_place_and_way_occurs_equally_often(folder):
  found = pool.load(folder, side=2)
  count = 20_000
  patches = np.asarray(
    jax.jit(lambda keys: pool.cut(keys, found, side=2))(
      jax.random.split(jax.random.key(0), count)
    )
  )
  assert patches.shape == (count, 2, 2, 1) and patches.dtype == np.uint8
  a = np.arange(15, dtype=np.uint8).reshape(3, 5)
  b = 100 + np.arange(12, dtype=np.uint8).reshape(4, 3)
  places = [a[i : i + 2, j : j + 2] for i in range(2) for j in range(4)]
  places += [b[i : i + 2, j : j + 2] for i in range(3) for j in range(2)]
  expected = set().union(*map(all_ways, places))
  seen, times = np.unique(
    patches.reshape(count, -1), axis=0, return_counts=True
  )
  assert {row.tobytes() for row in seen} == expected
  mean = count / len(expected)
  assert np.abs(times - mean).max() < 5 * np.sqrt(mean)


def test_a_patch_depends_on_its_own_key_alone(folder):
  found = pool.load(folder, side=3)
  keys = jax.random.split(jax.random.key(0), 4)
  patches = pool.cut(keys, found, side=3)
  np.testing.assert_array_equal(pool.cut(keys[2:], found, side=3), patches[2:])


def test_images_smaller_than_a_patch_are_named(folder):
  with pytest.raises(InputError, match=r'a\.png: 5x3 pixels'):
    pool.load(folder, side=4)
