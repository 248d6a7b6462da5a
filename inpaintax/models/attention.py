"""What a hole takes over from the most similar known patches. Pure functions.

`shift` copies the most similar place, `attend` mixes all of them by how similar
they are. A patch with a missing pixel in it is no candidate, so nothing depends
on what lies in the hole of the values. Queries are compared row by row: the
similarities of one row are in memory at a time, in the backward pass too.
"""

import functools
from collections.abc import Callable

import chex
import jax
from jax import numpy as jnp

from inpaintax.models import hole_convs

_TINY = 1e-6


def shift(
  queries: jax.Array, values: jax.Array, mask: jax.Array, *, patch: int = 3
) -> jax.Array:
  """Each missing place gets the value of the most similar known one.

  Similar is the cosine between the patches around both: of the queries around
  the missing place, of the values around the known one. Gradients go into the
  values that are copied; which ones these are has none.

  Args:
    queries: float `[B, H, W, C]`: what is thought to be there, such as a
      decoder's map.
    values: same shape and type: what is known, such as the encoder's map.
    mask: float `[B, H, W, 1]`, 1 = missing.
    patch: side of the patches that are compared, odd.

  Returns:
    `[B, H, W, C]`: of the values; known places keep their own. An image
    without a known patch gets zeros in its hole.

  Raises:
    AssertionError: a shape or type differs from the above.
    ValueError: `patch` is even.

  Source: Yan et al. 2018, Shift-Net, arXiv:1801.09392, eq. 4 and 5, which
  compares single places (`patch=1`).
  """
  _check(queries, values, mask, patch)

  def one(queries: jax.Array, values: jax.Array, mask: jax.Array) -> jax.Array:
    flat = values.reshape(-1, values.shape[-1])
    scores, known = _scorer(queries, values, mask, patch)
    best = jax.lax.map(
      lambda row: scores(row).argmax(-1), jnp.arange(len(mask))
    )
    found = jnp.where(known.any(), flat[best], 0)
    return jnp.where(mask > 0, found, values)

  return jax.vmap(one)(queries, values, mask)


def attend(
  queries: jax.Array,
  values: jax.Array,
  mask: jax.Array,
  *,
  patch: int = 3,
  rate: int = 2,
  sharpness: float = 10.0,
) -> jax.Array:
  """Contextual attention: patches of the known part, mixed by similarity.

  Queries and values are compared at every `rate`-th place, by the cosine of the
  patches around them; a softmax of `sharpness` times that weighs patches of the
  values of twice `rate`'s side, laid half over each other and averaged.

  Departs from the source: cosines on both sides, where the code divides by the
  length of the known patch alone; borders are averaged over the patches that
  lie there; and the code's smoothing of weights along diagonals is left out,
  which in it runs over the ends of rows.

  Args:
    queries: float `[B, H, W, C]`, sides multiples of `rate`.
    values: same shape and type.
    mask: float `[B, H, W, 1]`, 1 = missing.
    patch: side of the patches that are compared, odd, in steps of `rate`.
    rate: pixels between two places that are compared.
    sharpness: of the softmax, above 0.

  Returns:
    `[B, H, W, C]`, known places included; zeros for an image without a known
    patch.

  Raises:
    AssertionError: a shape or type differs from the above.
    ValueError: `patch` is even, or a side no multiple of `rate`.

  Source: Yu et al. 2018, arXiv:1801.07892, sec. 4.1.
  """
  _check(queries, values, mask, patch)
  if mask.shape[1] % rate or mask.shape[2] % rate:
    raise ValueError(
      f'sides must be multiples of {rate}, got {mask.shape[1:3]}.'
    )

  def one(queries: jax.Array, values: jax.Array, mask: jax.Array) -> jax.Array:
    unfold = functools.partial(_unfold, side=2 * rate, stride=rate)
    pieces = unfold(values)
    height, width, size = pieces.shape
    pieces = pieces.reshape(-1, size)
    # A piece that reaches into the hole, or beyond the border, is none.
    whole = unfold(1 - mask).min(-1) > 0
    coarse = lambda x: x[::rate, ::rate]
    blocks = mask.reshape(height, rate, width, rate).max((1, 3))[..., None]
    scores, known = _scorer(
      coarse(queries), coarse(values), blocks, patch, whole
    )

    @jax.checkpoint
    def mixed(row: jax.Array) -> jax.Array:
      weights = jax.nn.softmax(sharpness * scores(row))
      return weights @ pieces

    rows = jax.lax.map(mixed, jnp.arange(height))
    fold = jax.linear_transpose(unfold, values)
    (total,) = fold(rows)
    (count,) = fold(jnp.ones_like(rows))
    return jnp.where(known.any(), total / count, 0)

  return jax.vmap(one)(queries, values, mask)


def _scorer(
  queries: jax.Array,
  values: jax.Array,
  mask: jax.Array,
  patch: int,
  whole: jax.Array | None = None,
) -> tuple[Callable[[jax.Array], jax.Array], jax.Array]:
  """(`row -> [W, H * W]` cosines, bool `[H * W]` of the known ones)."""
  around = lambda x: _unfold(x, side=patch, stride=1)
  known = around(mask).max(-1) == 0
  if whole is not None:
    known &= whole
  known = known.reshape(-1)
  keys = around(jnp.where(mask > 0, 0, values))
  keys = _unit(keys.reshape(-1, keys.shape[-1]))
  asked = _unit(around(queries))

  def scores(row: jax.Array) -> jax.Array:
    # Finite where nothing is known, so that no gradient is lost to it.
    return jnp.where(known[None], asked[row] @ keys.T, -1e9)

  return scores, known


def _unfold(x: jax.Array, *, side: int, stride: int) -> jax.Array:
  """`[H, W, C]` to patches `[H / stride, W / stride, C * side**2]`.

  Zeros are beyond the border; a patch of even side begins half a stride before
  its place.
  """
  before = (side - stride) // 2
  after = side - stride - before
  return jax.lax.conv_general_dilated_patches(
    x[None],
    (side, side),
    (stride, stride),
    ((before, after), (before, after)),
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    # Patches are copies: on some devices a product would round them.
    precision=jax.lax.Precision.HIGHEST,
  )[0]


def _unit(x: jax.Array) -> jax.Array:
  """Vectors of length 1; those of 0 stay."""
  return x / jnp.sqrt(jnp.square(x).sum(-1, keepdims=True) + _TINY**2)


def _check(
  queries: jax.Array, values: jax.Array, mask: jax.Array, patch: int
) -> None:
  hole_convs.check_mask(values, mask)
  chex.assert_equal_shape([queries, values])
  if patch % 2 == 0:
    raise ValueError(f'patch must be odd, got {patch}.')
