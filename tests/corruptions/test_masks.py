import functools
import itertools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from inpaintax.corruptions import masks

SIZE = (24, 32)
BANK = np.zeros((3, *SIZE, 1), np.float32)
for n in range(3):
  BANK[n, : 4 * (n + 1)] = 1

MAKERS = {
  'center': functools.partial(masks.center, hole=(10, 12)),
  'random_blocks': functools.partial(
    masks.random_blocks, min_side=2, max_side=12, max_blocks=3
  ),
  'random_region': masks.random_region,
  'from_bank': functools.partial(masks.from_bank, bank=BANK),
}
every_maker = pytest.mark.parametrize('name', MAKERS)


def make_keys(count, seed=0):
  return jax.random.split(jax.random.key(seed), count)


def draw(maker, keys, size, **options):
  return np.asarray(jax.jit(lambda keys: maker(keys, size, **options))(keys))


def boxes(drawn):
  """(top, left, height, width) of each mask's bounding box."""
  found = []
  for mask in drawn[..., 0]:
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    found.append(
      (
        rows[0],
        columns[0],
        rows[-1] - rows[0] + 1,
        columns[-1] - columns[0] + 1,
      )
    )
  return np.array(found)


class TestEveryMaker:
  @every_maker
  def test_is_a_binary_float_mask_per_sample(self, name):
    drawn = draw(MAKERS[name], make_keys(16), SIZE)
    assert drawn.shape == (16, *SIZE, 1)
    assert drawn.dtype == np.float32
    assert set(np.unique(drawn)) == {0.0, 1.0}

  @every_maker
  def test_same_keys_give_the_same_bits_jitted_or_not(self, name):
    keys = make_keys(4)
    jitted = draw(MAKERS[name], keys, SIZE)
    np.testing.assert_array_equal(draw(MAKERS[name], keys, SIZE), jitted)
    np.testing.assert_array_equal(MAKERS[name](keys, SIZE), jitted)

  @every_maker
  def test_same_keys_give_the_same_bits_with_64_bit_numbers(self, name):
    keys = make_keys(4)
    wanted = MAKERS[name](keys, SIZE)
    with jax.enable_x64(True):
      np.testing.assert_array_equal(MAKERS[name](keys, SIZE), wanted)

  @every_maker
  def test_a_sample_depends_on_its_own_key_alone(self, name):
    keys, others = make_keys(6), make_keys(6, seed=1)
    whole = draw(MAKERS[name], keys, SIZE)
    alone = jnp.concatenate([others[:3], keys[4:5]])
    np.testing.assert_array_equal(draw(MAKERS[name], alone, SIZE)[-1], whole[4])
    np.testing.assert_array_equal(
      draw(MAKERS[name], keys[4:5], SIZE)[0], whole[4]
    )

  @every_maker
  def test_maps_over_a_leading_axis(self, name):
    keys = make_keys(6)
    mapped = jax.jit(jax.vmap(lambda k: MAKERS[name](k, SIZE)))
    np.testing.assert_array_equal(
      mapped(keys.reshape(2, 3)).reshape(6, *SIZE, 1),
      draw(MAKERS[name], keys, SIZE),
    )

  @pytest.mark.parametrize('name', [n for n in MAKERS if n != 'center'])
  def test_keys_differ_and_so_do_masks(self, name):
    drawn = draw(MAKERS[name], make_keys(16), SIZE)
    assert any((mask != drawn[0]).any() for mask in drawn[1:])

  @every_maker
  def test_refuses_raw_keys_and_a_single_key(self, name):
    # A raw key is two numbers, which would pass for two samples' keys.
    for keys, said in (
      (jnp.zeros(2, jnp.uint32), 'typed'),
      (jnp.zeros((4, 2), jnp.uint32), 'typed'),
      (jax.random.key(0), 'one for each sample'),
    ):
      with pytest.raises(AssertionError, match=said):
        MAKERS[name](keys, SIZE)

  @every_maker
  @pytest.mark.parametrize('size', [(0, 32), 32, (32, 32, 3)])
  def test_refuses_what_is_no_size(self, name, size):
    with pytest.raises(ValueError, match='size'):
      MAKERS[name](make_keys(1), size)


class TestCenter:
  @pytest.mark.parametrize(
    ('overlap', 'share'),
    [(4, 0.19140625), (7, 0.152587890625), (0, 0.25)],
  )
  def test_shares_of_the_paper(self, overlap, share):
    # Methods: 64 predicted of 128, of which 64 - 2 * overlap are erased.
    drawn = masks.center(make_keys(2), (128, 128), hole=64 - 2 * overlap)
    np.testing.assert_array_equal(drawn.mean((1, 2, 3)), [share, share])

  def test_lies_in_the_exact_centre(self):
    drawn = np.asarray(masks.center(make_keys(1), (7, 8), hole=(3, 4)))
    np.testing.assert_array_equal(boxes(drawn), [(2, 2, 3, 4)])
    assert drawn.sum() == 12

  @pytest.mark.parametrize('hole', [0, 3, 10, 4.0, (4, 3), (4, 4, 4)])
  def test_refuses_what_is_empty_too_large_or_off_centre(self, hole):
    with pytest.raises(ValueError):
      masks.center(make_keys(1), (8, 8), hole=hole)


class TestRandomBlocks:
  def test_one_square_everywhere_ends_included(self):
    drawn = draw(
      masks.random_blocks,
      make_keys(1000),
      (5, 6),
      min_side=2,
      max_side=2,
      max_blocks=1,
    )
    np.testing.assert_array_equal(drawn.sum((1, 2, 3)), 4)
    places = {(top, left) for top, left, _, _ in boxes(drawn)}
    assert places == set(itertools.product(range(4), range(5)))

  def test_one_rectangle_of_every_shape_at_every_place(self):
    drawn = draw(
      masks.random_blocks,
      make_keys(4000),
      (4, 5),
      min_side=1,
      max_side=3,
      max_blocks=1,
      max_area=0.5,
    )
    found = boxes(drawn)
    np.testing.assert_array_equal(
      drawn.sum((1, 2, 3)), found[:, 2] * found[:, 3]
    )
    legal = {
      (top, left, tall, wide)
      for tall, wide in itertools.product((1, 2, 3), repeat=2)
      for top in range(4 - tall + 1)
      for left in range(5 - wide + 1)
    }
    assert {tuple(box) for box in found.tolist()} == legal

  def test_the_whole_image_can_be_one_block(self):
    drawn = draw(
      masks.random_blocks,
      make_keys(4),
      (4, 4),
      min_side=4,
      max_side=4,
      max_area=1.0,
    )
    assert drawn.all()

  def test_every_number_of_blocks_occurs(self):
    drawn = draw(
      masks.random_blocks,
      make_keys(300),
      (16, 16),
      min_side=1,
      max_side=1,
      max_blocks=3,
      max_area=1.0,
    )
    counts = np.bincount(drawn.sum((1, 2, 3)).astype(int))
    # Two in 256 overlap: 1, 2 and 3 pixels in nearly equal parts.
    assert counts.shape == (4,) and counts[0] == 0
    assert counts[1:].min() > 60

  @pytest.mark.parametrize('max_area', [0.25, 0.3])
  def test_share_never_exceeds_the_bound_and_comes_near_it(self, max_area):
    drawn = draw(
      masks.random_blocks,
      make_keys(2000),
      (20, 20),
      min_side=3,
      max_side=10,
      max_blocks=8,
      max_area=max_area,
    )
    area = drawn.sum((1, 2, 3))
    assert area.min() >= 9
    assert max_area * 400 - 2 <= area.max() <= max_area * 400

  @pytest.mark.parametrize(
    'options',
    [
      {'min_side': 0, 'max_side': 2},
      {'min_side': 3, 'max_side': 2},
      {'min_side': 2, 'max_side': 9},
      {'min_side': 1.5, 'max_side': 2},
      {'min_side': 2, 'max_side': float('inf')},
      {'min_side': 2, 'max_side': 5},  # 25 of 64 pixels, above a quarter
      {'min_side': 2, 'max_side': 2, 'max_blocks': 0},
      {'min_side': 2, 'max_side': 2, 'max_area': 1.5},
      {'min_side': 2, 'max_side': 2, 'max_area': float('nan')},
    ],
  )
  def test_refuses(self, options):
    with pytest.raises(ValueError):
      masks.random_blocks(make_keys(1), (8, 8), **options)


class TestFromBank:
  def test_every_mask_of_the_bank_occurs_about_equally(self):
    drawn = draw(masks.from_bank, make_keys(600), SIZE, bank=BANK)
    rows = drawn[:, :, 0, 0].sum(1)
    counts = [(rows == 4 * (n + 1)).sum() for n in range(3)]
    assert sum(counts) == 600 and min(counts) > 140

  @pytest.mark.parametrize(
    'bank', [BANK[:, :20], BANK[:0], BANK[..., 0], BANK[:, :, :, [0, 0]]]
  )
  def test_refuses_an_empty_bank_or_another_size(self, bank):
    with pytest.raises(ValueError, match='bank'):
      masks.from_bank(make_keys(1), SIZE, bank=bank)


class TestApply:
  def test_known_pixels_keep_their_bits_and_the_hole_gets_the_fill(self):
    image = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3), minval=-1)
    mask = masks.center(make_keys(2), (8, 8), hole=4)
    fill = np.array([0.25, -0.5, 1.0], np.float32)
    observed = np.asarray(jax.jit(masks.apply)(image, mask, fill))
    hole = np.asarray(mask[..., 0]) == 1
    np.testing.assert_array_equal(observed[~hole], np.asarray(image)[~hole])
    np.testing.assert_array_equal(
      observed[hole], np.broadcast_to(fill, (32, 3))
    )

  def test_named_fills(self):
    np.testing.assert_allclose(
      masks.FILLS['imagenet'],
      [2 * 123 / 255 - 1, 2 * 117 / 255 - 1, 2 * 104 / 255 - 1],
      atol=1e-12,
    )
    np.testing.assert_allclose(
      masks.FILLS['pathak'],
      [2 * 117 / 255 - 1, 2 * 104 / 255 - 1, 2 * 123 / 255 - 1],
      atol=1e-8,
    )
    image, mask = jnp.zeros((1, 4, 4, 3)), jnp.ones((1, 4, 4, 1))
    observed = masks.apply(image, mask, masks.FILLS['pathak'])
    np.testing.assert_allclose(
      observed[0, 0, 0], masks.FILLS['pathak'], rtol=1e-6
    )

  def test_what_is_missing_is_not_looked_at(self):
    image, mask = (
      jnp.ones((1, 4, 4, 3)),
      masks.center(jax.random.split(jax.random.key(0), 1), (4, 4), hole=2),
    )
    broken = jnp.where(mask == 1, jnp.nan, image)
    np.testing.assert_array_equal(
      masks.apply(broken, mask, (0.0, 0.5, 1.0)),
      masks.apply(image, mask, (0.0, 0.5, 1.0)),
    )

  def test_refuses_a_wide_mask_and_a_short_fill(self):
    image, mask = jnp.zeros((1, 4, 4, 3)), jnp.ones((1, 4, 4, 1))
    with pytest.raises(AssertionError):
      masks.apply(image, image, (0.0, 0.0, 0.0))
    with pytest.raises(AssertionError):
      masks.apply(image, mask, (0.0,))
    with pytest.raises(AssertionError):
      masks.apply(image.astype(jnp.uint8), mask, (0.0, 0.0, 0.0))
