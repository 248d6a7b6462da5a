"""Random numbers without loops are those of JAX."""

import jax
import numpy as np
from jax.extend.random import threefry2x32_p

from experiments import threefry


def test_the_bits_are_those_of_jax():
  words = np.random.default_rng(0).integers(0, 2**32, (4, 3, 50), np.uint32)
  words[..., 0], words[..., 1] = 0, 2**32 - 1
  key1, key2, *counts = words
  given = (key1[:, :1], key2[:1], *counts)  # As vmap gives them.
  full = np.broadcast_arrays(*given)
  for found, wanted in zip(
    threefry.hashed(*map(jax.numpy.asarray, given)),
    threefry2x32_p.bind(*map(jax.numpy.asarray, full)),
    strict=True,
  ):
    np.testing.assert_array_equal(found, wanted)


def test_known_answers():
  # Of Random123's own table, kat_vectors, threefry 2x32 of 20 rounds.
  most = 2**32 - 1
  for words, wanted in (
    ((0, 0, 0, 0), (0x6B200159, 0x99BA4EFE)),
    ((most,) * 4, (0x1CB996FC, 0xBB002BE7)),
  ):
    found = threefry.hashed(*(np.uint32([word]) for word in words))
    assert tuple(int(word[0]) for word in found) == wanted


def test_what_is_compiled_afterwards_has_no_loop():
  keys = jax.random.split(jax.random.key(0), 3)
  draw = lambda keys: jax.vmap(lambda key: jax.random.normal(key, (5, 7)))(keys)
  wanted = jax.jit(draw)(keys)
  threefry.unroll()
  unrolled = jax.jit(lambda keys: draw(keys)).lower(keys)
  assert 'while' not in unrolled.as_text()
  np.testing.assert_array_equal(unrolled.compile()(keys), wanted)
