"""Masks that somebody drew: a folder of images becomes a bank.

On the host, before training; `masks.from_bank` draws from it on the device.
"""

import os
import pathlib

import numpy as np

from inpaintax import images
from inpaintax.errors import InputError


def files(folder: str | os.PathLike[str]) -> list[pathlib.Path]:
  """The images of a folder and of those inside it, in order of path.

  Args:
    folder: where they are.

  Returns:
    Their paths, at least one.

  Raises:
    InputError: no such folder, or no image in it.
  """
  root = pathlib.Path(folder).absolute()
  if not root.is_dir():
    raise InputError(f'{images.printable(root)}: no such folder of masks')
  paths = [
    path
    for path in sorted(root.rglob('*'))
    if path.suffix.lower() in images.SUFFIXES
    and not path.name.startswith('.')
    and path.is_file()
  ]
  if not paths:
    raise InputError(
      f'{images.printable(root)}: no mask in this folder: looked for '
      + ' '.join(images.SUFFIXES)
    )
  return paths


def load(folder: str | os.PathLike[str], size: tuple[int, int]) -> np.ndarray:
  """Reads every mask of a folder and of those inside it, in order of path.

  Files count by their suffix (`images.SUFFIXES`) unless hidden. Resized to
  `size` by taking the nearest pixel, whatever their aspect.

  Args:
    folder: where the files are; what they mean, `images.read_mask` says.
    size: height and width of the masks wanted, pixels.

  Returns:
    float32 `[N, H, W, 1]`, 1 = missing: a bank for `masks.from_bank`.

  Raises:
    InputError: no such folder, no mask in it, an unreadable file, or a mask
      that leaves (once resized) no pixel missing or none known.
  """
  paths = files(folder)
  bank = np.zeros((len(paths), *size, 1), np.float32)
  for row, path in zip(bank, paths, strict=True):
    mask = images.read_mask(path)
    # The pixel under the middle of each wanted one.
    rows, columns = [
      (2 * np.arange(new) + 1) * old // (2 * new)
      for new, old in zip(size, mask.shape, strict=True)
    ]
    row[..., 0] = mask[rows[:, None], columns]
    if row.min() == row.max():
      state = 'missing' if row.max() else 'known'
      raise InputError(
        f'{images.printable(path)}: every pixel is {state} at '
        f'{size[0]} x {size[1]}: take this mask out'
      )
  return bank
