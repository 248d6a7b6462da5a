"""What every training program shares: its flags, its workdir, its course."""

import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from absl import flags

from experiments import profiling, program

WORKDIR = flags.DEFINE_string(
  'workdir',
  None,
  'Folder of the run: flags, logs, checkpoints, pictures. The same command on'
  ' the same folder goes on where it stopped.',
  required=True,
)
DATA = flags.DEFINE_string(
  'data',
  'photos:train',
  'Training photographs: photos, folder:DIR, tar:GLOB or tfds:NAME:SPLIT, with'
  ' a slice if wanted: folder:DIR[500:].',
)
VAL_DATA = flags.DEFINE_string(
  'val_data', None, 'Validation photographs, like --data; none if not given.'
)
STEPS = flags.DEFINE_integer('steps', 10_000, 'Updates in all.', lower_bound=1)
BATCH_SIZE = flags.DEFINE_integer(
  'batch_size', 64, 'Images in a batch, over all devices.', lower_bound=1
)
SEED = flags.DEFINE_integer(
  'seed',
  0,
  'Root of every random choice.',
  lower_bound=0,
  upper_bound=2**32 - 1,
)
CHECKPOINT_EVERY = flags.DEFINE_integer(
  'checkpoint_every', 1000, 'Updates between checkpoints.', lower_bound=1
)
IMAGE_EVERY = flags.DEFINE_integer(
  'image_every',
  1000,
  'Updates between looks at the validation data.',
  lower_bound=1,
)
LOG_EVERY = flags.DEFINE_integer(
  'log_every', 100, 'Updates between lines of metrics.', lower_bound=1
)
_INIT_FROM = flags.DEFINE_string(
  'init_from',
  None,
  'Workdir of another run, whose generator or denoiser a new run starts from.',
)
DTYPE = flags.DEFINE_enum(
  'dtype',
  'float32',
  ['float32', 'bfloat16'],
  'Type of the computation. bfloat16 is for accelerators: half the memory, and'
  ' faster products. Parameters, statistics and losses stay float32.',
)
PARALLEL = flags.DEFINE_enum(
  'parallel',
  'auto',
  ['auto', 'jit', 'pmap'],
  'How a batch is split over the devices: jit over a mesh of all of them, or'
  ' pmap. auto: jit, over as many as divide the batch.',
)


class Run(NamedTuple):
  """One training run, as a program hands it to `train`.

  Attributes:
    record: plain JSON that describes the model, saved with each checkpoint.
    init: `(new) -> state` on the default device; new: whether it is to be
      trained, and not only says what a checkpoint looks like.
    look: `(step, state, log) -> None`, at each --image_every; or None.
  """

  record: dict[str, Any]
  init: Callable[[bool], Any]
  look: Callable[[int, Any, Any], None] | None


def check_workdir() -> str:
  """Makes the workdir, and sees that it can be written to.

  Returns:
    Its path.

  Raises:
    InputError: it cannot be made or written to.
  """
  from inpaintax.errors import InputError

  workdir = WORKDIR.value
  try:
    os.makedirs(workdir, exist_ok=True)
  except OSError as error:
    raise InputError(
      f'--workdir={workdir} cannot be made: {error.strerror}.'
    ) from error
  if not os.access(workdir, os.W_OK):
    raise InputError(f'--workdir={workdir} cannot be written to.')
  return workdir


def from_other(
  state: Any, record: dict[str, Any], *, new: bool, same: Sequence[str]
) -> Any:
  """Puts the parameters of --init_from into a state, if that is given.

  Args:
    state: before the first update, with a player `gen`.
    record: of this run's model.
    new: whether the run is new; one that goes on has its own.
    same: names of what both records must agree in.

  Returns:
    The state to start from.

  Raises:
    InputError: the other run has another model.
    CheckpointError: nothing can be loaded.
  """
  from inpaintax import checkpoints

  place = _INIT_FROM.value
  if not new or place is None:
    return state
  trained = checkpoints.load_generator(place)
  wanted = {name: record[name] for name in same}
  checkpoints.check_same_model(place, trained.record, wanted)
  params, stats = (trained.variables[x] for x in ('params', 'batch_stats'))
  return state._replace(gen=state.gen._replace(params=params, stats=stats))


def on_images(
  make_step: Callable[[str | None], Any],
  source: Any,
  *,
  size: int,
  load_size: int | None,
) -> tuple[Any, Any]:
  """What `train` needs to go through photographs in batches.

  Args:
    make_step: `(axis_name) -> step(state, uint8 batch)`.
    source: training photographs.
    size: side of the crops, pixels.
    load_size: short side before the crop, or None.

  Returns:
    (the compiled step, the stream of batches).
  """
  from inpaintax.data import batches
  from inpaintax.steps import compile as compiling

  axis_name = parallel_axis()
  compiled = compiling.compile_step(
    make_step(axis_name), axis_name=axis_name, devices=devices()
  )
  stream = batches.train_batches(
    source,
    batch_size=BATCH_SIZE.value,
    size=size,
    seed=SEED.value,
    load_size=load_size,
  )
  return compiled, stream


def train(run: Run, compiled: Any, stream: Any, *, updates: int = 1) -> None:
  """Trains, or goes on training, until --steps.

  Args:
    run: the model and its state.
    compiled: the step.
    stream: what it is given, one after the other; with `get_state` and
      `set_state`.
    updates: that one call of the step makes.
  """
  from inpaintax import checkpoints, logs, loop

  steps = STEPS.value
  with checkpoints.Checkpoints(WORKDIR.value) as saver:
    state = compiled.place_state(run.init(saver.latest() is None))
    saved = saver.restore(state, record=run.record)
    if saved is not None:
      state = saved.state
      stream.set_state(saved.position)
    step = int(state.step)
    if step >= steps:
      print(f'{WORKDIR.value} is already at step {step} of {steps}.')
      return
    # Only now: flags that were refused are not those of the run.
    _write_flags(step)

    def save(step, state, metrics):
      loop.check_finite(step, state, metrics)
      position = stream.get_state()
      saver.save(step, state, record=run.record, position=position)

    with logs.Log(
      WORKDIR.value, step=step, steps=steps, batch_size=BATCH_SIZE.value
    ) as log:

      def tell(step, state, metrics):
        loop.check_finite(step, state, metrics)
        log.write(step, metrics)
        log.say(step, metrics)

      hooks = [
        loop.every(LOG_EVERY.value, tell, last=steps),
        loop.every(CHECKPOINT_EVERY.value, save, last=steps),
      ]
      if run.look is not None:
        look = lambda step, state, _: run.look(step, state, log)
        hooks.append(loop.every(IMAGE_EVERY.value, look, last=steps))
      tracer = profiling.Tracer(WORKDIR.value)
      hooks.insert(0, lambda step, state, metrics: tracer.tick(metrics))
      loop.fit(
        state,
        compiled,
        stream,
        start=step,
        steps=steps,
        updates=updates,
        hooks=hooks,
      )
      tracer.close()


def _write_flags(step):
  """Writes flags.txt; what it said up to now stays, under another name."""
  path = pathlib.Path(WORKDIR.value) / 'flags.txt'
  new = _flags_text()
  old = path.read_text() if path.exists() else new
  changed = sorted(set(new.splitlines()) - set(old.splitlines()))
  if old != new:
    kept = path.with_name(f'flags_until_{step}.txt')
    path.rename(kept)
    print(
      f'Going on from step {step} with other flags than before, which are now'
      f' in {kept.name}: {" ".join(changed)}',
      flush=True,
    )
  path.write_text(new)


def parallel_axis() -> str | None:
  """The axis of --parallel=pmap; None for jit."""
  from inpaintax.steps import compile as compiling

  return compiling.AXIS if PARALLEL.value == 'pmap' else None


def devices() -> int:
  """How many devices share a batch.

  Returns:
    Their number.

  Raises:
    InputError: the batch does not divide by them, and must.
  """
  import jax

  from inpaintax.errors import InputError

  count, batch_size = jax.local_device_count(), BATCH_SIZE.value
  if PARALLEL.value == 'auto':
    return math.gcd(count, batch_size)
  if batch_size % count:
    raise InputError(
      f'--batch_size={batch_size} does not divide by the {count} devices: use'
      f' a multiple of {count}, or --parallel=auto.'
    )
  return count


def _flags_text():
  """All flags of the programs, as a file that replays the run."""
  given = [flag for flag in program.own_flags() if flag.value is not None]
  lines = [flag.serialize() for flag in given]
  return '\n'.join(line for line in lines if line) + '\n'
