"""Ways to fill holes, on the same images with the same holes.

Every figure is taken inside the hole, on the composite, on [0, 1] pixels
rounded to 8 bit, and in the same way for every method. No method is given what
is under the mask: the missing pixels are grey in the images it gets.

A row's `seconds_per_image` are in batches, by the clock. What happens once,
such as compiling, does not count; moving images to the device does. What the
other figures mean: `inpaintax.evaluate`.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inpaintax import baselines, evaluate
from inpaintax.data import batches, sources

PROTOCOL = (
  'Inside the hole, on the composite, on [0, 1] pixels rounded to 8 bit.'
)

_GREY = np.uint8(127)


class Method(NamedTuple):
  """One way to fill holes.

  Attributes:
    name: in the table.
    fill: takes images, uint8 `[B, S, S, 3]`, and masks, bool `[B, S, S]`, True
      = missing; returns uint8 images of the same shape.
    compiled: whether it is compiled at the first call for each batch size.
  """

  name: str
  fill: Callable[[np.ndarray, np.ndarray], np.ndarray]
  compiled: bool


def baseline(name: str) -> Method:
  """One of the classical methods.

  Args:
    name: of `baselines.BASELINES`.

  Returns:
    It, as a method.
  """
  one = baselines.BASELINES[name]

  def fill(images: np.ndarray, missing: np.ndarray) -> np.ndarray:
    return np.stack([one(*pair) for pair in zip(images, missing, strict=True)])

  return Method(name, fill, False)


def compare(
  methods: Sequence[Method],
  source: sources.Source,
  draw_masks: Callable[[jax.Array, tuple[int, int]], jax.Array],
  *,
  size: int,
  seed: int,
  batch_size: int = 64,
  limit: int | None = None,
  pictures: int = 8,
  worst: int = 20,
) -> evaluate.Evaluation:
  """Measures methods on the images of a source, their centres cropped.

  Image n has the same hole whatever the batch size, the limit and the methods.

  Args:
    methods: of different names.
    source: the photographs.
    draw_masks: `(keys, size) -> float32 [B, H, W, 1]`, 1 = missing, as the
      makers of `corruptions.masks`.
    size: side that images are resized and cropped to, pixels, at least 11.
    seed: of masks and intervals.
    batch_size: images in memory at a time.
    limit: measure only the first so many images; None: all.
    pictures: keep the first so many images to look at.
    worst: keep so many that the first method is worst on.

  Returns:
    The figures.

  Raises:
    InputError: an image cannot be decoded, a method cannot fill such holes, or
      two have the same name or one that is taken.
  """
  evaluate.check_names([method.name for method in methods])
  tables: dict[str, list[dict[str, np.ndarray]]] = {m.name: [] for m in methods}
  seconds = dict.fromkeys(tables, 0.0)
  shown: dict[str, list[np.ndarray]] = {
    name: [] for name in ('original', 'masked', *tables)
  }
  kept = evaluate.Worst(worst)
  names: list[str] = []
  digest = hashlib.sha256()
  ready: set[tuple[str, int]] = set()
  masks_of = mask_maker(draw_masks, size, seed, batch_size)
  count = min(len(source), limit or len(source))
  stream = batches.eval_batches(source, batch_size=batch_size, size=size)
  for images, paths in stream:
    images = images[: count - len(names)]
    missing = masks_of(len(names), len(images))
    digest.update(bits(missing))
    observed = np.where(missing[..., None], _GREY, images)
    few = slice(0, max(0, pictures - len(names)))
    shown['original'].append(images[few])
    shown['masked'].append(observed[few])
    outputs = {'original': images, 'masked': observed}
    for method in methods:
      # Every library does something the first time; one image will do, if it
      # is not compiled for the batch's size.
      first = len(images) if method.compiled else 1
      if (method.name, first) not in ready:
        method.fill(observed[:first], missing[:first])
        ready.add((method.name, first))
      start = time.perf_counter()
      filled = method.fill(observed, missing)
      seconds[method.name] += time.perf_counter() - start
      filled = np.where(missing[..., None], filled, images)
      found = evaluate.figures(filled, images, missing, batch_size, holes=True)
      tables[method.name].append(found)
      shown[method.name].append(filled[few])
      outputs[method.name] = filled
    psnr_db = tables[methods[0].name][-1]['psnr_db']
    kept.add(paths[: len(images)], psnr_db, outputs)
    names += paths[: len(images)]
    if len(names) == count:
      break
  looks = [(name, np.concatenate(parts)) for name, parts in shown.items()]
  evaluation = evaluate.tabulate(names, tables, seconds, looks, seed=seed)
  return evaluation._replace(masks=digest.hexdigest(), worst=kept)


def bits(missing: np.ndarray) -> bytes:
  """Masks as their digest sees them, one after the other.

  Args:
    missing: bool `[B, H, W]`, True = missing.

  Returns:
    Each mask's rows one after the other, eight pixels to a byte, the first in
    the highest bit, its last byte filled up with zeros.
  """
  return np.packbits(missing.reshape(len(missing), -1), axis=1).tobytes()


def mask_maker(
  draw_masks: Callable[[jax.Array, tuple[int, int]], jax.Array],
  size: int,
  seed: int,
  batch_size: int,
) -> Callable[[int, int], np.ndarray]:
  """What draws the holes of an evaluation, those of image n always the same.

  Args:
    draw_masks: as in `compare`.
    size: side of the images, pixels.
    seed: of the masks.
    batch_size: most masks drawn at a time.

  Returns:
    `(first image, images) -> bool [images, size, size]`, compiled once.
  """

  @jax.jit
  def draw(start: jax.Array) -> jax.Array:
    numbers = start + jnp.arange(batch_size)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
      jax.random.key(seed), numbers
    )
    return draw_masks(keys, (size, size))[..., 0] > 0

  # A copy: scikit-image takes no read-only arrays.
  return lambda start, count: np.array(draw(jnp.int32(start)))[:count]
