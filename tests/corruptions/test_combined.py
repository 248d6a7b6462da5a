import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.corruptions import combined, masks

SIZE = (16, 20)
CENTER = functools.partial(masks.center, hole=(4, 4))
BLOCKS = functools.partial(
  masks.random_blocks, min_side=2, max_side=8, max_blocks=1
)


def keys(count=200, seed=0):
  return jax.random.split(jax.random.key(seed), count)


def side_by_side(keys, size, *, left):
  """Masks that are known by where they lie."""
  del keys
  half = jnp.zeros((*size, 1)).at[:, : size[1] // 2].set(1.0)
  return half if left else 1 - half


def make(left):
  return lambda keys, size: jnp.broadcast_to(
    side_by_side(keys, size, left=left), (len(keys), *size, 1)
  )


def test_each_image_has_one_kind_and_all_kinds_are_as_likely():
  makers = [make(True), make(False), CENTER]
  found = np.asarray(combined.one_of(keys(600), SIZE, makers=makers))
  known = [np.asarray(maker(keys(1), SIZE))[0] for maker in makers]
  kinds = [
    [n for n, one in enumerate(known) if (one == mask).all()] for mask in found
  ]
  assert all(len(kind) == 1 for kind in kinds)
  counts = np.bincount(np.concatenate(kinds), minlength=3)
  # A standard deviation is 11.5.
  assert (np.abs(counts - 200) < 50).all()


def test_a_union_has_what_any_has():
  both = combined.union(keys(3), SIZE, makers=[make(True), CENTER])
  expected = np.maximum(make(True)(keys(3), SIZE), CENTER(keys(3), SIZE))
  np.testing.assert_array_equal(both, expected)


@pytest.mark.parametrize('maker', [combined.one_of, combined.union])
def test_the_same_key_gives_the_same_bits_in_any_batch_under_jit_or_not(maker):
  draw = functools.partial(maker, size=SIZE, makers=[BLOCKS, BLOCKS])
  found = np.asarray(draw(keys(8)))
  np.testing.assert_array_equal(found, jax.jit(draw)(keys(8)))
  np.testing.assert_array_equal(found[5:6], draw(keys(8)[5:6]))
  # The kinds have keys of their own: two of one kind are not the same mask.
  other = np.asarray(BLOCKS(keys(8), SIZE))
  assert (found != other).any()


def test_bounds_are_kept_where_masks_can_keep_them():
  draw = functools.partial(
    combined.bounded, maker=BLOCKS, min_area=0.05, max_area=0.1
  )
  share = np.asarray(draw(keys(100), SIZE)).mean((1, 2, 3))
  assert (share >= 0.05).all() and (share <= 0.1).all()
  assert share.std() > 0.005


def test_where_no_mask_keeps_them_the_nearest_is_taken():
  draw = functools.partial(
    combined.bounded, maker=BLOCKS, min_area=0.9, max_area=1.0, tries=20
  )
  share = np.asarray(draw(keys(50), SIZE)).mean((1, 2, 3))
  once = np.asarray(BLOCKS(keys(50), SIZE)).mean((1, 2, 3))
  assert share.min() > once.mean() and share.max() <= 64 / 320


@pytest.mark.parametrize(
  'options',
  [
    {'min_area': 0.5, 'max_area': 0.4},
    {'min_area': -0.1},
    {'max_area': 1.1},
    {'tries': 0},
  ],
)
def test_bounds_that_cannot_be_are_refused(options):
  with pytest.raises(ValueError):
    combined.bounded(keys(1), SIZE, maker=BLOCKS, **options)


def test_no_makers_are_refused():
  for maker in (combined.one_of, combined.union):
    with pytest.raises(ValueError, match='no makers'):
      maker(keys(1), SIZE, makers=[])
