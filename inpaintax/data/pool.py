"""All grey training images of a denoiser, on the device; patches cut there.

A patch network sees millions of small patches: cut on the host they would be
what training waits for.
"""

from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from inpaintax import images
from inpaintax.data import sources
from inpaintax.errors import InputError


class Pool(NamedTuple):
  """Grey images of any sizes, one behind the other. Arrays only.

  Attributes:
    pixels: uint8 `[all pixels]`, row by row.
    starts: int32 `[N]`, where each image begins.
    sizes: int32 `[N, 2]`, heights and widths.
  """

  pixels: np.ndarray | jax.Array
  starts: np.ndarray | jax.Array
  sizes: np.ndarray | jax.Array


def check(shape: tuple[int, int], *, side: int) -> None:
  """Refuses an image that is smaller than a patch.

  Args:
    shape: its height and width.
    side: of the patches, pixels.

  Raises:
    InputError: it is.
  """
  if min(shape) < side:
    raise InputError(
      f'{shape[1]}x{shape[0]} pixels are too few for patches of {side}x{side}'
    )


def load(source: sources.Source, *, side: int) -> Pool:
  """Decodes all images of a source, as grey ones.

  Args:
    source: photographs.
    side: of the patches that will be cut, pixels.

  Returns:
    The pool, on the host.

  Raises:
    InputError: an image cannot be decoded or is smaller than a patch, or there
      are none, or more than 2**31 pixels.
  """
  found = []
  for number in range(len(source)):
    grey = images.to_grey(source[number])
    try:
      check(grey.shape, side=side)
    except InputError as error:
      raise InputError(f'{source.name(number)}: {error}') from error
    found.append(grey)
  if not found:
    raise InputError('the data source is empty')
  counts = np.array([grey.size for grey in found])
  if counts.sum() >= 2**31:
    raise InputError(
      f'{counts.sum():,} pixels are more than one pool holds (2**31): take a'
      ' part of the source.'
    )
  return Pool(
    np.concatenate([grey.ravel() for grey in found]),
    (np.cumsum(counts) - counts).astype(np.int32),
    np.array([grey.shape for grey in found], np.int32),
  )


def cut(keys: jax.Array, pool: Pool, *, side: int) -> jax.Array:
  """Random patches; every place in every image is as likely as any other.

  Each is turned and mirrored at random, one of eight ways.

  Args:
    keys: typed PRNG keys `[B]`, one a patch.
    pool: the images.
    side: of the patches, pixels, at most that of the smallest image.

  Returns:
    uint8 `[B, side, side, 1]`.
  """
  pixels, starts, sizes = (jnp.asarray(part) for part in pool)
  places = jnp.prod(sizes - side + 1, axis=1)
  ends = jnp.cumsum(places)
  limits = jnp.stack([ends[-1], jnp.int32(8)])

  def one(key: jax.Array) -> jax.Array:
    """Where its first pixel lies, and how far it is to the next both ways."""
    place, way = jax.random.randint(key, (2,), 0, limits)
    image = jnp.searchsorted(ends, place, side='right')
    place = place - (ends[image] - places[image])
    width = sizes[image, 1]
    row, column = jnp.divmod(place, width - side + 1)
    up, left, turned = ((way & bit) > 0 for bit in (1, 2, 4))
    row = jnp.where(up, row + side - 1, row)
    column = jnp.where(left, column + side - 1, column)
    down, right = jnp.where(up, -width, width), jnp.where(left, -1, 1)
    down, right = (
      jnp.where(turned, right, down),
      jnp.where(turned, down, right),
    )
    return jnp.stack([starts[image] + row * width + column, down, right])

  found = jax.vmap(one)(keys)
  first, down, right = (found[:, i, None, None] for i in range(3))
  line = jnp.arange(side)
  at = first + line[None, :, None] * down + line[None, None] * right
  return pixels.at[at].get(mode='promise_in_bounds')[..., None]
