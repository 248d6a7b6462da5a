"""What saving an image as a JPEG does to it, on the device.

Text that was superimposed before has no longer one colour, and rings.

Source: ISO/IEC 10918-1 (ITU-T T.81), annex A.3 and table K.1; the scale of
qualities is that of the Independent JPEG Group.
"""

import jax
import numpy as np
from jax import numpy as jnp

from inpaintax.corruptions import noise

_BLOCK = 8
# Table K.1, for luminance.
_STEPS = np.array(
  [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
  ]
)


def jpeg(
  keys: jax.Array, images: jax.Array, *, qualities: tuple[int, int] = (60, 95)
) -> jax.Array:
  """Gives images as they are once saved and read again, cut from larger ones.

  Each has a quality of its own, and lies anywhere within the blocks of the
  whole. Given the same keys, two batches are compressed alike.

  Args:
    keys: typed PRNG keys `[B]`, one an image.
    images: float `[B, H, W, 1]`, pixels in [-1, 1].
    qualities: the lowest and the highest, in 1..100.

  Returns:
    Same shape and type, of whole grey levels: those of a codec, but for the
    few blocks in which it rounds a coefficient the other way.

  Raises:
    ValueError: the qualities do not rise, or the images are not grey.
    AssertionError: keys and images do not fit.
  """
  noise.check(keys, images)
  low, high = qualities
  if not 1 <= low <= high <= 100:
    raise ValueError(f'qualities must rise, from 1 to 100, got {qualities}.')
  if images.shape[3] != 1:
    raise ValueError(f'images must be [B, H, W, 1], got {images.shape}.')

  def one(key: jax.Array, image: jax.Array) -> jax.Array:
    of_quality, of_place = jax.random.split(key)
    quality = jax.random.randint(of_quality, (), low, high + 1)
    first = jax.random.randint(of_place, (2,), 0, _BLOCK)
    return _compressed(image, quality, first)

  return jax.vmap(one)(keys, images)


def _compressed(
  image: jax.Array, quality: jax.Array, first: jax.Array
) -> jax.Array:
  """One image, `[H, W, 1]`, whose corner lies at `first` within its block."""
  levels = jnp.clip(jnp.rint(noise.LEVELS * (image[..., 0] + 1)), 0, 255)
  height, width = levels.shape
  # Room for the blocks in which it begins and ends.
  counts = [-(-(side + _BLOCK - 1) // _BLOCK) for side in levels.shape]
  sides = [count * _BLOCK for count in counts]
  before = _BLOCK - 1
  padded = jnp.pad(levels, [(before, side) for side in sides], mode='edge')
  start = before - first
  whole = jax.lax.dynamic_slice(padded, start, sides)
  blocks = whole.reshape(counts[0], _BLOCK, counts[1], _BLOCK) - 128
  basis = _basis()
  found = jnp.einsum('ui,aibj,vj->abuv', basis, blocks, basis)
  step = _steps(quality)[None, None]
  found = jnp.rint(found / step) * step
  blocks = jnp.einsum('ui,abuv,vj->aibj', basis, found, basis)
  whole = jnp.clip(jnp.rint(blocks.reshape(sides) + 128), 0, 255)
  back = jax.lax.dynamic_slice(whole, first, (height, width))
  return (back[..., None] / noise.LEVELS - 1).astype(image.dtype)


def _basis() -> np.ndarray:
  """The cosine transform, orthonormal, float32 `[8, 8]`, a frequency a row."""
  place = np.arange(_BLOCK)
  rows = np.cos(np.pi * place[:, None] * (2 * place + 1) / (2 * _BLOCK))
  rows[0] *= np.sqrt(0.5)
  return (rows * np.sqrt(2 / _BLOCK)).astype(np.float32)


def _steps(quality: jax.Array) -> jax.Array:
  """What coefficients are divided by, `[8, 8]`."""
  percent = jnp.where(quality < 50, 5000 // quality, 200 - 2 * quality)
  return jnp.clip((_STEPS * percent + 50) // 100, 1, 255)
