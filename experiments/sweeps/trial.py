"""A trial as Ray Tune sees it: it tells what the program writes."""

import pathlib
import sys
import time
from typing import Any, NamedTuple

from ray import tune

from experiments.sweeps import plan, process

# Between looks at what the program has written, seconds.
_WAIT = 0.2


class EndedError(Exception):
  """A program has ended with an exit code that is not 0."""


class Options(NamedTuple):
  """What all trials of a sweep share.

  Attributes:
    program: module to run.
    flags: of every trial.
    folder: where each trial has its workdir.
    directory: where to run the program.
    metric: in metrics.jsonl; lines without it are not told.
    cpus: cores to bind a trial to; 0: none.
    gpus: that a trial has.
  """

  program: str
  flags: list[str]
  folder: str
  directory: str
  metric: str
  cpus: int
  gpus: float


class Trial(tune.Trainable):
  """Runs a program as its configuration says, and tells Tune its metrics.

  A trial that was begun before tells first what stands in its folder: so a
  scheduler or searcher that has just been started knows as much as the last.
  """

  def setup(self, config: dict[str, Any]) -> None:
    """Starts the program.

    Args:
      config: `options`: of `Options`; and the trial's own flags, texts or
        numbers by name, or, where they are of a grid, `trial`: those.
    """
    own = {name: value for name, value in config.items() if name != 'options'}
    options = Options(**config['options'])
    self._metric = options.metric
    assignment = assigned(config.get('trial', own))
    self._workdir = pathlib.Path(options.folder, plan.trial_name(assignment))
    words = plan.words(options.flags, assignment, self._workdir)
    self._process = process.Process(
      [sys.executable, '-m', options.program, *words],
      self._workdir,
      flags=assignment,
      directory=options.directory,
      cpus=options.cpus,
      gpus=options.gpus,
    )
    self._told = -1
    self._stamp: tuple[int, int, int] | None = None
    self._new: list[dict[str, Any]] = []
    self._last: dict[str, Any] = {'step': 0}

  def step(self) -> dict[str, Any]:
    """Waits for the next line of metrics.

    Returns:
      It, and whether it was the last.

    Raises:
      EndedError: the program has failed.
    """
    while True:
      # In this order: what it wrote last is then read.
      ended = self._process.poll()
      self._read()
      line = self._new.pop(0) if self._new else None
      if line:
        self._told = line['step']
        self._last |= {k: v for k, v in line.items() if not isinstance(v, str)}
      if ended and not self._new:
        if not self._process.finished:
          code = self._process.about.get('code')
          raise EndedError(f'{self._workdir.name} ended with {code}')
        return self._last | {'done': True}
      if line:
        return dict(self._last)
      time.sleep(_WAIT)

  def _read(self):
    """Finds the lines not yet told, if the file has changed."""
    stamp = process.stamp(self._workdir)
    if stamp != self._stamp:
      self._stamp = stamp
      self._new = [
        line
        for line in process.metrics(self._workdir)
        if line['step'] > self._told and self._metric in line
      ]

  def reset_config(self, new_config: dict[str, Any]) -> bool:
    """Makes this another trial: starting an actor takes seconds.

    Args:
      new_config: as of `setup`.

    Returns:
      That it has.
    """
    self._process.stop()
    self.setup(new_config)
    return True

  def cleanup(self) -> None:
    """Ends the program, if it has not ended: it saves its last step."""
    self._process.stop()

  def save_checkpoint(self, checkpoint_dir: str) -> None:
    """Nothing: the program has checkpoints of its own, in its workdir."""

  def load_checkpoint(self, checkpoint: Any) -> None:
    """Nothing: the program goes on from its own."""


def assigned(config: dict[str, Any]) -> dict[str, str]:
  """A configuration of Tune as flags.

  Args:
    config: numbers and texts by name.

  Returns:
    All as texts, numbers with as many digits as a folder's name should have.
  """
  return {
    name: f'{value:.6g}' if isinstance(value, float) else str(value)
    for name, value in config.items()
  }
