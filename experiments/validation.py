"""Looks at a model in training: figures and pictures of validation images."""

import pathlib
from collections.abc import Callable
from typing import Any

from absl import flags

from experiments import noise

VAL_IMAGES = flags.DEFINE_integer(
  'val_images',
  256,
  'Validation images measured at each --image_every.',
  lower_bound=1,
)

_FIGURES = ('psnr_db', 'l1_percent', 'l2_percent', 'sharpness')


def make_look(
  workdir: str,
  record: dict[str, Any],
  masker: Callable[..., Any],
  source: Any,
  *,
  seed: int,
) -> Callable[[int, Any, Any], None]:
  """Makes what a training run calls at each --image_every.

  Args:
    workdir: of the run; pictures go to its `images`.
    record: describes the model.
    masker: draws the masks; the same ones at every look.
    source: validation photographs, the first --val_images of which count.
    seed: of the masks.

  Returns:
    `look(step, state, log)`; the state has the player `gen`.
  """
  from inpaintax import restore
  from inpaintax.evaluate import filling

  def look(step, state, log):
    filler = restore.make_filler(_trained(step, record, state), batch_size=64)
    found = filling.compare(
      [filling.Method('model', filler.fill, True)],
      source,
      masker,
      size=record['image_size'],
      seed=seed,
      limit=VAL_IMAGES.value,
    )
    _tell(step, workdir, found.rows[0], found.pictures, log)

  return look


def make_denoising_look(
  workdir: str,
  record: dict[str, Any],
  source: Any,
  *,
  stride: int,
  seed: int,
) -> Callable[[int, Any, Any], None]:
  """Makes what a denoiser's training run calls at each --image_every.

  Args:
    workdir: of the run; pictures go to its `images`.
    record: describes the model, and the noise that it is for.
    source: validation photographs, the first --val_images of which count.
    stride: between patches, pixels.
    seed: of the noise.

  Returns:
    `look(step, state, log)`; the state has the player `gen`.

  Raises:
    InputError: the stride leaves gaps, or an image is too small.
  """
  from inpaintax.errors import InputError
  from inpaintax.evaluate import denoising
  from inpaintax.metrics import SSIM_WINDOW
  from inpaintax.restore.denoising import output_side

  side = record['image_size']
  out = output_side(record)
  if stride > out:
    raise InputError(
      f'--val_stride={stride} is more than the {out} pixels of a patch.'
    )
  least = max(side, SSIM_WINDOW)
  for number in range(min(len(source), VAL_IMAGES.value)):
    height, width = source[number].shape[:2]
    if min(height, width) < least:
      raise InputError(
        f'--val_data: {source.name(number)} has {width}x{height} pixels, less'
        f' than {least}x{least}.'
      )

  corruption = noise.corruption(record['noise'], seed=seed)

  def look(step, state, log):
    trained = _trained(step, record, state)
    found = denoising.compare(
      [noise.model('model', trained, stride=stride)],
      source,
      corruption,
      seed=seed,
      limit=VAL_IMAGES.value,
    )
    _tell(step, workdir, found.rows[1], found.pictures, log)

  return look


def _trained(step, record, state):
  """The generator as it is now."""
  from inpaintax import checkpoints
  from inpaintax.steps import player

  return checkpoints.Trained(step, record, player.best(state.gen))


def _tell(step, workdir, row, pictures, log):
  """Figures into the log, pictures into the log and the workdir."""
  from inpaintax import images
  from inpaintax.images import grids

  log.write(step, {f'val/{name}': row[name] for name in _FIGURES})
  grid = grids.picture_grid(pictures)
  folder = pathlib.Path(workdir) / 'images'
  folder.mkdir(exist_ok=True)
  images.write(folder / f'step_{step:08}.png', grid)
  log.image(step, 'validation', grid)
