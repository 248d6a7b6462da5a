"""Masks in the shape of things: silhouettes from label images, or invented.

A bank of silhouettes is made once, on the host; `place` draws from it on the
device, with the contract of `corruptions.masks`.
"""

import os

import jax
import numpy as np
from jax import numpy as jnp

from inpaintax import images
from inpaintax.corruptions import banks, fields, masks
from inpaintax.errors import InputError

# Colours of a label image that are no object: the background of all sets, and
# the outlines of PASCAL VOC.
_NO_OBJECT = ((0, 0, 0), (224, 224, 192))
# An object of fewer pixels is none.
_LEAST = 64
# More colours has no label image.
_COLOURS = 256
# Waves around an invented silhouette.
_WAVES = 6


def load(folder: str | os.PathLike[str], *, side: int = 64) -> np.ndarray:
  """Reads the silhouettes of a folder of label images.

  In a label image, such as PASCAL VOC's, each colour but black is an object;
  VOC's outlines are none. Smaller ones than 64 pixels are left out.

  Args:
    folder: where the label images are, here and further inside.
    side: of the silhouettes, pixels.

  Returns:
    bool `[N, side, side]`, True inside, each as high and as wide as its square:
    a bank for `place`.

  Raises:
    InputError: no such folder, no image in it, one that cannot be read or has
      more than 256 colours, or no object in any.
  """
  found = []
  for path in banks.files(folder):
    labels = images.read(path)
    colours = np.unique(labels.reshape(-1, 3), axis=0)
    if len(colours) > _COLOURS:
      raise InputError(
        f'{images.printable(path)} has {len(colours)} colours: is it a label'
        f' image? Those have at most {_COLOURS}, and are no JPEGs.'
      )
    for colour in colours:
      if tuple(colour.tolist()) in _NO_OBJECT:
        continue
      inside = (labels == colour).all(-1)
      if inside.sum() >= _LEAST:
        found.append(_framed(inside, side))
  if not found:
    raise InputError(
      f'{images.printable(folder)}: no object of at least {_LEAST} pixels in'
      ' its label images: every colour but black is one.'
    )
  return np.stack(found)


def invent(count: int, *, side: int = 64, seed: int = 0) -> np.ndarray:
  """Makes silhouettes up, where there are no label images.

  Their outline goes around a point at a distance that is a sum of six waves,
  the quick ones lower: smooth, with arms and bays.

  Args:
    count: how many, at least 1.
    side: of the silhouettes, pixels, at least 8.
    seed: of the outlines.

  Returns:
    bool `[count, side, side]`, True inside, each as high and as wide as its
    square: a bank for `place`.

  Raises:
    ValueError: `count` or `side` is out of its range.
  """
  if count < 1 or side < 8:
    raise ValueError(
      f'wanted count >= 1 and side >= 8, got {count} and {side}.'
    )
  generator = np.random.default_rng(seed)
  fine = 2 * side
  y, x = np.mgrid[-1 : 1 : fine * 1j, -1 : 1 : fine * 1j]
  angle, distance = np.arctan2(y, x), np.hypot(y, x)
  waves = np.arange(1, _WAVES + 1)
  turns = waves * angle[..., None]
  cosines, sines = np.cos(turns), np.sin(turns)
  out = []
  for _ in range(count):
    heights = generator.normal(size=_WAVES) / waves
    phases = generator.uniform(0, 2 * np.pi, _WAVES)
    # The sum of heights * cos(waves * angle + phases), without a cosine each.
    even, odd = heights * np.cos(phases), heights * np.sin(phases)
    outline = np.exp(0.5 * (cosines @ even - sines @ odd))
    out.append(_framed(distance < 0.9 * outline / outline.max(), side))
  return np.stack(out)


def place(
  keys: jax.Array,
  size: tuple[int, int],
  *,
  bank: np.ndarray,
  min_side: int,
  max_side: int,
) -> jax.Array:
  """A silhouette of the bank for each key, anywhere, of any width and height.

  Which one, its sides, its place and whether it is mirrored are drawn
  uniformly; all ends of the ranges occur.

  Args:
    keys: typed PRNG keys `[B]`.
    size: height and width of the mask, pixels.
    bank: bool `[N, S, S]`, of `load` or `invent`.
    min_side: least height and width, pixels, at least 1.
    max_side: greatest height and width, pixels.

  Returns:
    float32 `[B, H, W, 1]`, 1 = missing. The same bits under jit or not, on any
    device, in any batch.

  Raises:
    ValueError: an option is out of its range, or the bank empty.
    AssertionError: `keys` are not typed keys of rank 1.

  Source: Pathak et al. 2016, arXiv:1604.07379, sec. 3.3, "random region", whose
  silhouettes are PASCAL VOC's.
  """
  masks.check(keys, size)
  masks.check_sides(min_side, max_side, size)
  if bank.ndim != 3 or not len(bank):
    raise ValueError(f'wanted a bank [N, S, S], got {bank.shape}.')
  shapes = jnp.asarray(bank)

  def along(
    axis: int, extent: jax.Array, start: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """For each row (column): the silhouette's, and whether it lies in it."""
    whole, fine = size[axis], bank.shape[1 + axis]
    length = min_side + fields.whole(extent, max_side - min_side + 1)
    steps = jnp.arange(whole) - fields.whole(start, whole - length + 1)
    row = (2 * steps + 1) * fine // (2 * length)
    return jnp.clip(row, 0, fine - 1), (steps >= 0) & (steps < length)

  def one(key: jax.Array) -> jax.Array:
    draws = jax.random.uniform(key, (6,), jnp.float32)
    chosen = shapes[fields.whole(draws[0], len(bank))]
    chosen = jnp.where(draws[1] < 0.5, chosen, chosen[:, ::-1])
    rows, in_rows = along(0, draws[2], draws[3])
    columns, in_columns = along(1, draws[4], draws[5])
    inside = in_rows[:, None] & in_columns[None]
    return inside & chosen[rows[:, None], columns[None]]

  return jax.vmap(one)(keys)[..., None].astype(jnp.float32)


def _framed(inside: np.ndarray, side: int) -> np.ndarray:
  """What is inside, cut out along its extent and brought to a square."""
  hit = [np.flatnonzero(inside.any(axis)) for axis in (1, 0)]
  # Both ends are taken, so that it reaches them at any size.
  rows, columns = (
    np.linspace(at[0], at[-1], side).round().astype(np.int64) for at in hit
  )
  return inside[rows[:, None], columns]
