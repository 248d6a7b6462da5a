"""The images on which a method does worst, kept while others go by."""

import numpy as np


class Worst:
  """Of all images that are added, those with the lowest PSNR.

  Attributes:
    names: of them, the worst first.
    psnr_db: theirs.
    pictures: uint8 `[K, S, S, 3]` of each name that was given; none before the
      first image.
  """

  def __init__(self, count: int):
    """Keeps none yet.

    Args:
      count: how many to keep.
    """
    self._count = count
    self.names: list[str] = []
    self.psnr_db: list[float] = []
    self.pictures: dict[str, np.ndarray] = {}

  def add(
    self, names: list[str], psnr_db: np.ndarray, pictures: dict[str, np.ndarray]
  ) -> None:
    """Looks at more images.

    Args:
      names: of B images.
      psnr_db: theirs, `[B]`.
      pictures: uint8 `[B, S, S, 3]` by name, the same names each time.
    """
    every = np.concatenate([self.psnr_db, psnr_db])
    # Stable: of equals the first stays.
    chosen = np.argsort(every, kind='stable')[: self._count]
    known = self.names + names
    self.names = [known[number] for number in chosen]
    self.psnr_db = every[chosen].tolist()
    if self.pictures:
      pictures = {
        name: np.concatenate([self.pictures[name], new])
        for name, new in pictures.items()
      }
    self.pictures = {name: all_[chosen] for name, all_ in pictures.items()}
