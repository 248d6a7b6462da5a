"""The course of a training run: begin or go on, save, tell, stop."""

import contextlib
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from absl import flags

from experiments import (
  cluster,
  compilation,
  executables,
  feed,
  interruption,
  profiling,
  program,
  replay,
  rescue,
  resources,
  sessions,
  training,
)

_RESTART = flags.DEFINE_bool(
  'restart',
  False,
  'Begin anew in a workdir that has checkpoints; those are kept, under another'
  ' name.',
)
# Updates in a row that may be left out because they are not finite.
_SKIPS = 10
# Lines of metrics in a row after which a discriminator that errs no more has
# won.
_WON = 20
# Calls of the step after which several processes ask each other for signals.
_AGREE_EVERY = 10


class Run(NamedTuple):
  """One training run, as a program hands it to `train`.

  Attributes:
    record: plain JSON that describes the model, saved with each checkpoint.
    init: `() -> state` before the first update, to be traced.
    same: names of what its record and that of --init_from must agree in.
    look: `(step, state, log) -> None`, at each --image_every; or None.
    kept: what its last run has compiled.
    example: shape and type of what the step is given, to compile it ahead.
    names: `step -> names` of the images in its batch; or None.
  """

  record: dict[str, Any]
  init: Callable[[], Any]
  same: Sequence[str]
  look: Callable[[int, Any, Any], None] | None
  kept: executables.Kept
  example: Any
  names: Callable[[int], list[str]] | None = None


def train(run: Run, compiled: Any, stream: Any, *, updates: int = 1) -> None:
  """Trains, or goes on training, until --steps.

  Args:
    run: the model and its state.
    compiled: the step.
    stream: what it is given, one after the other; with `get_state` and
      `set_state`.
    updates: that one call of the step makes.

  Raises:
    Interrupted: a signal asked to end; the last step is saved.
    DivergedError: too many updates in a row were not finite, or the state.
    ResourceError: memory or disk do not suffice.
    CheckpointError: there are checkpoints, but all are damaged.
    InputError: the workdir is another model's, or in use.
  """
  import jax

  from inpaintax import checkpoints, logs, loop

  first = jax.process_index() == 0
  workdir, steps = training.WORKDIR.value, training.STEPS.value
  batch_size = training.BATCH_SIZE.value
  with (
    checkpoints.Checkpoints(workdir) as saver,
    interruption.Requests() as requests,
  ):
    with compilation.uncollected():
      begun = _begin(run, compiled, stream, saver, requests)
    if begun is None:
      print(f'{workdir} is already at step {saver.latest()} of {steps}.')
      return
    state, compiled, build = begun
    step = int(state.step)
    watched = feed.Feed(stream)
    log: logs.Log | logs.Silence = logs.Silence()
    if first:
      log = logs.Log(workdir, step=step, steps=steps, batch_size=batch_size)
    session = sessions.Session(workdir, step=step) if first else None
    with log, session or contextlib.nullcontext():
      tracer = profiling.Tracer(workdir)
      save = _saving(saver, run.record, stream, build)
      rescuer = rescue.Rescue(saver, save)
      with rescuer:
        loop.fit(
          state,
          compiled,
          watched,
          start=step,
          steps=steps,
          updates=updates,
          hooks=[
            rescuer.remember,
            *([session.tick] if session else []),
            lambda step, state, metrics: build.tick(metrics),
            lambda step, state, metrics: tracer.tick(metrics),
            loop.every(
              training.LOG_EVERY.value,
              _telling(log, saver, watched, run.names),
              last=steps,
            ),
            loop.every(training.CHECKPOINT_EVERY.value, save, last=steps),
            *_looking(run.look if first else None, log),
            _obeying(requests, saver, save),
          ],
        )
      tracer.close()


def _begin_anew(saver, workdir, first):
  """Sets aside what a run before has left."""
  from inpaintax.checkpoints import folder

  saver.set_aside_all('before_restart')
  metrics = pathlib.Path(workdir) / 'metrics.jsonl'
  if first and metrics.exists():
    folder.set_aside(metrics, 'before_restart')


def _begin(run, compiled, stream, saver, requests):
  """(state, compiled step, what made them); None: all is done."""
  import jax

  from inpaintax import checkpoints

  cluster.check_agreement(replay.text())
  workdir, steps = training.WORKDIR.value, training.STEPS.value
  latest = saver.latest()
  anew = _RESTART.value or latest is None
  put = training.from_other(run.record, new=anew, same=run.same)
  build = compilation.Build(
    run.kept, run.record, run.init, compiled, run.example
  )
  # What seems to be finished is looked at first.
  if anew or latest < steps:
    build.begin()
  state = compiled.place_state(put(build.state()))
  if not _RESTART.value:
    saved = saver.restore(state, record=run.record)
    if saved is not None:
      state = saved.state
      stream.set_state(saved.position)
  if int(state.step) >= steps:
    return None
  compiled, needed = build.step(requests)
  size = checkpoints.bytes_of(state)
  resources.check_memory(needed, size, training.BATCH_SIZE.value)
  # Only when all that could be refused has been.
  first = jax.process_index() == 0
  if _RESTART.value:
    _begin_anew(saver, workdir, first)
  if first:
    resources.warn_of_disk(workdir, state)
    replay.write(int(state.step))
  return state, compiled, build


def _saving(saver, record, stream, build):
  """A hook that saves."""

  def save(step, state, _):
    build.check()
    saver.save(step, state, record=record, position=stream.get_state())

  return save


def _looking(look, log):
  """The hooks that look at the validation data."""
  from inpaintax import loop

  if look is None:
    return []
  import jax

  interval, last = training.IMAGE_EVERY.value, training.STEPS.value

  def hook(step, state, _):
    # One process looks: its own copy.
    if jax.process_count() > 1:
      state = jax.device_get(state)
    look(step, state, log)

  return [loop.every(interval, hook, last=last)]


def _telling(log, saver, watched, names):
  """A hook that writes metrics, and ends a run that gets nowhere."""
  from inpaintax import loop
  from inpaintax.errors import DivergedError
  from inpaintax.steps import player

  won = 0

  def tell(step, state, metrics):
    nonlocal won
    skipped = {
      f'{name}/skipped': one.skipped
      for name, one in player.players(state).items()
    }
    log.write(step, metrics | skipped)
    log.say(step, metrics | {n: v for n, v in skipped.items() if v})
    try:
      loop.check_progress(step, state, metrics, skips=_SKIPS)
    except DivergedError as error:
      dump = _dump(step, metrics, watched.last, names)
      raise DivergedError(
        f'{error} The last good checkpoint: {saver.latest() or "none"}; what'
        f' was seen last: {dump}.'
      ) from error
    won = won + 1 if _has_won(metrics) else 0
    if won == _WON:
      program.say(
        f'warning: D has told all real from all filled images for'
        f' {won} lines of metrics: G learns nothing more from it. Lower'
        ' --disc_lr, or raise --adversarial_weight.'
      )

  return tell


def _has_won(metrics):
  """Whether a discriminator makes no mistakes."""
  fake, real = metrics.get('disc/fake'), metrics.get('disc/real')
  return fake is not None and fake <= 0 and real >= 1


def _obeying(requests, saver, save):
  """A hook that does what signals ask for, and tells of failed saves."""
  import jax

  calls = 0

  def obey(step, state, metrics):
    nonlocal calls
    calls += 1
    saver.check()
    if calls % _AGREE_EVERY and jax.process_count() > 1:
      return
    stop = cluster.any_of(requests.stop or 0)
    if not stop and not cluster.any_of(requests.save):
      return
    requests.save = False
    save(step, state, metrics)
    saver.wait()
    message = f'saved step {step}'
    if stop:
      raise interruption.Interrupted(
        stop, f'{message}; rerun the same command to go on.'
      )
    program.say(f'{message}.')

  return obey


def _dump(step, metrics, batch, names):
  """Writes what a run ended with; says where."""
  import numpy as np

  path = pathlib.Path(training.WORKDIR.value) / f'diverged_step_{step}.npz'
  arrays = {name.replace('/', '_'): value for name, value in metrics.items()}
  if isinstance(batch, tuple):  # (stage, images)
    batch = batch[1]
  if hasattr(batch, 'shape'):
    arrays['batch'] = batch
  if names is not None:
    arrays['names'] = names(step)
  np.savez(path, step=step, seed=training.SEED.value, **arrays)
  return path
