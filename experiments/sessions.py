"""sessions.jsonl: when, with what and on what a run was trained.

A line when it begins or goes on, and one when it ends, unless it is killed.
metrics.jsonl has no times, so that it is the same after an interruption.
"""

import datetime
import functools
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from typing import Any

_NAME = 'sessions.jsonl'
_VERSIONS = ('inpaintax', 'jax', 'jaxlib', 'flax', 'optax', 'numpy')


class Session:
  """One start of a training, while in use as a context manager."""

  def __init__(self, workdir: str, *, step: int):
    """Nothing is written yet.

    Args:
      workdir: of the run.
      step: updates done.
    """
    self._path = pathlib.Path(workdir) / _NAME
    self._step = step
    self._started = time.monotonic()

  def tick(self, step: int, *_: Any) -> None:
    """A hook of each update.

    Args:
      step: updates done.
    """
    self._step = step

  def __enter__(self) -> 'Session':
    self._write('begin', {'program': _program(), **surroundings()})
    return self

  def __exit__(self, *_: object) -> None:
    seconds = round(time.monotonic() - self._started, 1)
    self._write('end', {'seconds': seconds})

  def _write(self, event, more):
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
    line = {'event': event, 'time': now, 'step': self._step, **more}
    with self._path.open('a') as file:
      file.write(json.dumps(line) + '\n')


def _program():
  """The module that runs, as for `python -m`."""
  spec = sys.modules['__main__'].__spec__
  return spec.name if spec else pathlib.Path(sys.argv[0]).stem


def surroundings() -> dict[str, Any]:
  """What figures depend on beside flags and data.

  Returns:
    Plain JSON: `commit` of the project, with a + if files were changed, or None
    outside a repository; `versions`; `device`, `devices`, `processor`, `cores`.
  """
  import jax

  return {
    'commit': commit(),
    'versions': versions(_VERSIONS),
    'device': jax.devices()[0].device_kind,
    'devices': jax.device_count(),
    'processor': processor(),
    'cores': len(os.sched_getaffinity(0)),
  }


def versions(names: Sequence[str]) -> dict[str, str]:
  """Versions of installed packages.

  Args:
    names: of them.

  Returns:
    By name.
  """
  found = {name: metadata.version(name) for name in names}
  return {'python': platform.python_version(), **found}


@functools.cache
def commit() -> str | None:
  """The commit of the project, `+` behind it if files were changed."""
  folder = str(pathlib.Path(__file__).parent)
  describe = ['describe', '--always', '--exclude=*', '--abbrev=12', '--dirty=+']
  try:
    done = subprocess.run(
      ['git', '-C', folder, *describe],
      capture_output=True,
      text=True,
      check=True,
    )
  except (OSError, subprocess.CalledProcessError):
    return None
  return done.stdout.strip()


def processor() -> str:
  """The name of the processor."""
  try:
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
  except OSError:
    lines = []
  for line in lines:
    name, _, value = line.partition(':')
    if name.strip() == 'model name':
      return value.strip()
  return platform.processor() or platform.machine()
