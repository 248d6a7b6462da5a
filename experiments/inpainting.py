"""What the programs share that train generators: flags, and the training.

A program describes its networks and gives them to `train`.
"""

import functools
from collections.abc import Callable
from typing import Any

from absl import flags

from experiments import (
  course,
  executables,
  objectives,
  optimization,
  staged,
  training,
  validation,
)

_LOAD_SIZE = flags.DEFINE_integer(
  'load_size', None, 'Short side to resize to before the crop; none: as it is.'
)
_SHIFT = flags.DEFINE_integer(
  'shift',
  0,
  'Most pixels by which training images are shifted, their borders mirrored.',
  lower_bound=0,
)
_SHIFT_SHARE = flags.DEFINE_float(
  'shift_share',
  1.0,
  'Share of the training images that are shifted.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_COLOR_SHARE = flags.DEFINE_float(
  'color_share',
  0.0,
  'Share of the training images that get other colours.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_FILL = flags.DEFINE_enum(
  'fill',
  'imagenet',
  ['imagenet', 'pathak', 'data'],
  "What holes are filled with: ImageNet's mean, the authors' constants (the"
  ' same with the channels in another order), or the mean of --data.',
)
_GEN_ONLY = flags.DEFINE_integer(
  'gen_only',
  0,
  'Batches at the beginning that train G alone, on reconstruction.',
  lower_bound=0,
)
_DISC_ONLY = flags.DEFINE_integer(
  'disc_only',
  0,
  'Batches after them that train D alone. Then both are trained.',
  lower_bound=0,
)
_AVERAGE = flags.DEFINE_float(
  'average',
  0.0,
  "What a moving average of G's weights keeps of itself at each update, such as"
  ' 0.999, and at the beginning less; filling is then done with the average. 0:'
  ' none is kept.',
  lower_bound=0.0,
  upper_bound=1.0,
)
# The key of the parameters, among the streams of a seed.
_INIT = 0


def _corruption(masker, fill):
  """`(keys, images) -> Sample`."""
  import jax.numpy as jnp

  from inpaintax.corruptions import masks
  from inpaintax.data.augment import augment
  from inpaintax.types import Sample

  def corrupt(keys, images):
    if _SHIFT.value or _COLOR_SHARE.value:
      images = augment(
        keys,
        images,
        shift=_SHIFT.value,
        shift_share=_SHIFT_SHARE.value,
        color_share=_COLOR_SHARE.value,
      )
    mask = masker(keys, images.shape[1:3])
    return Sample(masks.apply(images, mask, jnp.array(fill)), images, mask)

  return corrupt


def check(size: int) -> None:
  """Refuses flags that do not fit together.

  Args:
    size: side of the training crops, pixels.

  Raises:
    InputError: says which, and what would do.
  """
  from inpaintax.errors import InputError

  objectives.check()
  if _AVERAGE.value == 1:
    raise InputError('--average=1 would never move: use 0.999, or 0 for none.')
  load_size = _LOAD_SIZE.value
  if load_size is not None and load_size < size:
    raise InputError(f'--load_size={load_size} is below --size={size}.')
  if _SHIFT.value >= size:
    raise InputError(f'--shift={_SHIFT.value} is not below --size={size}.')
  optimization.check(['steps', 'gen_only', 'disc_only'])


def _players(record, corrupt):
  """(init, make_step): with a discriminator, or without.

  `make_step(moves)` takes an axis' name.
  """
  import jax
  import jax.numpy as jnp

  from inpaintax import models
  from inpaintax.steps import compile as compiling
  from inpaintax.steps import gan, supervised

  size, seed = record['image_size'], training.SEED.value
  image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
  steps = training.STEPS.value
  gen_tx = optimization.generators(steps - _DISC_ONLY.value)
  disc_tx = optimization.discriminators(steps - _GEN_ONLY.value)
  playing = objectives.ADVERSARIAL_WEIGHT.value > 0
  options = {'image': image, 'averaged': record['averaged']}

  def init():
    key = jax.random.fold_in(jax.random.key(seed), _INIT)
    gen = models.build(record['generator'])
    if playing:
      disc = models.build(record['discriminator'])
      return gan.init_gan(key, gen, disc, gen_tx, disc_tx, **options)
    return supervised.init_supervised(key, gen, gen_tx, **options)

  def make_step(moves, axis_name):
    shared = {
      'reconstruction': objectives.reconstruction(),
      'decay': _AVERAGE.value,
      'axis_name': axis_name,
    }
    build = functools.partial(
      models.build, axis_name=axis_name, dtype=training.DTYPE.value
    )
    gen = build(record['generator'])
    if playing:
      disc = build(record['discriminator'])
      shared |= objectives.adversarial()
      step = gan.make_gan_step(
        gen, disc, gen_tx, disc_tx, moves=moves, seed=seed, **shared
      )
    else:
      step = supervised.make_supervised_step(gen, gen_tx, **shared)
    return compiling.with_corruption(
      step, corrupt, seed=seed, axis_name=axis_name
    )

  return init, make_step


def _in_phases(make_step, stream):
  """(the compiled step, the stream): G alone, then D alone, then both."""
  from inpaintax.steps import stages

  first, second = _GEN_ONLY.value, _DISC_ONLY.value
  ends = [first] * (first > 0) + [first + second] * (second > 0)
  moves = ['gen'] * (first > 0) + ['disc'] * (second > 0) + ['both']
  compiled = [
    training.compile_step(functools.partial(make_step, one)) for one in moves
  ]
  return stages.in_stages(compiled), staged.Staged(stream, ends)


def train(
  describe: Callable[[Any], dict[str, Any]],
  *,
  size: int,
  masker: Callable[..., Any],
  seen: Callable[..., Any] | None = None,
) -> None:
  """Reads the data, builds the run, trains.

  Args:
    describe: from the colour that holes are filled with to the record of the
      networks and their task, see `inpaintax.checkpoints.Trained`.
    size: side of the training crops, pixels.
    masker: draws the masks, as the makers of `corruptions.masks`.
    seen: draws those that the model is looked at with; None: the same.

  Raises:
    InputError: flags or data are of no use.
  """
  from inpaintax import images
  from inpaintax.corruptions import masks
  from inpaintax.data import sources

  check(size)
  kept = executables.Kept()
  load_size = _LOAD_SIZE.value
  # Small ones are enlarged; what is long and thin cannot be.
  source = training.open_source(
    training.DATA.value,
    check=lambda shape: images.resized_shape(
      shape, load_size or max(size, min(shape))
    ),
  )
  val_source = training.open_source(training.VAL_DATA.value)
  workdir = training.check_workdir()
  if _FILL.value == 'data':
    fill = sources.mean_color(source)
  else:
    fill = masks.FILLS[_FILL.value]
  record = describe(fill) | {
    'adversarial': objectives.ADVERSARIAL_WEIGHT.value > 0,
    'averaged': _AVERAGE.value > 0,
    'predicts_known': objectives.predicts_known(),
    'optimizer': optimization.described(),
  }
  look = None
  if val_source is not None:
    look = validation.make_look(
      workdir, record, seen or masker, val_source, seed=training.SEED.value
    )
  init, make_step = _players(record, _corruption(masker, fill))
  stream = training.image_stream(source, size=size, load_size=load_size)
  compiled, stream = _in_phases(make_step, stream)
  course.train(
    course.Run(
      record,
      init,
      ('generator', 'fill', 'hole'),
      look,
      kept,
      training.batch_like(size),
      training.names_at(source),
    ),
    compiled,
    stream,
  )
