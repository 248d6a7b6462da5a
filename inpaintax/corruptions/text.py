"""Superimposed text: what blind inpainting takes away.

Text is drawn on the host (`draw`), as what it does to an image below it; many
such pages make a bank, from which `superimpose` lays parts over patches on the
device.

Source of the task: Xie, Xu and Chen 2012, sec. 3.3: several fonts, 18 to 36
pixels.
"""

import string
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import jax
import numpy as np
from jax import numpy as jnp

from inpaintax.corruptions import noise

# Those inside OpenCV, drawn in three weights each. A path is a font's too.
FONTS = ('sans', 'italic', 'uni')
_WEIGHTS = (300, 500, 800)
# Smaller is no letter; larger, one covers most of a page.
SIZES = (6, 200)
# Height and width of a bank's pages, pixels.
PAGE = (256, 256)
_LETTERS = np.array(list(string.ascii_letters + string.digits))


class Text(NamedTuple):
  """What text does to the image below: `keep / 255 * pixel + add`.

  Attributes:
    keep: uint8 `[H, W]`; 255 where there is no text, less at its edges, 0
      inside it.
    add: uint8 `[H, W]`, grey levels.
  """

  keep: np.ndarray
  add: np.ndarray


class Pages(NamedTuple):
  """A bank of pages of text. Arrays only.

  Attributes:
    keep: uint8 `[N, H, W]`, as in `Text`.
    add: uint8 `[N, H, W]`.
    glyphs: int32 `[M, 3]`: page, row and column of each pixel that text
      changes.
  """

  keep: np.ndarray | jax.Array
  add: np.ndarray | jax.Array
  glyphs: np.ndarray | jax.Array


def draw(
  generator: np.random.Generator,
  size: tuple[int, int],
  *,
  font_sizes: tuple[int, int] = (18, 36),
  fonts: Sequence[str] = FONTS,
  share: float = 0.15,
  grey_share: float | None = None,
  even_sizes: bool = False,
) -> Text:
  """Draws strings until they cover a share of the page.

  Each has letters and digits at random, and a font, a weight, a size, a place
  and a colour of its own: black, white or any grey. It may leave the page, and
  lie over others.

  Args:
    generator: every choice is its.
    size: height and width of the page, pixels.
    font_sizes: the smallest and the largest, from 6 to 200 pixels.
    fonts: names of those inside OpenCV, or paths of font files.
    share: of the pixels, in (0, 1).
    grey_share: of the strings that have any grey, in [0, 1], black and white
      ones being as many; None: a third.
    even_sizes: whether all sizes cover equal areas, and small ones come more
      often; otherwise all come equally often.

  Returns:
    The text.

  Raises:
    ValueError: an option is out of range, or a font cannot be read.
  """
  if not 0 < share < 1:
    raise ValueError(f'share must be in (0, 1), got {share}.')
  chances = None  # Equal ones; and a stream of choices as it always was.
  if grey_share is not None:
    noise.check_share(grey_share)
    chances = ((1 - grey_share) / 2, (1 - grey_share) / 2, grey_share)
  sizes = _sizes(font_sizes)
  odds = 1 / sizes**2 if even_sizes else None
  faces = [_face(font) for font in fonts]
  keep: np.ndarray = np.ones(size, np.float32)
  add: np.ndarray = np.zeros(size, np.float32)
  height, width = size
  while (keep < 1).mean() < share:
    letters = generator.choice(_LETTERS, generator.integers(3, 13))
    points = int(
      generator.integers(sizes[0], sizes[-1] + 1)
      if odds is None
      else generator.choice(sizes, p=odds / odds.sum())
    )
    # Left of the page, too, and above: its borders have as much as its middle.
    left = int(generator.integers(-6 * points, width))
    base = int(generator.integers(0, height + points))
    grey = int(generator.integers(256))
    kind = (
      generator.integers(3) if not chances else generator.choice(3, p=chances)
    )
    level = (0, 255, grey)[kind]
    cover = np.zeros(size, np.uint8)
    cv2.putText(
      cover,
      ''.join(letters),
      (left, base),
      (255,),
      faces[generator.integers(len(faces))],
      points,
      int(generator.choice(_WEIGHTS)),
      cv2.PUT_TEXT_ALIGN_LEFT,
      (left, left + 100 * points),  # One line: by default it wraps.
    )
    # Where it lies, which is little of the page.
    x, y, wide, tall = cv2.boundingRect(cover)
    box = np.s_[y : y + tall, x : x + wide]
    through = np.float32(1) - cover[box] / np.float32(255)
    keep[box] *= through
    add[box] = through * add[box] + (1 - through) * level
  return Text(*(np.rint(x).astype(np.uint8) for x in (255 * keep, add)))


def _sizes(font_sizes: tuple[int, int]) -> np.ndarray:
  """All from the smallest to the largest."""
  low, high = font_sizes
  least, most = SIZES
  if not least <= low <= high <= most:
    raise ValueError(
      f'font sizes must rise, from {least} to {most}, got {font_sizes}.'
    )
  return np.arange(low, high + 1)


def _face(font: str) -> cv2.FontFace:
  face = cv2.FontFace()
  if not face.set(font):
    raise ValueError(
      f'{font} is neither a font file nor one of {", ".join(FONTS)}.'
    )
  return face


def lay(text: Text, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Puts text over an image, on the host.

  Args:
    text: of the image's size.
    image: `[H, W]`, grey levels of 0..255.

  Returns:
    (float32 `[H, W]`, on the same scale, not rounded; bool `[H, W]`, True where
    text changes the image).
  """
  through = text.keep / np.float32(255)
  return through * image.astype(np.float32) + text.add, text.keep < 255


def load_pages(
  seed: int,
  *,
  count: int = 1024,
  size: tuple[int, int] = PAGE,
  font_sizes: tuple[int, int] = (18, 36),
  fonts: Sequence[str] = FONTS,
  grey_share: float | None = None,
  even_sizes: bool = False,
) -> Pages:
  """Draws a bank of pages.

  Args:
    seed: of every choice.
    count: of the pages.
    size: height and width of a page, pixels.
    font_sizes: the smallest and the largest, pixels.
    fonts: as for `draw`.
    grey_share: as for `draw`.
    even_sizes: as for `draw`.

  Returns:
    The bank, on the host.

  Raises:
    ValueError: an option is out of range.
  """
  generator = np.random.default_rng(seed)
  pages = [
    draw(
      generator,
      size,
      font_sizes=font_sizes,
      fonts=fonts,
      grey_share=grey_share,
      even_sizes=even_sizes,
    )
    for _ in range(count)
  ]
  keep, add = (np.stack(part) for part in zip(*pages, strict=True))
  return Pages(keep, add, np.argwhere(keep < 255).astype(np.int32))


def superimpose(
  keys: jax.Array, images: jax.Array, pages: Pages, *, share: float = 1.0
) -> tuple[jax.Array, jax.Array]:
  """Lays parts of pages over images.

  An image has text on it with the chance `share`, and then at least one pixel
  of it: around a glyph's pixel that is drawn at random, wherever in the image
  that comes to lie.

  Args:
    keys: typed PRNG keys `[B]`, one an image.
    images: float `[B, H, W, C]` in [-1, 1], no larger than the pages.
    pages: the bank.
    share: of the images, in [0, 1].

  Returns:
    (images with text, of the same shape and type; float32 `[B, H, W, 1]`, 1
    where text changes them).

  Raises:
    ValueError: `share` is out of range, or the images are larger than a page.
    AssertionError: keys and images do not fit.
  """
  noise.check(keys, images)
  noise.check_share(share)
  keep, add, glyphs = (jnp.asarray(part) for part in pages)
  size = images.shape[1:3]
  sides = jnp.array(size, jnp.int32)
  room = jnp.array(keep.shape[1:], jnp.int32) - sides
  if size[0] > keep.shape[1] or size[1] > keep.shape[2]:
    raise ValueError(f'images of {size} on pages of {keep.shape[1:]}.')

  def one(key: jax.Array) -> tuple[jax.Array, jax.Array]:
    has, which, within = jax.random.split(key, 3)
    page, *place = glyphs[
      jax.random.randint(which, (), 0, len(glyphs), jnp.int32)
    ]
    offset = jax.random.randint(within, (2,), 0, sides, jnp.int32)
    corner = jnp.clip(jnp.stack(place) - offset, 0, room)
    part = lambda bank: jax.lax.dynamic_slice(
      bank, (page, *corner), (1, *size)
    )[0].astype(images.dtype)
    there = jax.random.uniform(has, (), jnp.float32) < share
    return (
      jnp.where(there, part(keep) / 255, 1.0),
      jnp.where(there, part(add), 0.0),
    )

  through, added = (x[..., None] for x in jax.vmap(one)(keys))
  # In grey levels: 127.5 (x + 1).
  observed = through * (images + 1) + added / noise.LEVELS - 1
  return observed, (through < 1).astype(jnp.float32)
