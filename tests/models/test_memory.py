"""What is kept in memory: the same values, and on a CPU a loop of its own."""

import jax
import numpy as np
import pytest
from arrays import whole
from jax import numpy as jnp
from jax.sharding import NamedSharding, PartitionSpec

from inpaintax.models import memory


def test_values_derivatives_and_batches_are_those_of_x():
  x = whole(3, 4)
  same = lambda found, wanted: np.testing.assert_array_equal(found, wanted)
  kept = lambda x: memory.kept(jnp.square(x))
  same(jax.jit(kept)(x), x * x)
  same(jax.jit(jax.vmap(kept))(x), x * x)
  same(jax.jit(jax.grad(lambda x: kept(x).sum()))(x), 2 * x)
  same(jax.jvp(kept, (x,), (x,))[1], 2 * x * x)


@pytest.mark.skipif(
  jax.default_backend() != 'cpu', reason='elsewhere it may not matter'
)
def test_what_two_read_is_made_once():
  def twice(x, through):
    y = through(x * x)
    return y[1:] - y[:-1], y[1:] + y[:-1]

  x = whole(64, 8)
  squares = lambda through: (
    jax.jit(lambda x: twice(x, through))
    .lower(x)
    .compile()
    .as_text()
    .count(' multiply(')
  )
  # A square for each term that is read, or one.
  assert squares(memory.kept) == 1 < squares(lambda y: y)
  # What it is made of is gone before loops are.
  assert squares(jax.lax.optimization_barrier) > 1


def test_what_is_split_over_devices_stays_so():
  mesh = jax.make_mesh((2,), ('d',), devices=jax.devices()[:2])
  split = NamedSharding(mesh, PartitionSpec('d'))
  x = whole(4, 3)
  kept = lambda x: memory.kept(x * x)[:, 1:]
  compiled = jax.jit(kept, in_shardings=split, out_shardings=split)
  np.testing.assert_array_equal(compiled(x), kept(x))
  text = compiled.lower(x).compile().as_text()
  assert 'all-gather' not in text and 'f32[2,3]' in text
