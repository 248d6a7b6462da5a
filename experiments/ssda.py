r"""Trains a stacked sparse denoising auto-encoder on patches of photographs.

  python -m experiments.ssda \
    --flagfile=experiments/flags/ssda_quickstart.flags --workdir=runs/ssda
  python -m experiments.ssda \
    --flagfile=experiments/flags/ssda_sigma25.flags --workdir=runs/sigma25 \
    --data='folder:/data/photographs[:380]' \
    --val_data='folder:/data/photographs[380:]'
  python -m experiments.ssda --flagfile=runs/sigma25/flags.txt \
    --workdir=runs/sigma25_seed1 --seed=1

Layer by layer first, then all layers together (--pretrain=0: together from the
start). All photographs stay on the device; every update has new patches with
new noise.

Source: Xie, Xu and Chen 2012, "Image denoising and inpainting with deep neural
networks".
"""

from absl import flags

from experiments import (
  course,
  denoisers,
  executables,
  program,
  samples,
  staged,
  training,
  validation,
)

_PRETRAIN = flags.DEFINE_float(
  'pretrain',
  0.1,
  'Share of the updates that each layer is trained alone.',
  lower_bound=0.0,
  upper_bound=1.0,
)
_LR = flags.DEFINE_float(
  'lr',
  1e-3,
  'Rate of Adam or Muon: constant for one layer; for all, a cosine to 0.',
  lower_bound=0.0,
)
_BETA = flags.DEFINE_float(
  'beta', 1e-2, 'Weight of the sparsity term.', lower_bound=0.0
)
_RHO = flags.DEFINE_float('rho', 0.05, 'Sparsity target.', lower_bound=0.0)
_WEIGHT_DECAY = flags.DEFINE_float(
  'weight_decay',
  1e-4,
  'lambda, against half the sum of squares.',
  lower_bound=0.0,
)
_ERROR_SCALE = flags.DEFINE_float(
  'error_scale',
  1.0,
  'Errors of codes are multiplied by this before they are squared: what lambda'
  ' and beta are weighed against.',
  lower_bound=1e-6,
)
_UPDATES_PER_CALL = flags.DEFINE_integer(
  'updates_per_call',
  50,
  'Updates that the device makes at a stretch.',
  lower_bound=1,
)
_OPTIMIZER = flags.DEFINE_enum(
  'optimizer',
  'adam',
  ['adam', 'muon', 'lbfgs'],
  'muon, for --cell: gets further in as many updates. '
  "lbfgs, the paper's: --updates_per_call iterations on each batch, so take"
  ' thousands of patches.',
)
_PATCHES = flags.DEFINE_integer(
  'patches',
  None,
  'How many patches, with their noise, there are in all; none: each is new.',
  lower_bound=1,
)
_VAL_STRIDE = flags.DEFINE_integer(
  'val_stride', 3, 'Between patches of validation images.', lower_bound=1
)
# The key of the parameters, among the streams of a seed.
_INIT = 0


def _record():
  """The model and its task, as every checkpoint has them."""
  return {
    'generator': denoisers.described(),
    'discriminator': None,
    'image_size': denoisers.SIDE.value,
    'channels': 1,
    'noise': samples.described(),
    # Stages and rates follow from these: a run goes on with the same only.
    'course': {
      'steps': training.STEPS.value,
      'pretrain': _PRETRAIN.value,
      'optimizer': _OPTIMIZER.value,
      'updates_per_call': _UPDATES_PER_CALL.value,
    },
  }


def _check():
  """Refuses flags that do not fit together."""
  from inpaintax.corruptions import text
  from inpaintax.errors import InputError

  updates = _UPDATES_PER_CALL.value
  for flag in ('steps', 'log_every', 'checkpoint_every', 'image_every'):
    value = flags.FLAGS[flag].value
    if value % updates:
      raise InputError(
        f'--{flag}={value} is not a multiple of --updates_per_call={updates}.'
      )
  side = denoisers.SIDE.value
  if samples.kind() == 'text' and side > min(text.PAGE):
    raise InputError(
      f'--side={side}: pages of text have {text.PAGE[0]} pixels: take smaller'
      ' patches.'
    )
  depth = denoisers.DEPTH.value
  if depth * _PRETRAIN.value >= 1:
    raise InputError(
      f'--pretrain={_PRETRAIN.value} for each of {depth} layers leaves nothing'
      ' for training them together.'
    )
  if _PRETRAIN.value and not _stages()[0]:
    raise InputError(
      f'--pretrain={_PRETRAIN.value} of --steps={training.STEPS.value} is less'
      f' than half of --updates_per_call={updates}: lower that, or give'
      ' --pretrain=0.'
    )
  if not 0 < _RHO.value < 1:
    raise InputError(f'--rho={_RHO.value} is not between 0 and 1.')
  if _OPTIMIZER.value == 'lbfgs' and training.PARALLEL.value == 'pmap':
    raise InputError(
      '--optimizer=lbfgs searches along a line of one objective: use'
      ' --parallel=jit.'
    )
  if _OPTIMIZER.value == 'muon' and denoisers.CELL.value is None:
    raise InputError(
      '--optimizer=muon is for the kernels of convolutions: give --cell.'
    )


def _stages():
  """Update at which each layer's own training ends."""
  updates = _UPDATES_PER_CALL.value
  calls = round(_PRETRAIN.value * training.STEPS.value / updates)
  return [
    (layer + 1) * calls * updates for layer in range(denoisers.DEPTH.value)
  ]


def _compiled(model, ends, data):
  """One step of many updates for each stage; given a stage's number."""
  from experiments import threefry
  from inpaintax.steps import compile as compiling
  from inpaintax.steps import stages

  threefry.unroll()
  draw = samples.make_draw(side=denoisers.SIDE.value)
  updates = _UPDATES_PER_CALL.value
  compiled = []
  for stage, first in enumerate([0, *ends]):
    step = compiling.with_draws(
      _step(model, stage, first),
      draw,
      seed=training.SEED.value,
      # A round of L-BFGS makes as many of its own.
      updates=1 if _OPTIMIZER.value == 'lbfgs' else updates,
      distinct=_PATCHES.value,
    )
    compiled.append(
      compiling.compile_draws(
        step,
        data,
        batch_size=training.BATCH_SIZE.value,
        axis_name=training.parallel_axis(),
        devices=training.devices(),
      )
    )
  return stages.in_stages(compiled)


def _step(model, stage, first):
  """The pure step of a stage that begins at an update."""
  import optax

  from inpaintax.steps import pretraining

  axis_name = training.parallel_axis()
  loss = pretraining.make_stage_loss(
    model,
    stage=stage,
    beta=_BETA.value,
    rho=_RHO.value,
    weight_decay=_WEIGHT_DECAY.value,
    scale=_ERROR_SCALE.value,
    axis_name=axis_name,
  )
  if _OPTIMIZER.value == 'lbfgs':
    return pretraining.make_stage_round(
      loss, iterations=_UPDATES_PER_CALL.value
    )
  rate = optax.constant_schedule(_LR.value)
  if stage == denoisers.DEPTH.value:
    rate = optax.cosine_decay_schedule(_LR.value, training.STEPS.value - first)
  return pretraining.make_stage_step(
    loss, _optimizer(rate), first=first, axis_name=axis_name
  )


def _optimizer(rate):
  """That whose state a run has; L-BFGS has its own within a round."""
  import optax

  from inpaintax.steps import optimizers

  if _OPTIMIZER.value == 'muon':
    return optimizers.muon(rate)
  return optax.adam(rate)


def _init(model):
  """`() -> state`."""
  import jax
  import jax.numpy as jnp
  import optax

  from inpaintax.steps import supervised

  side = denoisers.SIDE.value

  def init():
    key = jax.random.fold_in(jax.random.key(training.SEED.value), _INIT)
    # The state is the same whatever the rate.
    tx = _optimizer(optax.constant_schedule(_LR.value))
    image = jax.ShapeDtypeStruct((1, side, side, 1), jnp.float32)
    return supervised.init_supervised(key, model, tx, image=image)

  return init


def main():
  """Reads the data, builds the run, trains."""
  import jax

  from inpaintax import models
  from inpaintax.data import pool

  training.before_jax()
  _check()
  kept = executables.Kept()
  record = _record()
  side = denoisers.SIDE.value
  source = training.open_source(
    training.DATA.value, check=lambda shape: pool.check(shape, side=side)
  )
  val_source = training.open_source(training.VAL_DATA.value)
  workdir = training.check_workdir()
  model = models.build(record['generator'], dtype=training.DTYPE.value)
  look = None
  if val_source is not None:
    look = validation.make_denoising_look(
      workdir,
      record,
      val_source,
      stride=_VAL_STRIDE.value,
      seed=training.SEED.value,
    )
  ends = _stages()
  data = samples.load(source, side=side)
  compiled = _compiled(model, ends, data)
  stream = staged.Staged(None, ends, updates=_UPDATES_PER_CALL.value)
  course.train(
    course.Run(
      record,
      _init(model),
      ('generator',),
      look,
      kept,
      jax.eval_shape(lambda: data),
    ),
    compiled,
    stream,
    updates=_UPDATES_PER_CALL.value,
  )


if __name__ == '__main__':
  program.run(main)
