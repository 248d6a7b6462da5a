"""What a denoiser is trained on: clean patches, and corrupted ones."""

from collections.abc import Callable
from typing import Any

from absl import flags

from experiments import noise, program, training

_SIGMA_MAX = flags.DEFINE_float(
  'sigma_max',
  None,
  'Each patch has its own noise level, from --sigma to this; none: --sigma.',
  lower_bound=0.0,
)
_TEXT_SHARE = flags.DEFINE_float(
  'text_share',
  0.8,
  'Share of the patches that carry text, with --noise=text.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_GREY_SHARE = flags.DEFINE_float(
  'grey_share',
  None,
  'Share of the strings of text that have any grey, the hardest to see; the'
  ' others are black or white. None: a third.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_EVEN_SIZES = flags.DEFINE_bool(
  'even_sizes',
  False,
  'Whether text of all sizes covers equal areas, so that small letters come'
  ' more often; otherwise all sizes come equally often.',
)
_JPEG_SHARE = flags.DEFINE_float(
  'jpeg_share',
  0.0,
  'Share of the patches that were saved as JPEGs, with their text, of qualities'
  ' from 60 to 95.',
  lower_bound=0.0,
  upper_bound=1.0,
)


def described() -> dict[str, Any]:
  """The corruption, as a checkpoint's record has it.

  Returns:
    Plain JSON.

  Raises:
    InputError: flags do not fit together.
  """
  from inpaintax.errors import InputError

  low, high = noise.SIGMA.value, _SIGMA_MAX.value
  others: tuple[str, ...] = ('sigma', 'sigma_max')
  if kind() == 'gaussian':
    others = (
      'font_sizes',
      'text_share',
      'grey_share',
      'even_sizes',
      'jpeg_share',
    )
    if high is not None and high < low:
      raise InputError(f'--sigma_max={high:g} is below --sigma={low:g}.')
  program.refuse(others, f'when training for {kind()}')
  return noise.described(kind(), high)


def kind() -> str:
  """What is trained for: Gaussian noise, if --noise is not given."""
  return noise.NOISE.value or 'gaussian'


def load(source: Any, *, side: int) -> Any:
  """What stays on the device.

  Args:
    source: photographs.
    side: of the patches, pixels.

  Returns:
    (their pixels, pages of text or None).
  """
  import jax

  from inpaintax.corruptions import text
  from inpaintax.data import pool

  pages = None
  if kind() == 'text':
    pages = text.load_pages(
      training.SEED.value,
      font_sizes=noise.font_sizes(),
      grey_share=_GREY_SHARE.value,
      even_sizes=_EVEN_SIZES.value,
    )
  return jax.device_put((pool.load(source, side=side), pages))


def make_draw(*, side: int) -> Callable[..., Any]:
  """Makes what draws the samples of an update.

  Args:
    side: of the patches, pixels.

  Returns:
    `(keys [B], data of load) -> Sample`.
  """
  import jax
  import jax.numpy as jnp

  from inpaintax import images
  from inpaintax.corruptions import text
  from inpaintax.corruptions.jpeg import jpeg
  from inpaintax.corruptions.noise import gaussian
  from inpaintax.data import pool as pools
  from inpaintax.types import Sample

  low, high = noise.SIGMA.value, _SIGMA_MAX.value

  def draw(keys, data):
    pool, pages = data
    place, over, level = jax.vmap(
      lambda key: jax.random.split(key, 3), out_axes=1
    )(keys)
    target = images.to_float(pools.cut(place, pool, side=side))
    if pages is not None:
      share = _TEXT_SHARE.value
      observed, mask = text.superimpose(over, target, pages, share=share)
      if _JPEG_SHARE.value:
        # What is wanted is the photograph as it would be without text.
        has, how = jax.vmap(jax.random.split, out_axes=1)(level)
        chance = jax.vmap(jax.random.uniform)(has)[:, None, None, None]
        observed, target = (
          jnp.where(chance < _JPEG_SHARE.value, jpeg(how, x), x)
          for x in (observed, target)
        )
      return Sample(observed, target, mask)
    sigma = low
    if high is not None:
      one = lambda key: jax.random.uniform(key, minval=low, maxval=high)
      sigma = jax.vmap(one)(level)
    observed = gaussian(over, target, sigma=sigma)
    return Sample(observed, target, jnp.ones_like(target))

  return draw
