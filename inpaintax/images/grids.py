"""Pictures side by side, as one picture."""

from collections.abc import Sequence

import chex
import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Small images are enlarged to about this side, pixels; and what is around them.
_SIDE = 128
_GAP = 4
_FONT = 14


def picture_grid(rows: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
  """Lays images out on white, one row under another, each with its name.

  Small ones are enlarged by a whole factor, each pixel repeated: nothing is
  smoothed that one should see.

  Args:
    rows: (name, uint8 `[N, H, W, 3]`) of each row, all of one shape, N >= 1.

  Returns:
    uint8 `[H', W', 3]`: at the left the names; at the right the images, with 4
    pixels around each, the last of them at the lower right corner.

  Raises:
    AssertionError: a shape or type differs from the above.
  """
  arrays = [images for _, images in rows]
  chex.assert_equal_shape(arrays)
  chex.assert_rank(arrays, 4)
  chex.assert_axis_dimension(arrays[0], 3, 3)
  chex.assert_type(arrays, np.uint8)
  count, height, width, _ = arrays[0].shape
  factor = max(1, round(_SIDE / max(height, width)))
  height, width = factor * height, factor * width
  font = ImageFont.load_default(_FONT)
  names = _GAP + max(int(np.ceil(font.getlength(name))) for name, _ in rows)
  canvas = Image.new(
    'RGB',
    (
      names + _GAP + count * (width + _GAP),
      _GAP + len(rows) * (height + _GAP),
    ),
    'white',
  )
  draw = ImageDraw.Draw(canvas)
  for row, (name, images) in enumerate(rows):
    top = _GAP + row * (height + _GAP)
    draw.text((_GAP, top + height // 2), name, 'black', font, anchor='lm')
    for column, image in enumerate(images):
      tile = image.repeat(factor, 0).repeat(factor, 1)
      left = names + _GAP + column * (width + _GAP)
      canvas.paste(Image.fromarray(tile), (left, top))
  return np.array(canvas)
