"""Looks at a model in training: figures and pictures of validation images."""

import pathlib
from collections.abc import Callable
from typing import Any

from absl import flags

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
  from inpaintax import checkpoints, evaluate, images, restore
  from inpaintax.images import grids

  folder = pathlib.Path(workdir) / 'images'

  def look(step, state, log):
    variables = {'params': state.gen.params, 'batch_stats': state.gen.stats}
    trained = checkpoints.Trained(step, record, variables)
    filler = restore.make_filler(trained, batch_size=64)
    found = evaluate.evaluate(
      [evaluate.Method('model', filler.fill, True)],
      source,
      masker,
      size=record['image_size'],
      seed=seed,
      limit=VAL_IMAGES.value,
    )
    log.write(step, {f'val/{name}': found.rows[0][name] for name in _FIGURES})
    grid = grids.picture_grid(found.pictures)
    folder.mkdir(exist_ok=True)
    images.write(folder / f'step_{step:08}.png', grid)
    log.image(step, 'validation', grid)

  return look
