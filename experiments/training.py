"""What every training program shares: its flags, its workdir, its course."""

import math
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from experiments import cluster, files

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
STEPS = flags.DEFINE_integer(
  'steps', 10_000, 'Updates in all.', lower_bound=1, upper_bound=2**31 - 1
)
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
INIT_FROM = flags.DEFINE_string(
  'init_from',
  None,
  'Workdir of another run, whose generator or denoiser a new run starts from;'
  ' it may have fewer --residual_blocks and --decoder_blocks.',
)
_STRICT_DATA = flags.DEFINE_bool(
  'strict_data',
  False,
  'End at the first bad image. Otherwise up to 1 % of them are skipped, and'
  ' named in bad_files.txt in the workdir.',
)
_DETERMINISTIC = flags.DEFINE_bool(
  'deterministic',
  False,
  'On a GPU: only operations that give the same bits each time, which are'
  ' slower. A CPU has no others.',
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


def before_jax() -> None:
  """What must be settled before JAX looks for devices.

  Raises:
    InputError: flags of several processes do not fit together.
    RuntimeError: the other processes do not come.
  """
  if _DETERMINISTIC.value:
    # The last one counts where a flag is there twice.
    given = os.environ.get('XLA_FLAGS', '')
    os.environ['XLA_FLAGS'] = f'{given} --xla_gpu_deterministic_ops=true'
  cluster.join()


def check_workdir() -> str:
  """Makes the workdir, and sees that it can be written to.

  Returns:
    Its path.

  Raises:
    InputError: it cannot be made or written to.
  """
  files.check_folder('workdir', pathlib.Path(WORKDIR.value))
  return WORKDIR.value


def open_source(
  spec: str | None,
  *,
  check: Callable[[tuple[int, int]], object] | None = None,
) -> Any:
  """Opens photographs of a training run; bad ones are skipped.

  Args:
    spec: of --data or --val_data.
    check: raises InputError for a shape (height, width) of no use.

  Returns:
    The source; None for None.

  Raises:
    InputError: there is none.
  """
  from inpaintax.data import forgiving, sources

  if spec is None:
    return None
  source = sources.open_source(spec)
  if _STRICT_DATA.value:
    return source
  number = cluster.PROCESS.value
  name = f'bad_files_{number}.txt' if number else 'bad_files.txt'
  listing = os.path.join(WORKDIR.value, name)
  return forgiving.Forgiving(source, listing, check=check)


def from_other(
  record: dict[str, Any], *, new: bool, same: Sequence[str]
) -> Callable[[Any], Any]:
  """Reads the parameters of --init_from, if that is given.

  To be called before anything large is built: it refuses what does not fit.

  Args:
    record: of this run's model.
    new: whether the run is new; one that goes on has its own.
    same: names of what both records must agree in.

  Returns:
    What puts them into a state that has a player `gen`, before the first
    update.

  Raises:
    InputError: the other run has another model.
    CheckpointError: nothing can be loaded.
  """
  from inpaintax import checkpoints
  from inpaintax.models import residual
  from inpaintax.steps import player

  place = INIT_FROM.value
  if not new or place is None:
    return lambda state: state
  trained = checkpoints.load_generator(place)
  found = trained.record
  deeper = residual.deepens(record['generator'], found['generator'])
  if deeper:
    found = found | {'generator': record['generator']}
  wanted = {name: record[name] for name in same}
  checkpoints.check_same_model(place, found, wanted, flag='init_from')

  def put(state: Any) -> Any:
    gen = state.gen
    params, stats = (trained.variables[x] for x in ('params', 'batch_stats'))
    if deeper:
      params, stats = residual.deepened(
        params, stats, like=(gen.params, gen.stats)
      )
    return state._replace(gen=player.with_parameters(gen, params, stats))

  return put


def compile_step(make_step: Callable[[str | None], Any]) -> Any:
  """Compiles a step on photographs as --parallel says.

  Args:
    make_step: `(axis_name) -> step(state, uint8 batch)`.

  Returns:
    The compiled step.
  """
  from inpaintax.steps import compile as compiling

  axis_name = parallel_axis()
  return compiling.compile_step(
    make_step(axis_name), axis_name=axis_name, devices=devices()
  )


def image_stream(source: Any, *, size: int, load_size: int | None) -> Any:
  """Photographs in batches, this process's share of each.

  Args:
    source: training photographs.
    size: side of the crops, pixels.
    load_size: short side before the crop, or None.

  Returns:
    The stream.
  """
  import jax

  from inpaintax.data import batches

  return batches.train_batches(
    source,
    batch_size=BATCH_SIZE.value,
    size=size,
    seed=SEED.value,
    load_size=load_size,
    shard=(jax.process_index(), jax.process_count()),
  )


def names_at(source: Any) -> Callable[[int], list[str]]:
  """What `image_stream` trains with at a step.

  Args:
    source: training photographs.

  Returns:
    `step -> names` of the images.
  """
  from inpaintax.data import batches

  return lambda step: batches.train_names(
    source,
    batch_size=BATCH_SIZE.value,
    seed=SEED.value,
    number=step - 1,
  )


def batch_like(size: int) -> Any:
  """What a batch of photographs looks like.

  Args:
    size: side of the crops, pixels.

  Returns:
    Its shape and type.
  """
  import jax
  import numpy as np

  return jax.ShapeDtypeStruct((BATCH_SIZE.value, size, size, 3), np.uint8)


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

  count, batch_size = jax.device_count(), BATCH_SIZE.value
  if jax.process_count() > 1 and PARALLEL.value == 'pmap':
    raise InputError('--parallel=pmap is for one process: use auto or jit.')
  if PARALLEL.value == 'auto' and jax.process_count() == 1:
    return math.gcd(count, batch_size)
  if batch_size % count:
    raise InputError(
      f'--batch_size={batch_size} does not divide by the {count} devices: use'
      f' a multiple of {count}, or --parallel=auto.'
    )
  return count
