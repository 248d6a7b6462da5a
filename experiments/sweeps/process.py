"""A trial: the unchanged program, in a process and a folder of its own.

What a trial has come to stands in its folder, in `trial.json`, whoever ran it.
JAX cannot be started twice in a process, hence one for each.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from inpaintax import atomic

# After which a trial that was asked to end is ended, seconds: it finishes its
# step, which may have to be compiled first, and saves it.
_GRACE = 120.0
# How often the time that a trial has run is noted: it may be killed. Seconds.
_NOTE_EVERY = 10.0
# What is in `trial.json` in any case.
_KINDS = {'status': str, 'command': list, 'flags': dict, 'seconds': float}
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class Process:
  """The program of one trial, from its start to its end."""

  def __init__(
    self,
    command: Sequence[str],
    folder: pathlib.Path,
    *,
    flags: dict[str, str],
    directory: str,
    cpus: int = 0,
    gpus: float = 0.0,
  ):
    """Starts it, unless it has finished before; waits for another to let go.

    Args:
      command: what to run.
      folder: of the trial, its workdir; made if it is not there.
      flags: that are the trial's own, for those who read `trial.json`.
      directory: where to run it.
      cpus: cores to bind it to; 0: none.
      gpus: that it has, for those who read `trial.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    self._folder, self._started = folder, time.time()
    self._noted = self._started
    # Given to the process too: the trial is in use as long as one of us lives.
    self._held = [open(folder / 'trial.lock', 'a')]
    fcntl.flock(self._held[0], fcntl.LOCK_EX)
    self.about = read(folder)
    self._before = self.about.get('seconds', 0.0)
    self._process: subprocess.Popen[bytes] | None = None
    if self.finished:
      return
    cores = self._take_cores(cpus)
    self._put(status='running', flags=flags, command=list(command), gpus=gpus)
    with open(folder / 'log.txt', 'ab') as log:
      self._process = subprocess.Popen(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=os.environ | {'PYTHONUNBUFFERED': '1'},
        start_new_session=True,
        pass_fds=[file.fileno() for file in self._held],
        preexec_fn=lambda: _before_program(cores),
      )

  @property
  def finished(self) -> bool:
    """Whether there is no more to do: the program has ended, or is behind."""
    return self.about.get('status') in ('finished', 'behind')

  def poll(self) -> bool:
    """Whether the program has ended; if so, that stands in `trial.json`."""
    code = 0 if self._process is None else self._process.poll()
    if code is None:
      if time.time() - self._noted > _NOTE_EVERY:
        self._put()
      return False
    if self._process is not None:
      self._end('failed' if code else 'finished', code)
    return True

  def stop(self) -> None:
    """Asks the program to end; waits until it has saved its last step."""
    process = self._process
    if process is None:
      self._let_go()
      return
    if process.poll() is None:
      process.send_signal(signal.SIGTERM)
      try:
        process.wait(_GRACE)
      except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    code = process.returncode
    asked = code in (-signal.SIGTERM, -signal.SIGKILL, 128 + signal.SIGTERM)
    self._end('stopped' if asked else 'failed' if code else 'finished', code)

  def _end(self, status, code):
    self._put(status=status, code=code)
    self._process = None
    self._let_go()

  def _put(self, **changes):
    self._noted = time.time()
    changes['seconds'] = self._before + self._noted - self._started
    changes['devices'] = os.environ.get('CUDA_VISIBLE_DEVICES', '')
    self.about = note(self._folder, **changes)

  def _take_cores(self, wanted):
    """Cores that no other trial is bound to; none if there are not enough.

    XLA starts a thread for each core that it sees: eight trials on eight cores
    would have 64.
    """
    folder = pathlib.Path(tempfile.gettempdir(), f'inpaintax-{os.getuid()}')
    folder.mkdir(exist_ok=True)
    cores: list[int] = []
    for core in sorted(os.sched_getaffinity(0)):
      if len(cores) == wanted:
        break
      file = open(folder / f'core{core}', 'a')
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        file.close()
        continue
      self._held.append(file)
      cores.append(core)
    return cores if len(cores) == wanted else []

  def _let_go(self):
    for file in self._held:
      file.close()


def _before_program(cores):
  """In the new process: ends with who started it, on its own cores."""
  _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
  if cores:
    os.sched_setaffinity(0, cores)


def note(folder: pathlib.Path, **changes: Any) -> dict[str, Any]:
  """Writes into `trial.json` what has changed.

  Args:
    folder: of the trial.
    **changes: plain JSON.

  Returns:
    All that stands there now.
  """
  about = read(folder) | changes
  text = json.dumps(about, indent=2)
  atomic.write_text(folder / 'trial.json', text + '\n')
  return about


def read(folder: pathlib.Path) -> dict[str, Any]:
  """What a trial has come to.

  Args:
    folder: of the trial.

  Returns:
    `status`: running, finished, failed, stopped, or behind others and ended
    early; `code`: its exit code; `seconds` of all its runs; `flags` and
    `command`. Nothing if it has not begun, or that cannot be read.
  """
  try:
    found = json.loads((folder / 'trial.json').read_text())
    whole = all(type(found[name]) is kind for name, kind in _KINDS.items())
  except (OSError, ValueError, KeyError, TypeError):
    return {}
  return found if whole else {}


def in_use(folder: pathlib.Path) -> bool:
  """Whether a trial's program, or what has started it, is alive.

  Args:
    folder: of the trial.

  Returns:
    Whether it is, as far as the file system has locks.
  """
  try:
    with open(folder / 'trial.lock') as file:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except BlockingIOError:
    return True
  except OSError:
    return False
  return False


def stamp(folder: pathlib.Path) -> tuple[int, int, int] | None:
  """What changes whenever a run's metrics.jsonl does.

  Args:
    folder: of the run.

  Returns:
    Plain numbers; None: there is no such file.
  """
  try:
    found = (folder / 'metrics.jsonl').stat()
  except OSError:
    return None
  return found.st_ino, found.st_mtime_ns, found.st_size


def metrics(folder: pathlib.Path) -> list[dict[str, Any]]:
  """The lines of a run's metrics.jsonl, up to now; what is no line is left out.

  Args:
    folder: of the run.

  Returns:
    They, in order; each has a `step`.
  """
  lines = []
  with contextlib.suppress(OSError):
    for text in (
      (folder / 'metrics.jsonl').read_text(errors='replace').splitlines()
    ):
      with contextlib.suppress(ValueError):
        line = json.loads(text)
        if isinstance(line, dict) and isinstance(line.get('step'), int):
          lines.append(line)
  return lines
