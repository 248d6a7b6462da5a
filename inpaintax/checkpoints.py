"""Checkpoints: any state, saved and restored exactly. Orbax lives here alone.

A step's folder holds `state`, the tree of arrays, and `meta`: the record that
describes the model, and where the data stood.
"""

import os
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from inpaintax import models
from inpaintax.errors import CheckpointError, InputError

_FOLDER = 'checkpoints'


class Saved(NamedTuple):
  """What a training run goes on from.

  Attributes:
    state: as it was saved, on the devices of the state it was asked for with.
    position: of the data iterator.
  """

  state: Any
  position: Any


class Trained(NamedTuple):
  """A trained generator: all that filling an image takes.

  Attributes:
    step: updates done.
    record: plain JSON: `generator` and `discriminator` (see `models.build`),
      `image_size`, `block`, `hole`, `fill`, `mask`; of networks of grey patches
      `channels`, 1, and `noise` in place of the last four.
    variables: `params` and `batch_stats` of the generator.
  """

  step: int
  record: dict[str, Any]
  variables: dict[str, Any]


class Checkpoints:
  """The checkpoints of one run, in `workdir/checkpoints/<step>`.

  Saving returns once the state is copied to the host, and writes on in the
  background; a step appears under its name when it is complete. Use it as a
  context manager: leaving it waits for what is being written.
  """

  def __init__(self, workdir: str, *, keep: int = 3):
    """Opens or creates the folder.

    Args:
      workdir: of the run.
      keep: how many of the newest steps to keep.

    Raises:
      InputError: the path has a square bracket, with which Orbax writes
        checkpoints that it cannot read.
    """
    if '[' in str(_folder(workdir)):
      raise InputError(
        f'{workdir}: the path of a workdir must not have square brackets.'
      )
    self._manager = ocp.CheckpointManager(
      _folder(workdir),
      options=ocp.CheckpointManagerOptions(max_to_keep=keep),
      item_names=('state', 'meta'),
    )

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, *_: object) -> None:
    self._manager.close()

  def latest(self) -> int | None:
    """The newest complete step.

    Returns:
      Updates done, or None for a new run.
    """
    return self._manager.latest_step()

  def save(
    self, step: int, state: Any, *, record: dict[str, Any], position: Any
  ) -> None:
    """Saves a step; one that is there already is left alone.

    Args:
      step: updates done.
      state: tree of arrays.
      record: plain JSON that describes the model.
      position: plain JSON, of the data iterator.
    """
    if step == self.latest():
      return
    meta = {'record': record, 'position': position}
    self._manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(meta)
      ),
    )

  def restore(self, state: Any, *, record: dict[str, Any]) -> Saved | None:
    """Restores the newest step.

    Args:
      state: of the run's shapes and types, on the devices it is wanted on.
      record: describes the model that is to go on.

    Returns:
      What was saved, or None for a new run.

    Raises:
      CheckpointError: the step cannot be read.
      InputError: it is of another model; the message says in what.
    """
    step = self.latest()
    if step is None:
      return None
    like = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    try:
      meta = self._read(step, meta=ocp.args.JsonRestore()).meta
      check_same_model(self._manager.directory, meta['record'], record)
      state = self._read(step, state=ocp.args.StandardRestore(like)).state
    except InputError:
      raise
    except Exception as error:  # Orbax raises bare ones too.
      raise _unusable(step, self._manager.directory, error) from error
    return Saved(state, meta['position'])

  def _read(self, step: int, **items: Any) -> Any:
    return self._manager.restore(step, args=ocp.args.Composite(**items))


def check_same_model(
  place: str | os.PathLike[str],
  found: dict[str, Any],
  wanted: dict[str, Any],
) -> None:
  """Refuses a checkpoint of another model.

  Args:
    place: where it was found, for the message.
    found: its record.
    wanted: what must be in it; it may say more.

  Raises:
    InputError: they differ; the message says in what.
  """
  for name, value in wanted.items():
    if found.get(name) != value:
      raise InputError(
        f'{place} holds another model: its {name} is {found.get(name)}, wanted'
        f' is {value}: give another --workdir, or the flags in its flags.txt.'
      )


def load_generator(workdir: str) -> Trained:
  """Loads the newest generator of a run; no optimiser, no discriminator.

  Args:
    workdir: of the run.

  Returns:
    The generator.

  Raises:
    CheckpointError: there is no checkpoint, or it cannot be read.
  """
  folder = _folder(workdir)
  if not folder.is_dir():
    raise CheckpointError(
      f'no checkpoints in {workdir}: train there first, or give another'
      ' --workdir.'
    )
  handlers = {
    'state': ocp.PyTreeCheckpointHandler(),
    'meta': ocp.JsonCheckpointHandler(),
  }
  with ocp.CheckpointManager(folder, item_handlers=handlers) as manager:
    step = manager.latest_step()
    if step is None:
      raise CheckpointError(f'no complete checkpoint in {folder}.')
    try:
      meta = manager.restore(
        step, args=ocp.args.Composite(meta=ocp.args.JsonRestore())
      ).meta
      wanted = {'gen': _shapes(meta['record'])}
      arguments = ocp.args.PyTreeRestore(
        item=wanted,
        restore_args=ocp.checkpoint_utils.construct_restore_args(wanted),
        partial_restore=True,
      )
      state = manager.restore(
        step, args=ocp.args.Composite(state=arguments)
      ).state
      _check_complete(state)
    except Exception as error:
      raise _unusable(step, folder, error) from error
  variables = {
    'params': state['gen']['params'],
    'batch_stats': state['gen']['stats'],
  }
  return Trained(step, meta['record'], variables)


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


def _folder(workdir: str) -> pathlib.Path:
  return pathlib.Path(workdir).absolute() / _FOLDER


def _unusable(step: int, folder: Any, error: Exception) -> CheckpointError:
  reason = ' '.join(str(error).split())[:300]
  return CheckpointError(
    f'checkpoint {step} in {folder} cannot be used: {reason}'
  )


def _shapes(record: dict[str, Any]) -> dict[str, Any]:
  """Shapes of a generator's variables, on the default device."""
  module = models.build(record['generator'])
  side, channels = record['image_size'], record.get('channels', 3)
  image = jnp.zeros((1, side, side, channels))
  mask = jnp.zeros((1, side, side, 1))
  variables = jax.eval_shape(
    lambda key: module.init(key, image, mask, train=False), jax.random.key(0)
  )
  home = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  struct = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=home)
  return {
    'params': jax.tree.map(struct, variables['params']),
    'stats': jax.tree.map(struct, variables.get('batch_stats', {})),
  }
