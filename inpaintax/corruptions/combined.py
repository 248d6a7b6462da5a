"""Masks made of other masks. The contract is that of `corruptions.masks`.

A maker here is `(keys, size) -> masks` with its options bound, such as
`functools.partial(masks.center, hole=64)`.
"""

from collections.abc import Callable, Sequence

import jax
from jax import numpy as jnp

from inpaintax.corruptions import fields, masks

Maker = Callable[[jax.Array, tuple[int, int]], jax.Array]
# Among the streams of a key.
_WHICH = 0


def one_of(
  keys: jax.Array, size: tuple[int, int], *, makers: Sequence[Maker]
) -> jax.Array:
  """For each image one of several kinds of mask, drawn uniformly.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels.
    makers: of the kinds, at least one.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing.

  Raises:
    ValueError: there is no maker, or one refuses.
    AssertionError: `keys` are not typed keys of rank 1.
  """
  masks.check(keys, size)
  which = lambda key: jax.random.uniform(
    jax.random.fold_in(key, _WHICH), (), jnp.float32
  )
  chosen = fields.whole(jax.vmap(which)(keys), len(makers))
  kinds = _each(keys, size, makers)
  return jnp.take_along_axis(kinds, chosen[None, :, None, None, None], 0)[0]


def union(
  keys: jax.Array, size: tuple[int, int], *, makers: Sequence[Maker]
) -> jax.Array:
  """What is missing in any of several masks.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels.
    makers: of the masks, at least one.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing.

  Raises:
    ValueError: there is no maker, or one refuses.
    AssertionError: `keys` are not typed keys of rank 1.
  """
  masks.check(keys, size)
  return _each(keys, size, makers).max(0)


def bounded(
  keys: jax.Array,
  size: tuple[int, int],
  *,
  maker: Maker,
  min_area: float = 0.0,
  max_area: float = 1.0,
  tries: int = 16,
) -> jax.Array:
  """Masks whose missing share lies between bounds.

  Each image takes the first of `tries` masks that does; if none does, the one
  that is least outside of them: masks of a fixed number of steps can promise no
  more. `lama` and `random_region` keep bounds of their own exactly.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels.
    maker: of the masks.
    min_area: least missing share, in [0, 1].
    max_area: greatest missing share, in [0, 1].
    tries: masks drawn for each image, at least 1.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing.

  Raises:
    ValueError: an option is out of its range.
    AssertionError: `keys` are not typed keys of rank 1.
  """
  masks.check(keys, size)
  if not 0 <= min_area <= max_area <= 1:
    raise ValueError(
      f'wanted 0 <= min_area <= max_area <= 1, got {min_area} and {max_area}.'
    )
  if tries < 1:
    raise ValueError(f'tries must be at least 1, got {tries}.')
  # In pixels, so that the bounds are met or not met alike on any device.
  pixels = size[0] * size[1]

  def attempt(
    number: jax.Array, best: tuple[jax.Array, jax.Array]
  ) -> tuple[jax.Array, jax.Array]:
    found, outside = best
    more = maker(_numbered(keys, number), size)
    area = more.sum((1, 2, 3))
    excess = jnp.maximum(min_area * pixels - area, area - max_area * pixels)
    excess = jnp.maximum(excess, 0.0)
    better = excess < outside
    found = jnp.where(better[:, None, None, None], more, found)
    return found, jnp.minimum(excess, outside)

  start = jnp.zeros((len(keys), *size, 1)), jnp.full(len(keys), jnp.inf)
  return jax.lax.fori_loop(0, tries, attempt, start)[0]


def _each(
  keys: jax.Array, size: tuple[int, int], makers: Sequence[Maker]
) -> jax.Array:
  """`[kinds, B, H, W, 1]`, each kind with keys of its own."""
  if not makers:
    raise ValueError('no makers of masks.')
  # Past the stream that says which.
  made = [
    maker(_numbered(keys, number), size)
    for number, maker in enumerate(makers, 1 + _WHICH)
  ]
  return jnp.stack(made)


def _numbered(keys: jax.Array, number: jax.typing.ArrayLike) -> jax.Array:
  return jax.vmap(jax.random.fold_in, (0, None))(keys, number)
