"""Puts the corruption in front of a step and compiles it for all devices."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from inpaintax import images
from inpaintax.steps import libraries
from inpaintax.types import Metrics, Sample

AXIS = 'devices'
# Among the streams of a seed.
_CORRUPTION = 1
_DISTINCT = 2

Corrupt = Callable[[jax.Array, jax.Array], Sample]
Step = Callable[[Any, Any], tuple[Any, Metrics]]


class Compiled(NamedTuple):
  """A compiled step and the way into it.

  Attributes:
    step: `(state, batch) -> (state, metrics)`; the state given may be used up
      (it is under jit): do not look at it again.
    place: a host batch, uint8 `[B, H, W, C]`, to the devices; of several
      processes, each gives its own share of the images, in their order.
      ValueError if B does not divide by their number. Of `compile_draws`: see
      there.
    place_state: a state to the devices.
    lower: `(state, host batch) -> jax.stages.Lowered`, of both the shapes and
      types will do. Traces the step; nothing is compiled or run.
    having: `executable -> (Compiled, bytes)`: this with that for its step, a
      `jax.stages.Compiled` of what has been lowered; and what a call takes on
      each device: the state, the batch and all between; 0 if the compiler does
      not tell.
  """

  step: Step
  place: Callable[[Any], Any]
  place_state: Callable[[Any], Any]
  lower: Callable[[Any, Any], jax.stages.Lowered]
  having: Callable[[jax.stages.Compiled], tuple['Compiled', int]]


def sample_keys(
  key: jax.Array, count: int, *, axis_name: str | None = None
) -> jax.Array:
  """A key for each image, from its index in the global batch.

  Args:
    key: typed PRNG key of the step.
    count: images on this device (all of them outside pmap).
    axis_name: the pmapped axis or None.

  Returns:
    Keys `[count]`; the same however the batch is split.
  """
  first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * count
  return _numbered(key, first + jnp.arange(count))


def with_corruption(
  step: Step, corrupt: Corrupt, *, seed: int, axis_name: str | None = None
) -> Step:
  """Makes a step on samples one on uint8 batches.

  Every random choice is a function of (seed, step, index in the global batch),
  so a resumed run, or one on other devices, draws the same.

  Args:
    step: `(state, sample)`; the state has `step`.
    corrupt: `(keys [B], images float32 [B, H, W, C] in [-1, 1]) -> Sample`.
    seed: root of the masks and noise.
    axis_name: the pmapped axis or None.

  Returns:
    `(state, uint8 [B, H, W, C]) -> (state, metrics)`, not yet compiled.
  """

  def corrupted(state: Any, batch: jax.Array) -> tuple[Any, Metrics]:
    key = _step_key(seed, state.step)
    keys = sample_keys(key, len(batch), axis_name=axis_name)
    return step(state, corrupt(keys, images.to_float(batch)))

  return corrupted


def with_draws(
  step: Step,
  draw: Callable[[jax.Array, Any], Sample],
  *,
  seed: int,
  updates: int,
  distinct: int | None = None,
) -> Step:
  """Makes a step on samples one on data that stay on the device.

  Args:
    step: `(state, sample)`; the state has `step`.
    draw: `(keys [B], data) -> Sample`: cuts patches and corrupts them.
    seed: root of patches and noise.
    updates: to make in one call: small steps would wait for the host. 1 for
      convolutions on a CPU.
    distinct: how many samples there are in all, to be drawn again and again, as
      from a training set that was made once; None: all are new.

  Returns:
    `(state, (numbers, data)) -> (state, metrics)`, with the numbers of the
    samples in the global batch, int32 `[B]`; the metrics are means over the
    updates. For `compile_draws`.
  """

  def many(state: Any, given: tuple[jax.Array, Any]) -> tuple[Any, Metrics]:
    numbers, data = given

    def one(state: Any, _: None) -> tuple[Any, Metrics]:
      keys = _numbered(_step_key(seed, state.step), numbers)
      if distinct is not None:
        which = lambda key: jax.random.randint(key, (), 0, distinct)
        root = jax.random.fold_in(jax.random.key(seed), _DISTINCT)
        keys = _numbered(root, jax.vmap(which)(keys))
      return step(state, draw(keys, data))

    if updates == 1:
      # Within a loop XLA's convolutions are twenty times slower on CPUs.
      return one(state, None)
    state, metrics = jax.lax.scan(one, state, length=updates)
    return state, jax.tree.map(lambda x: x.mean(0), metrics)

  return many


def _step_key(seed: int, step: jax.Array) -> jax.Array:
  """Of the corruptions of a step: a run's other keys have the same seed."""
  root = jax.random.fold_in(jax.random.key(seed), _CORRUPTION)
  return jax.random.fold_in(root, step)


def _numbered(key: jax.Array, numbers: jax.Array) -> jax.Array:
  """A key for each number."""
  return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)


def compile_draws(
  step: Step,
  data: Any,
  *,
  batch_size: int,
  axis_name: str | None = None,
  devices: int | None = None,
) -> Compiled:
  """Compiles a step that draws its own samples, as `compile_step` does others.

  Args:
    step: of `with_draws`.
    data: tree of arrays that every device gets whole.
    batch_size: samples of an update, over all devices.
    axis_name: None for jit; or the axis that `step` averages over: pmap.
    devices: how many to use; None: all, of all processes.

  Returns:
    The compiled step; its `place` takes anything, and gives it the data.

  Raises:
    ValueError: there are not that many devices, or they do not divide
      `batch_size`.
  """
  chosen, whole, split = _devices(devices)
  if batch_size % len(chosen):
    raise ValueError(
      f'a batch of {batch_size} does not divide by {len(chosen)} devices.'
    )
  share = (-1,) if axis_name is None else (len(chosen), -1)
  numbers = np.arange(batch_size).reshape(share)
  given = jax.device_put(numbers, split), jax.device_put(data, whole)
  place_state = lambda state: jax.device_put(state, whole)
  if axis_name is None:
    compiled = _jitted(step, whole, (split, whole))
  else:
    compiled = jax.pmap(
      step, axis_name, in_axes=(None, (0, None)), out_axes=None, devices=chosen
    )
  return _compiled(compiled, lambda _: given, place_state, lambda _: given)


def compile_step(
  step: Step, *, axis_name: str | None = None, devices: int | None = None
) -> Compiled:
  """Compiles with jit over a mesh of devices, or with pmap.

  Args:
    step: pure, `(state, batch) -> (state, metrics)`. Under jit it sees the
      global batch; under pmap, its device's part.
    axis_name: None for jit; or the axis that `step` averages over: pmap.
    devices: how many to use; None: all, of all processes.

  Returns:
    The compiled step with its placements.

  Raises:
    ValueError: there are not that many devices.
  """
  chosen, whole, split = _devices(devices)
  count = len(chosen)
  place_state = lambda state: jax.device_put(state, whole)

  here = count // jax.process_count()

  def place(batch: np.ndarray) -> jax.Array:
    if len(batch) % here:
      raise ValueError(
        f'a batch of {len(batch)} does not divide by {here} devices.'
      )
    if axis_name is not None:
      batch = batch.reshape(here, -1, *batch.shape[1:])
    if here < count:
      return jax.make_array_from_process_local_data(split, batch)
    return jax.device_put(batch, split)

  def shape(batch: Any) -> jax.ShapeDtypeStruct:
    sizes = tuple(batch.shape)
    if axis_name is not None:
      sizes = (count, sizes[0] // count, *sizes[1:])
    return jax.ShapeDtypeStruct(sizes, batch.dtype, sharding=split)

  if axis_name is None:
    compiled = _jitted(step, whole, split)
    return _compiled(compiled, place, place_state, shape)
  # The state has no device axis: broadcast in, one copy out, saved as it is.
  mapped = jax.pmap(
    step, axis_name, in_axes=(None, 0), out_axes=None, devices=chosen
  )
  return _compiled(mapped, place, place_state, shape)


def _jitted(step: Step, whole: NamedSharding, given: Any) -> libraries.Jitted:
  make = lambda options: jax.jit(
    step,
    donate_argnums=0,
    in_shardings=(whole, given),
    out_shardings=(whole, whole),
    compiler_options=options,
  )
  return libraries.Jitted(make)


def _compiled(
  step: Any,
  place: Callable[[Any], Any],
  place_state: Callable[[Any], Any],
  shape: Callable[[Any], Any],
) -> Compiled:
  """A jitted or pmapped step, to be compiled when called, or ahead of that."""

  def having(executable: jax.stages.Compiled) -> tuple[Compiled, int]:
    made = Compiled(executable, place, place_state, lower, having)
    found = executable.memory_analysis()
    if found is None:
      return made, 0
    return made, (
      found.argument_size_in_bytes
      + found.output_size_in_bytes
      + found.temp_size_in_bytes
      - found.alias_size_in_bytes
    )

  lower = lambda state, batch: step.lower(state, shape(batch))
  return Compiled(step, place, place_state, lower, having)


def _devices(
  count: int | None,
) -> tuple[list[jax.Device], NamedSharding, NamedSharding]:
  """The devices, and how arrays lie on them whole and split."""
  count = jax.device_count() if count is None else count
  chosen = jax.devices()[:count]
  if len(chosen) < count or count < 1:
    present = jax.device_count()
    raise ValueError(f'{count} devices wanted, {present} present.')
  if jax.process_count() > 1 and count < jax.device_count():
    raise ValueError('several processes use all of their devices.')
  mesh = jax.make_mesh(
    (count,), (AXIS,), axis_types=(AxisType.Auto,), devices=chosen
  )
  whole = NamedSharding(mesh, PartitionSpec())
  return chosen, whole, NamedSharding(mesh, PartitionSpec(AXIS))
