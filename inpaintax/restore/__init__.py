"""A trained generator on images of the user's own, 8 or 16 bit.

Known pixels come back bit for bit: what the network gives is rounded to 8 bit
and put into the hole, and nowhere else.

A model that takes images of one size fills each hole in a window of that size
around it: `restore.windows`. One that takes any size fills any hole:
`restore.tiles`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from inpaintax import checkpoints, images, models
from inpaintax.corruptions import masks
from inpaintax.errors import CheckpointError, InputError
from inpaintax.models import blocks
from inpaintax.restore import blending, pixels, texture, tiles, windows

# Windows in memory at a time.
_WINDOWS = 64


class Filler(NamedTuple):
  """What fills holes in batches of images.

  Attributes:
    fill: takes images, uint8 `[B, H, W, 3]`, and masks, bool `[B, H, W]`, True
      = missing; returns uint8 composites of the images' shape.
    size: side of the images, pixels: of all, or of those trained with.
    hole: side of the square in their centre outside of which nothing may be
      missing; None: any pixel may be.
    multiple: None if images have `size`; or what H and W must be multiples of.
  """

  fill: Callable[[np.ndarray, np.ndarray], np.ndarray]
  size: int
  hole: int | None
  multiple: int | None = None


def make_filler(
  trained: checkpoints.Trained,
  *,
  batch_size: int = 16,
  mirrored: bool = False,
  blended: bool = False,
) -> Filler:
  """Compiles a trained generator into what fills holes.

  A model trained on centre holes sees the whole centre erased, as in training,
  however little of it is missing.

  Args:
    trained: the generator.
    batch_size: most images filled at a time. Fewer are filled up to a power of
      two, so that there are few shapes to compile for.
    mirrored: fill the mirror image too, and take the mean of both: closer to
      the truth, smoother, in twice the time (Timofte et al. 2016,
      arXiv:1511.02228, sec. 4.6).
    blended: shift what is filled to what the known pixels at its edge ask for:
      `blending.poisson`. Of no effect where a hole fills all of the block that
      a model predicts.

  Returns:
    The filler. Its `fill` takes any number of images; it raises InputError for
    a mask outside the square, and CheckpointError where the model's output is
    not finite.

  Raises:
    ValueError: the record names no known model, or one that fills no holes, or
      `batch_size` is less than 1.

  Source: Pathak et al. 2016, "Context Encoders", arXiv:1604.07379, sec. 3.3. As
  there, of an overlapping block only the erased part is used.
  """
  record = trained.record
  if 'hole' not in record:
    raise ValueError('this model is no generator that fills holes.')
  if batch_size < 1:
    raise ValueError(f'batch_size must be at least 1, got {batch_size}.')
  size, hole = record['image_size'], record['hole']
  multiple = record.get('multiple')
  generator = models.build(record['generator'])
  colour = jnp.asarray(record['fill'], jnp.float32)
  square = None if hole is None else windows.square(size, hole)
  variables = jax.device_put(trained.variables)

  def predict(
    variables: dict[str, Any], observed: jax.Array, unseen: jax.Array
  ) -> jax.Array:
    output: Any = generator.apply(variables, observed, unseen, train=False)
    return output

  @jax.jit
  def run(
    variables: dict[str, Any], batch: jax.Array, missing: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    unseen = missing if square is None else missing | square[None]
    unseen = unseen[..., None].astype(jnp.float32)
    truth = images.to_float(batch)
    observed = masks.apply(truth, unseen, colour)
    output = predict(variables, observed, unseen)
    if mirrored:
      other = predict(variables, observed[:, :, ::-1], unseen[:, :, ::-1])
      output = (output + other[:, :, ::-1]) / 2
    height, width = output.shape[1:3]
    edges = (batch.shape[1] - height) // 2, (batch.shape[2] - width) // 2
    if blended:
      part = lambda x: blocks.center_crop(x, (height, width))
      known = part(missing[..., None].astype(jnp.float32))
      output = blending.poisson(
        output, part(truth), known, across=record.get('predicts_known', False)
      )
    whole = jnp.pad(output, ((0, 0), *((n, n) for n in edges), (0, 0)))
    filled = jnp.where(missing[..., None], images.to_uint8(whole), batch)
    return filled, jnp.isfinite(output).all()

  def fill(batch: np.ndarray, missing: np.ndarray) -> np.ndarray:
    _check_batch(batch, missing, size, multiple)
    if square is not None and (missing & ~square).any():
      raise InputError(
        f'this model fills only the {hole}x{hole} pixels in the centre of its'
        f' {size}x{size}: missing pixels lie outside of them.'
      )
    out = np.empty_like(batch)
    for start in range(0, len(batch), batch_size):
      part = slice(start, start + batch_size)
      count = len(batch[part])
      rows = min(batch_size, 1 << (count - 1).bit_length())
      filled, finite = run(
        variables, _padded(batch[part], rows), _padded(missing[part], rows)
      )
      if not finite:
        raise CheckpointError(
          f'the model of step {trained.step} gives values that are not finite:'
          ' its training has diverged.'
        )
      out[part] = np.asarray(filled)[:count]
    return out

  return Filler(fill, size, hole, multiple)


def fill_image(
  image: np.ndarray,
  mask: np.ndarray,
  filler: Filler,
  *,
  textured: float = 0.0,
  describe: texture.Describe | None = None,
) -> np.ndarray:
  """Fills the holes of an image of any size, each at its own place.

  What is filled is grey where all that is known is.

  Args:
    image: uint8 or uint16, `[H, W]` (grey) or `[H, W, 3]`.
    mask: bool `[H, W]`, True = missing.
    filler: fills images of one size, or of any.
    textured: how much of the texture of the most similar known patches what is
      filled is given, from 0 to 1: the `share` of `texture.refine`. Holes
      deeper than those of the training, which are filled at a coarser scale,
      get it in any case, all of it if this is 0.
    describe: what patches are compared by beside their colours, such as
      `features.make_describe`; None: nothing.

  Returns:
    A new array of the image's shape and type; equal to it outside the mask. Of
    16 bit, what is filled has 8.

  Raises:
    InputError: mask and image differ in size, nothing is known, or a hole does
      not fit into what the model fills; the message names hole and limit.
    ValueError: a type or number differs from the above.
  """
  image, mask = np.asarray(image), np.asarray(mask)
  # A reader of files may have left the bytes in the file's order.
  image = image.astype(image.dtype.newbyteorder('='), copy=False)
  seen = pixels.seen(image)
  pixels.check_mask(image, mask)
  if not 0 <= textured <= 1:
    raise ValueError(f'textured must be in [0, 1], got {textured}.')
  filled = _fill(seen, mask, filler, textured, describe)
  return pixels.put(image, mask, filled)


def _fill(
  image: np.ndarray,
  mask: np.ndarray,
  filler: Filler,
  textured: float,
  describe: texture.Describe | None,
) -> np.ndarray:
  """`fill_image` of uint8 `[H, W, 3]`."""
  known = image[~mask]
  if (known == known[:, :1]).all():
    colours = filler.fill
    filler = filler._replace(fill=lambda *batch: _grey(colours(*batch)))
  if filler.multiple is not None:
    # Half of a hole that takes half of the image's side.
    limit = filler.size / 4
    out = tiles.fill(
      image, mask, filler.fill, limit=limit, multiple=filler.multiple
    )
    deep = mask if textured else tiles.halvings(mask, limit) > 0
    share = textured or 1.0
    return texture.refine_holes(
      image, out, mask, deep, share=share, describe=describe
    )
  out = _in_windows(image, mask, filler)
  if not textured:
    return out
  return texture.refine_holes(
    image, out, mask, mask, share=textured, describe=describe
  )


def _grey(filled: np.ndarray) -> np.ndarray:
  """uint8 `[..., 3]`, each pixel as bright as it was."""
  return np.repeat(images.to_grey(filled)[..., None], 3, axis=-1)


def _in_windows(
  image: np.ndarray, mask: np.ndarray, filler: Filler
) -> np.ndarray:
  """Fills each group of holes in a window of the model's size."""
  size, side = filler.size, filler.hole or filler.size
  groups, boxes = windows.group(mask, side)
  starts = [
    windows.place(box, mask.shape, size=size, side=side) for box in boxes
  ]
  out = image.copy()
  for first in range(0, len(starts), _WINDOWS):
    part = starts[first : first + _WINDOWS]
    cuts = [
      windows.cut(image, mask, start, size=size, side=side) for start in part
    ]
    batch, missing = (np.stack(x) for x in zip(*cuts, strict=True))
    filled = filler.fill(batch, missing)
    for number, (crop, (top, left)) in enumerate(
      zip(filled, part, strict=True), first + 1
    ):
      at = np.s_[max(0, top) : top + size, max(0, left) : left + size]
      own = groups[at] == number
      # Of the window, what lies in the image.
      crop = crop[max(0, -top) :, max(0, -left) :]
      out[at][own] = crop[: own.shape[0], : own.shape[1]][own]
  return out


def _check_batch(
  batch: np.ndarray, missing: np.ndarray, size: int, multiple: int | None
) -> None:
  if multiple is None:
    wanted, fits = f'{size}, {size}', batch.shape[1:] == (size, size, 3)
  else:
    wanted = f'H, W of multiples of {multiple}'
    fits = batch.ndim == 4 and batch.shape[3] == 3
    fits = fits and not any(n % multiple for n in batch.shape[1:3])
  if batch.dtype != np.uint8 or not fits:
    raise ValueError(
      f'images must be uint8 [B, {wanted}, 3], got {batch.dtype} {batch.shape}.'
    )
  if missing.dtype != bool or missing.shape != batch.shape[:3]:
    raise ValueError(
      f'masks must be bool {batch.shape[:3]}, got {missing.dtype}'
      f' {missing.shape}.'
    )


def _padded(rows: np.ndarray, count: int) -> np.ndarray:
  """Zeros behind, up to `count` rows."""
  more = np.zeros((count - len(rows), *rows.shape[1:]), rows.dtype)
  return np.concatenate([rows, more])
