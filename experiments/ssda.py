"""Trains a stacked sparse denoising auto-encoder on patches of photographs.

  python -m experiments.ssda \
    --flagfile=experiments/flags/ssda_quickstart.flags --workdir=runs/ssda

Layer by layer first, then all layers together (--pretrain=0: together from the
start). All photographs stay on the device; every update has new patches with
new noise.

Source: Xie, Xu and Chen 2012, "Image denoising and inpainting with deep neural
networks".
"""

from absl import flags

from experiments import noise, program, training, validation

_SIDE = flags.DEFINE_integer(
  'side', 13, 'Side of the patches, pixels.', lower_bound=1
)
_OUTPUT_SIDE = flags.DEFINE_integer(
  'output_side',
  None,
  'Side of the central part that is predicted; none: --side.',
  lower_bound=1,
)
_FACTOR = flags.DEFINE_float(
  'factor', 5.0, 'Hidden units per pixel of a patch.', lower_bound=0.0
)
_DEPTH = flags.DEFINE_integer(
  'depth', 2, 'Stacked auto-encoders, K.', lower_bound=1
)
_HIDDEN_UNIT = flags.DEFINE_enum(
  'hidden_unit',
  'sigmoid',
  ['sigmoid', 'tanh', 'relu', 'linear'],
  'Hidden units.',
)
_OUTPUT_UNIT = flags.DEFINE_enum(
  'output_unit', 'linear', ['linear', 'sigmoid'], 'Units of the last layer.'
)
_KEEP_MEAN = flags.DEFINE_bool(
  'keep_mean', True, "Whether the network sees a patch's mean."
)
_GAIN = flags.DEFINE_float(
  'gain', 2.5, 'Units of code per unit of pixels in [-1, 1].', lower_bound=1e-6
)
_CODE_CENTER = flags.DEFINE_float(
  'code_center', 0.0, "The code of middle grey, or of the patch's mean."
)
_CODE_LIMIT = flags.DEFINE_float(
  'code_limit',
  None,
  'Codes are clipped so far from their centre; none: not at all.',
  lower_bound=1e-6,
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
  'Adam rate: constant for one layer; for all, along a cosine to 0.',
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
_UPDATES_PER_CALL = flags.DEFINE_integer(
  'updates_per_call',
  50,
  'Updates that the device makes at a stretch.',
  lower_bound=1,
)
_VAL_STRIDE = flags.DEFINE_integer(
  'val_stride', 3, 'Between patches of validation images.', lower_bound=1
)
# The key of the parameters, among the streams of a seed.
_INIT = 0


class _Stages:
  """The stage of each call of the step, one after the other."""

  def __init__(self, ends: list[int], updates: int):
    self._ends = ends
    self._updates = updates
    self._done = 0

  def __next__(self) -> int:
    stage = sum(self._done >= end for end in self._ends)
    self._done += self._updates
    return stage

  def get_state(self):
    """The position, plain JSON."""
    return {'updates': self._done}

  def set_state(self, state):
    """Goes to a position."""
    self._done = state['updates']


def _record():
  """The model and its task, as every checkpoint has them."""
  side = _SIDE.value
  units = round(_FACTOR.value * side**2)
  options = {
    'side': side,
    'hidden': [units] * _DEPTH.value,
    'output_side': _OUTPUT_SIDE.value,
    'activation': _HIDDEN_UNIT.value,
    'output': _OUTPUT_UNIT.value,
    'keep_mean': _KEEP_MEAN.value,
    'gain': _GAIN.value,
    'center': _CODE_CENTER.value,
    'limit': _CODE_LIMIT.value,
  }
  return {
    'generator': {'name': 'stacked_autoencoder', 'options': options},
    'discriminator': None,
    'image_size': side,
    'channels': 1,
    'noise': {'name': 'gaussian', 'sigma': noise.SIGMA.value},
    # Stages and rates follow from these: a run goes on with the same only.
    'course': {'steps': training.STEPS.value, 'pretrain': _PRETRAIN.value},
  }


def _check():
  """Refuses flags that do not fit together."""
  from inpaintax.errors import InputError

  updates = _UPDATES_PER_CALL.value
  for flag in ('steps', 'log_every', 'checkpoint_every', 'image_every'):
    value = flags.FLAGS[flag].value
    if value % updates:
      raise InputError(
        f'--{flag}={value} is not a multiple of --updates_per_call={updates}.'
      )
  if _DEPTH.value * _PRETRAIN.value >= 1:
    raise InputError(
      f'--pretrain={_PRETRAIN.value} for each of {_DEPTH.value} layers leaves'
      ' nothing for training them together.'
    )
  if _PRETRAIN.value and not _stages()[0]:
    raise InputError(
      f'--pretrain={_PRETRAIN.value} of --steps={training.STEPS.value} is less'
      f' than half of --updates_per_call={updates}: lower that, or give'
      ' --pretrain=0.'
    )
  side, out = _SIDE.value, _OUTPUT_SIDE.value
  if out is not None and (out > side or (side - out) % 2):
    raise InputError(
      f'--output_side={out} has no exact centre place in --side={side}.'
    )
  if round(_FACTOR.value * side**2) < 1:
    raise InputError(f'--factor={_FACTOR.value} leaves no hidden units.')
  if not 0 < _RHO.value < 1:
    raise InputError(f'--rho={_RHO.value} is not between 0 and 1.')


def _stages():
  """Update at which each layer's own training ends."""
  updates = _UPDATES_PER_CALL.value
  calls = round(_PRETRAIN.value * training.STEPS.value / updates)
  return [(layer + 1) * calls * updates for layer in range(_DEPTH.value)]


def _draw(keys, pool):
  """Patches, clean and noisy."""
  import jax
  import jax.numpy as jnp

  from inpaintax import images
  from inpaintax.corruptions.noise import gaussian
  from inpaintax.data import pool as pools
  from inpaintax.types import Sample

  keys = jax.vmap(jax.random.split)(keys)
  target = images.to_float(pools.cut(keys[:, 0], pool, side=_SIDE.value))
  observed = gaussian(keys[:, 1], target, sigma=noise.SIGMA.value)
  return Sample(observed, target, jnp.ones_like(target))


def _compiled(model, ends, pool):
  """One step of many updates for each stage; given a stage's number."""
  import jax
  import optax

  from inpaintax.steps import compile as compiling
  from inpaintax.steps import pretraining

  axis_name = training.parallel_axis()
  starts = [0, *ends]
  rest = optax.cosine_decay_schedule(
    _LR.value, training.STEPS.value - starts[-1]
  )
  data = jax.device_put(pool)
  compiled = []
  for stage, first in enumerate(starts):
    rate = rest if stage == len(ends) else optax.constant_schedule(_LR.value)
    step = pretraining.make_stage_step(
      model,
      optax.adam(rate),
      stage=stage,
      first=first,
      beta=_BETA.value,
      rho=_RHO.value,
      weight_decay=_WEIGHT_DECAY.value,
      axis_name=axis_name,
    )
    step = compiling.with_draws(
      step, _draw, seed=training.SEED.value, updates=_UPDATES_PER_CALL.value
    )
    compiled.append(
      compiling.compile_draws(
        step,
        data,
        batch_size=training.BATCH_SIZE.value,
        axis_name=axis_name,
        devices=training.devices(),
      )
    )

  def step_of_stage(state, stage):
    return compiled[stage].step(state, compiled[stage].place(None))

  return compiling.Compiled(
    step_of_stage, lambda stage: stage, compiled[0].place_state
  )


def _init(model):
  """`(new) -> state`."""
  import jax
  import jax.numpy as jnp
  import optax

  from inpaintax.steps import supervised

  side = _SIDE.value

  def init(new):
    del new
    key = jax.random.fold_in(jax.random.key(training.SEED.value), _INIT)
    # The state of Adam is the same whatever its rate.
    tx = optax.adam(optax.constant_schedule(_LR.value))
    image = jax.ShapeDtypeStruct((1, side, side, 1), jnp.float32)
    return supervised.init_supervised(key, model, tx, image=image)

  return init


def main():
  """Reads the data, builds the run, trains."""
  from inpaintax import models
  from inpaintax.data import pool, sources

  _check()
  source = sources.open_source(training.DATA.value)
  val_data = training.VAL_DATA.value
  val_source = sources.open_source(val_data) if val_data else None
  record = _record()
  model = models.build(record['generator'])
  workdir = training.check_workdir()
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
  compiled = _compiled(model, ends, pool.load(source, side=_SIDE.value))
  stream = _Stages(ends, _UPDATES_PER_CALL.value)
  training.train(
    training.Run(record, _init(model), look),
    compiled,
    stream,
    updates=_UPDATES_PER_CALL.value,
  )


if __name__ == '__main__':
  program.run(main)
