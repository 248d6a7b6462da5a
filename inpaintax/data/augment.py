"""More photographs out of those that there are: shifts and colours.

A generator of a central block only ever sees one part of an image as its
target. Shifted, others become it; with other colours, so does what has not been
seen. What this brings is measured in docs/results/context_encoder.md.
"""

import chex
import jax
import jax.numpy as jnp

# Among the streams of a sample's key: its mask is drawn from the key itself.
_STREAM = 977
# Natural logarithms of contrast and of each channel's own (a deviation), and
# how far all levels may move; the images are in [-1, 1].
_CONTRAST = (-0.35, 0.25)
_TINT = 0.1
_BRIGHTNESS = 0.2


def augment(
  keys: jax.Array,
  images: jax.Array,
  *,
  shift: int = 0,
  shift_share: float = 1.0,
  color_share: float = 0.0,
) -> jax.Array:
  """Shifts images and changes their colours at random.

  A shifted image is filled up with its mirrored border. New colours are, for
  half of those that get any, other orders of the channels; for all of them
  another contrast, tint and brightness.

  Args:
    keys: typed PRNG keys `[B]`, one an image.
    images: float `[B, H, W, C]` in [-1, 1].
    shift: the furthest, up, down and to either side, pixels; each is as likely.
    shift_share: of the images, in [0, 1].
    color_share: of the images, in [0, 1].

  Returns:
    Images of the same shape, type and range.

  Raises:
    ValueError: an option is out of range.
    AssertionError: keys and images do not fit, or these are no floats.
  """
  chex.assert_rank([keys, images], [1, 4])
  chex.assert_equal_shape_prefix([keys, images], 1)
  chex.assert_type(images, float)
  if not 0 <= shift < min(images.shape[1:3]):
    raise ValueError(
      f'shift must be at least 0 and less than a side, got {shift} for'
      f' {images.shape[1:3]}.'
    )
  for name, share in (('shift', shift_share), ('color', color_share)):
    if not 0 <= share <= 1:
      raise ValueError(f'{name}_share must be in [0, 1], got {share}.')

  def one(key: jax.Array, image: jax.Array) -> jax.Array:
    order, which, *colors, place, moves = jax.random.split(
      jax.random.fold_in(key, _STREAM), 7
    )
    if shift:
      shifted = _shifted(place, image, shift)
      image = jnp.where(jax.random.uniform(moves) < shift_share, shifted, image)
    chance = jax.random.uniform(which)
    channels = jax.random.permutation(order, image.shape[-1])
    permuted = chance < 0.5 * color_share
    mixed = jnp.where(permuted, image[..., channels], image)
    other = _recolored(colors, mixed, image.mean())
    return jnp.where(chance < color_share, other, image)

  return jax.vmap(one)(keys, images)


def _shifted(key: jax.Array, image: jax.Array, most: int) -> jax.Array:
  """Moved by up to so many pixels each way."""
  padded = jnp.pad(image, ((most, most), (most, most), (0, 0)), mode='reflect')
  corner = jax.random.randint(key, (2,), 0, 2 * most + 1)
  return jax.lax.dynamic_slice(padded, (*corner, 0), image.shape)


def _recolored(
  keys: list[jax.Array], image: jax.Array, mean: jax.Array
) -> jax.Array:
  """Another contrast about a mean, another tint and brightness."""
  contrast, tint, brightness = keys
  low, high = _CONTRAST
  gain = jnp.exp(jax.random.uniform(contrast, minval=low, maxval=high))
  gains = jnp.exp(_TINT * jax.random.normal(tint, image.shape[-1:]))
  level = jax.random.uniform(
    brightness, minval=-_BRIGHTNESS, maxval=_BRIGHTNESS
  )
  return jnp.clip(
    (image - mean) * gain * gains[None, None] + mean + level, -1, 1
  )
