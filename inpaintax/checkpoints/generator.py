"""A trained generator out of a run's checkpoints, and nothing else of it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from absl import logging

from inpaintax import models
from inpaintax.checkpoints import folder as folders
from inpaintax.checkpoints.checks import check_arrays
from inpaintax.errors import CheckpointError


class Trained(NamedTuple):
  """A trained generator: all that filling an image takes.

  Attributes:
    step: updates done.
    record: plain JSON: `generator` and `discriminator` (see `models.build`),
      `image_size`, `block`, `hole`, `fill`, `mask`; of networks of grey patches
      `channels`, 1, and `noise` in place of the last four. `averaged`: whether
      the run keeps a moving average of the generator.
    variables: `params` and `batch_stats` of the generator; the average's, if
      there is one.
  """

  step: int
  record: dict[str, Any]
  variables: dict[str, Any]


def load_generator(workdir: str) -> Trained:
  """Loads the newest undamaged generator of a run.

  No optimiser, no discriminator; nothing in the folder is changed, and a run
  may be training there.

  Args:
    workdir: of the run.

  Returns:
    The generator.

  Raises:
    CheckpointError: there is no checkpoint, or none can be used.
  """
  folder = folders.of(workdir)
  if not folder.is_dir():
    raise CheckpointError(
      f'no checkpoints in {workdir}: train there first, or give the workdir of'
      ' a training.'
    )
  step, faults = folders.newest_sound(folder)
  if step is None:
    folders.refuse_damage(folder, faults)
    raise CheckpointError(f'no complete checkpoint in {folder}.')
  for number, fault in faults.items():
    logging.warning(
      'checkpoint %d in %s is damaged: %s: %d is used instead.',
      number,
      folder,
      fault,
      step,
    )
  handler = ocp.CompositeCheckpointHandler(
    state=ocp.PyTreeCheckpointHandler(), meta=ocp.JsonCheckpointHandler()
  )
  with ocp.Checkpointer(handler) as reader:
    try:
      return _read(reader, folder / str(step), step)
    except Exception as error:  # Orbax raises bare ones too.
      raise unusable(step, folder, error) from error


def _read(reader: ocp.Checkpointer, place: Any, step: int) -> Trained:
  meta = reader.restore(
    place, args=ocp.args.Composite(meta=ocp.args.JsonRestore())
  ).meta
  record = meta['record']
  lacking = sorted({'generator', 'image_size'} - record.keys())
  if lacking:
    raise ValueError(
      f'its record lacks {" and ".join(lacking)}, which say what to load its'
      ' parameters into.'
    )
  params, stats = _shapes(record)
  averaged = record.get('averaged', False)
  parts = {'params': params, 'stats': stats}
  wanted = {'gen': {'average': [params, stats]} if averaged else parts}
  saved = reader.metadata(place).item_metadata['state']
  check_arrays(saved.tree, wanted)
  arguments = ocp.args.PyTreeRestore(
    item=wanted,
    restore_args=ocp.checkpoint_utils.construct_restore_args(wanted),
    partial_restore=True,
  )
  state = reader.restore(place, args=ocp.args.Composite(state=arguments)).state
  _check_complete(state)
  gen = state['gen']
  params, stats = gen['average'] if averaged else (gen['params'], gen['stats'])
  variables = {'params': params, 'batch_stats': stats}
  return Trained(step, record, variables)


def _check_complete(state: Any) -> None:
  """Orbax leaves what it does not find as it was asked for: a shape."""
  lacking = [
    jax.tree_util.keystr(path)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    if isinstance(leaf, jax.ShapeDtypeStruct)
  ]
  if lacking:
    raise ValueError(
      f'it lacks {", ".join(lacking)}: it may be of another version.'
    )


def unusable(step: int, folder: Any, error: Exception) -> CheckpointError:
  """The error where a step is undamaged and cannot be read.

  Args:
    step: which.
    folder: of the run.
    error: what reading it raised.

  Returns:
    What to raise.
  """
  reason = ' '.join(str(error).split())[:300]
  return CheckpointError(
    f'checkpoint {step} in {folder} cannot be used: {reason}'
  )


def _shapes(record: dict[str, Any]) -> tuple[Any, Any]:
  """Shapes of a generator's parameters and statistics, on one device."""
  module = models.build(record['generator'])
  side, channels = record['image_size'], record.get('channels', 3)
  image = jnp.zeros((1, side, side, channels))
  mask = jnp.zeros((1, side, side, 1))
  variables = jax.eval_shape(
    lambda key: module.init(key, image, mask, train=False), jax.random.key(0)
  )
  home = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  struct = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=home)
  return (
    jax.tree.map(struct, variables['params']),
    jax.tree.map(struct, variables.get('batch_stats', {})),
  )
