r"""Trains a context encoder: fills a hole from what surrounds it.

  python -m experiments.context_encoder \
    --flagfile=experiments/flags/quickstart.flags --workdir=runs/quickstart
  python -m experiments.context_encoder \
    --flagfile=experiments/flags/imagenet64.flags --workdir=runs/l2 \
    --data='tar:/data/train-*.tar[500:]' \
    --val_data='tar:/data/train-*.tar[:500]' --adversarial_weight=0
  python -m experiments.context_encoder --flagfile=runs/l2/flags.txt \
    --workdir=runs/l2_seed1 --seed=1

The same command on the same workdir goes on where it stopped; the third
replays a run with another seed.

Flag files: `quickstart` (embedded photographs, two minutes), `imagenet64`,
`deck`, `pathak_center`, `pathak_random`. `--adversarial_weight=0` trains with
the reconstruction loss alone, without a discriminator.

Source: Pathak et al. 2016, arXiv:1604.07379.
"""

import functools

from absl import flags

from experiments import (
  course,
  holes,
  networks,
  program,
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
_RECONSTRUCTION = flags.DEFINE_enum(
  'reconstruction',
  'masked_l2',
  ['masked_l2', 'masked_l1', 'overlap_l2'],
  "Reconstruction loss: inside the hole (the paper's), or over the whole output"
  " with --known_weight (the authors' code).",
)
_KNOWN_WEIGHT = flags.DEFINE_float(
  'known_weight',
  10.0,
  'Weight of known pixels in overlap_l2, missing ones having 1.',
  lower_bound=0.0,
)
_ADVERSARIAL = flags.DEFINE_enum(
  'adversarial',
  'bce',
  ['bce', 'least_squares', 'hinge'],
  'Form of the adversarial loss.',
)
_ADVERSARIAL_WEIGHT = flags.DEFINE_float(
  'adversarial_weight',
  1e-3,
  'Weight of the adversarial loss; reconstruction has the rest.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_GEN_LR = flags.DEFINE_float('gen_lr', 2e-3, 'Adam rate of G.', lower_bound=0.0)
_DISC_LR = flags.DEFINE_float(
  'disc_lr', 2e-4, 'Adam rate of D.', lower_bound=0.0
)
_BETA1 = flags.DEFINE_float(
  'beta1', 0.5, "Adam's first decay.", lower_bound=0.0, upper_bound=1.0
)
_DECAY = flags.DEFINE_float(
  'decay',
  0.0,
  'Share of the run, at its end, over which both rates fall to zero.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_ACCUMULATE = flags.DEFINE_integer(
  'accumulate',
  1,
  'Batches whose gradients make one update, for batches too large for the'
  ' device. --steps and all intervals count batches.',
  lower_bound=1,
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


def _optimiser(peak):
  """Adam: its rate is constant, then falls along a cosine to zero.

  With --accumulate D moves after the last of its batches, so that G's gradients
  of the others are of the D before; batch norm sees each batch alone.
  """
  import optax

  batches = _ACCUMULATE.value
  updates = training.STEPS.value // batches
  tail = round(_DECAY.value * updates)
  # A schedule too: a run may go on with another --decay.
  rate = optax.constant_schedule(peak)
  if tail:
    falling = optax.cosine_decay_schedule(peak, tail)
    rate = optax.join_schedules([rate, falling], [updates - tail])
  tx = optax.adam(rate, b1=_BETA1.value)
  if batches == 1:
    return tx
  return optax.MultiSteps(tx, batches).gradient_transformation()


def _reconstruction():
  """`(prediction, target, mask) -> [B]`."""
  from inpaintax.losses import reconstruction

  losses = {
    'masked_l2': reconstruction.masked_l2,
    'masked_l1': reconstruction.masked_l1,
    'overlap_l2': functools.partial(
      reconstruction.overlap_l2, known_weight=_KNOWN_WEIGHT.value
    ),
  }
  return losses[_RECONSTRUCTION.value]


def _players(record, corrupt):
  """(init, make_step): with a discriminator, or without."""
  import jax
  import jax.numpy as jnp

  from inpaintax import models
  from inpaintax.losses.adversarial import ADVERSARIAL
  from inpaintax.steps import compile as compiling
  from inpaintax.steps import gan, supervised

  size, seed = record['image_size'], training.SEED.value
  image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
  gen_tx, disc_tx = _optimiser(_GEN_LR.value), _optimiser(_DISC_LR.value)
  weight = _ADVERSARIAL_WEIGHT.value

  def init(new):
    key = jax.random.fold_in(jax.random.key(seed), _INIT)
    gen = models.build(record['generator'])
    if weight:
      disc = models.build(record['discriminator'])
      state = gan.init_gan(key, gen, disc, gen_tx, disc_tx, image=image)
    else:
      state = supervised.init_supervised(key, gen, gen_tx, image=image)
    return training.from_other(
      state, record, new=new, same=('generator', 'fill', 'hole')
    )

  def make_step(axis_name):
    shared = {'reconstruction': _reconstruction(), 'axis_name': axis_name}
    build = functools.partial(
      models.build, axis_name=axis_name, dtype=training.DTYPE.value
    )
    gen = build(record['generator'])
    if weight:
      disc = build(record['discriminator'])
      step = gan.make_gan_step(
        gen,
        disc,
        gen_tx,
        disc_tx,
        form=ADVERSARIAL[_ADVERSARIAL.value],
        adversarial_weight=weight,
        **shared,
      )
    else:
      step = supervised.make_supervised_step(gen, gen_tx, **shared)
    return compiling.with_corruption(
      step, corrupt, seed=seed, axis_name=axis_name
    )

  return init, make_step


def main():
  """Reads the data, builds the run, trains."""
  from inpaintax import images
  from inpaintax.corruptions import masks
  from inpaintax.data import sources
  from inpaintax.errors import InputError

  training.before_jax()
  networks.check()
  size, load_size = networks.SIZE.value, _LOAD_SIZE.value
  if load_size is not None and load_size < size:
    raise InputError(f'--load_size={load_size} is below --size={size}.')
  if training.STEPS.value % _ACCUMULATE.value:
    raise InputError(
      f'--steps={training.STEPS.value} is not a multiple of'
      f' --accumulate={_ACCUMULATE.value}: the last batches would do nothing.'
    )
  if _SHIFT.value >= size:
    raise InputError(f'--shift={_SHIFT.value} is not below --size={size}.')
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
  record = networks.record(fill)
  record['adversarial'] = _ADVERSARIAL_WEIGHT.value > 0
  masker = holes.masker(size, hole=record['hole'])
  look = None
  if val_source is not None:
    # A model of one block is looked at in the centre, wherever it trains.
    seen = masker
    if record['hole'] is not None:
      seen = functools.partial(masks.center, hole=record['hole'])
    look = validation.make_look(
      workdir, record, seen, val_source, seed=training.SEED.value
    )
  init, make_step = _players(record, _corruption(masker, fill))
  compiled, stream = training.on_images(
    make_step, source, size=size, load_size=load_size
  )
  course.train(
    course.Run(record, init, look, training.names_at(source)),
    compiled,
    stream,
    example=training.batch_like(size),
  )


if __name__ == '__main__':
  program.run(main)
