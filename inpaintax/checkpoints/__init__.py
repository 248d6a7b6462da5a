"""Checkpoints: any state, saved and restored exactly. Orbax lives here alone.

A step's folder holds `state`, the tree of arrays; `meta`: the record that
describes the model, and where the data stood; and `manifest.sha256`, the
digests of all files, without which it does not count.
"""

import concurrent.futures
import errno
import os
import pathlib
import re
import shutil
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from jax.experimental import multihost_utils

from inpaintax.checkpoints import folder as folders
from inpaintax.checkpoints import manifest
from inpaintax.checkpoints.checks import bytes_of as bytes_of
from inpaintax.checkpoints.checks import check_arrays, check_finite
from inpaintax.checkpoints.checks import check_same_model as check_same_model
from inpaintax.checkpoints.generator import Trained as Trained
from inpaintax.checkpoints.generator import load_generator as load_generator
from inpaintax.checkpoints.generator import unusable
from inpaintax.checkpoints.lock import Lock
from inpaintax.errors import DISK_FULL, InputError, ResourceError

# Or a file may grow no further.
_FULL = (*DISK_FULL, errno.EFBIG)


class Saved(NamedTuple):
  """What a training run goes on from.

  Attributes:
    step: updates done.
    state: as it was saved, on the devices of the state it was asked for with.
    position: of the data iterator.
  """

  step: int
  state: Any
  position: Any


class Checkpoints:
  """The checkpoints of one run, in `workdir/checkpoints/<step>`, to write to.

  Saving returns once the state is copied to the host, and writes on in the
  background; a step appears under its name when it is complete, its digests
  included. Use it as a context manager: leaving it waits for what is being
  written. Nobody else can write to the workdir meanwhile.
  """

  def __init__(self, workdir: str, *, keep: int = 3):
    """Opens or creates the folder.

    Args:
      workdir: of the run.
      keep: how many of the newest steps to keep.

    Raises:
      InputError: another process writes there; or the path has a square
        bracket, with which Orbax writes checkpoints that it cannot read.
      OSError: the folder cannot be made.
    """
    self._folder = folders.of(workdir)
    if '[' in str(self._folder):
      raise InputError(
        f'{workdir}: the path of a workdir must not have square brackets.'
      )
    self._folder.mkdir(parents=True, exist_ok=True)
    # Of several processes that train together, the first moves files.
    self._first = jax.process_index() == 0
    self._lock = Lock(workdir) if self._first else None
    if self._first:
      folders.remove_parts(self._folder)
    self._latest = _agreed(self._on_disk())
    self._keep = keep
    self._checkpointer = ocp.AsyncCheckpointer(_handler())
    self._thread = concurrent.futures.ThreadPoolExecutor(1)
    self._writing: concurrent.futures.Future[None] | None = None

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, kind: Any, *_: object) -> None:
    try:
      self.wait()
    except ResourceError as error:
      if kind is None:
        raise
      # The error that is on its way says more.
      logging.warning('%s', error)
    finally:
      self._checkpointer.close()
      self._thread.shutdown()
      if self._lock is not None:
        self._lock.release()

  def latest(self) -> int | None:
    """The newest step, not yet verified.

    Returns:
      Updates done, or None for a new run.
    """
    return self._latest

  def _on_disk(self) -> int | None:
    found = folders.steps(self._folder)
    return found[-1] if found else None

  def save(
    self, step: int, state: Any, *, record: dict[str, Any], position: Any
  ) -> None:
    """Saves a step; one that is there already is left alone.

    Of several processes that train together, all save at the same step.

    Args:
      step: updates done.
      state: tree of arrays.
      record: plain JSON that describes the model.
      position: plain JSON, of the data iterator.

    Raises:
      DivergedError: the state is not finite; nothing is saved then.
      ResourceError: this one, or the one before, could not be written. Older
        ones are intact, and the next can be saved.
    """
    self.wait()
    if step == self._latest:
      return
    check_finite(step, state)
    part, size = folders.part(self._folder, step), bytes_of(state)
    meta = {'record': record, 'position': position}
    try:
      self._checkpointer.save(
        part,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(state), meta=ocp.args.JsonSave(meta)
        ),
        force=True,
      )
    except Exception as error:
      raise self._not_saved(step, size, error) from error
    self._writing = self._thread.submit(self._finish, step, part, size)
    self._latest = step

  def set_aside_all(self, ending: str) -> None:
    """Renames the folder with all it holds, and begins an empty one.

    Args:
      ending: added to its name.
    """
    if self._first and any(self._folder.iterdir()):
      folders.set_aside(self._folder, ending)
      self._folder.mkdir()
    self._latest = None

  def check(self) -> None:
    """Tells of a save that has failed; waits for nothing.

    Raises:
      ResourceError: it could not be written.
    """
    if self._writing is not None and self._writing.done():
      self.wait()

  def wait(self) -> None:
    """Waits for what is being written.

    Raises:
      ResourceError: it could not be written.
    """
    writing, self._writing = self._writing, None
    if writing is None:
      return
    try:
      writing.result()
    except ResourceError:
      self._latest = self._on_disk()
      raise

  def restore(self, state: Any, *, record: dict[str, Any]) -> Saved | None:
    """Restores the newest step that is undamaged.

    Newer, damaged ones are set aside as `<step>.corrupt`, with a warning.

    Args:
      state: of the run's shapes and types, on the devices it is wanted on.
      record: describes the model that is to go on.

    Returns:
      What was saved, or None for a new run.

    Raises:
      CheckpointError: there are steps, but none can be used.
      InputError: it is of another model; the message says in what.
    """
    step, faults = folders.newest_sound(self._folder)
    # What the first process goes on from; it moves nothing before all know.
    step = _agreed(step)
    if step is None:
      folders.refuse_damage(self._folder, faults)
      return None
    self._latest = step
    for number, fault in faults.items() if self._first else ():
      kept = folders.set_aside(self._folder / str(number), 'corrupt')
      logging.warning(
        'checkpoint %d in %s is damaged: %s: set aside as %s; going on from'
        ' checkpoint %d.',
        number,
        self._folder,
        fault,
        kept.name,
        step,
      )
    with ocp.Checkpointer(_handler()) as reader:
      try:
        return self._read(reader, step, state, record)
      except InputError:
        raise
      except Exception as error:  # Orbax raises bare ones too.
        raise unusable(step, self._folder, error) from error

  def _read(
    self,
    reader: ocp.Checkpointer,
    step: int,
    state: Any,
    record: dict[str, Any],
  ) -> Saved:
    place = self._folder / str(step)
    read = lambda **items: reader.restore(
      place, args=ocp.args.Composite(**items)
    )
    meta = read(meta=ocp.args.JsonRestore()).meta
    check_same_model(self._folder, meta['record'], record)
    like = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    check_arrays(reader.metadata(place).item_metadata['state'].tree, like)
    state = read(state=ocp.args.StandardRestore(like)).state
    return Saved(step, state, meta['position'])

  def _finish(self, step: int, part: pathlib.Path, size: int) -> None:
    """What makes of written files a step; in the background."""
    try:
      self._checkpointer.wait_until_finished()
      if not self._first:
        return
      manifest.write(part)
      place = self._folder / str(step)
      if place.exists():
        folders.set_aside(place, 'corrupt')
      part.rename(place)
    except Exception as error:
      raise self._not_saved(step, size, error) from error
    for old in folders.steps(self._folder)[: -self._keep]:
      # At no time is there half a step under its name.
      going = folders.part(self._folder, old)
      (self._folder / str(old)).rename(going)
      shutil.rmtree(going, ignore_errors=True)

  def _not_saved(self, step: int, size: int, error: Exception) -> ResourceError:
    if self._first:
      folders.remove_parts(self._folder)
    reason = ' '.join(str(error).split())[:300]
    code = re.search(r"os_error_code='(\d+)'", str(error))
    number = int(code[1]) if code else getattr(error, 'errno', None)
    if number in _FULL:
      free = shutil.disk_usage(self._folder).free
      reason = (
        f'no space ({os.strerror(number)}; it needs {size / 1e6:.1f} MB,'
        f' {free / 1e6:.0f} MB are free): free some, or choose another'
        ' place'
      )
    return ResourceError(
      f'checkpoint {step} in {self._folder} not saved: {reason}. Older ones are'
      ' intact; the same command goes on from them.'
    )


def _agreed(step: int | None) -> int | None:
  """The first process's value, of several that train together."""
  if jax.process_count() == 1:
    return step
  value = np.int32(-1 if step is None else step)
  first = int(multihost_utils.broadcast_one_to_all(value))
  return None if first < 0 else first


def _handler() -> ocp.CompositeCheckpointHandler:
  return ocp.CompositeCheckpointHandler(
    state=ocp.StandardCheckpointHandler(), meta=ocp.JsonCheckpointHandler()
  )
