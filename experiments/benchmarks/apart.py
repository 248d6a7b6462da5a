"""Work in a process of its own, as its user has it: with its own memory."""

import contextlib
import multiprocessing
import pathlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from experiments import program
from experiments.benchmarks import timing

# What the title of a case ends with, in which all keep their memory.
_KEPT = ", PyTorch's memory kept too"
# Between our forward pass and the peer's, absolute, of outputs within [-1, 1].
_TOLERANCE = 1e-4
# How much of what a process that failed has to say is kept.
_SAID = 500


class Apart:
  """Work that a process of its own makes, and does when it is told to.

  Use it as a context manager: leaving it ends the process.
  """

  def __init__(
    self, make: Callable[..., Callable[[], Any]], *args: Any, keep: bool = False
  ):
    """Starts the process and has the work made, and done once.

    Args:
      make: a module's function; gives what does the work and waits for it.
      *args: its arguments, which can be pickled.
      keep: whether it keeps its memory from the start and settles it once the
        work is compiled, as our programs do, see `program`.

    Raises:
      RuntimeError: it failed; the message says of what.
    """
    context = multiprocessing.get_context('spawn')
    self._name = f'{getattr(make, "__name__", make)}{args}'
    self._pipe, other = context.Pipe()
    given = (other, make, args, keep)
    self._process = context.Process(target=_serve, args=given)
    self._process.start()
    other.close()
    try:
      self._answer()
    except RuntimeError:
      self.__exit__()
      raise

  def __enter__(self) -> 'Apart':
    return self

  def __exit__(self, *_: object) -> None:
    self._pipe.close()
    self._process.join()

  def run(self) -> float:
    """Does the work once more.

    Returns:
      Seconds, as the process has counted them.

    Raises:
      RuntimeError: it failed.
    """
    return self._ask('run')

  def peak_memory(self) -> float:
    """The most memory that the process has taken.

    Returns:
      MiB: of the whole process, as Linux counts it; on a GPU, of the arrays
      there, as JAX or PyTorch does.
    """
    return self._ask('peak') / 2**20

  def keep_memory(self) -> None:
    """From here on as with `program.keep_memory`."""
    self._ask('keep')

  def _ask(self, word: str) -> Any:
    self._pipe.send(word)
    return self._answer()

  def _answer(self) -> Any:
    try:
      fine, found = self._pipe.recv()
    except EOFError:
      fine, found = False, 'the process is gone: it may have run out of memory'
    if not fine:
      raise RuntimeError(f'{self._name} failed: {found}')
    return found


def against(
  name: str,
  ours: dict[str, tuple[Any, ...]],
  peers: dict[str, tuple[Any, ...]],
  *,
  difference: float,
  unit: str,
  work: float,
  operations: float,
  rounds: int,
) -> Iterator[dict[str, Any]]:
  """Times sides in turns, each in a process of its own, beside the ceilings.

  On a CPU twice: peers as they come, then with their memory kept as our
  programs keep theirs.

  Args:
    name: of the case.
    ours: `(make, *args)` of `Apart`, by side; the first is the one that all
      others are divided by.
    peers: likewise; one that fails is told and left out.
    difference: the largest one between their outputs, absolute.
    unit: of the work.
    work: as for `timing.Side`.
    operations: likewise.
    rounds: turns of each.

  Yields:
    Plain JSON: `case`, `unit`, `rows` of `timing.rows`, `forward_difference`,
    `peak_memory_mib` of each side, and `failed`: what peers said that did.

  Raises:
    RuntimeError: ours failed, or the peer computes something else.
  """
  if difference > _TOLERANCE:
    raise RuntimeError(f'{name}: the peer differs by {difference:.1e}.')
  failed = {}
  with contextlib.ExitStack() as stack:
    begun = {
      side: stack.enter_context(Apart(*made, keep=True))
      for side, made in ours.items()
    }
    for side, made in peers.items():
      try:
        begun[side] = stack.enter_context(Apart(*made))
      except RuntimeError as error:
        failed[side] = str(error)
    sides = [
      timing.Side(side, process.run, work, operations)
      for side, process in begun.items()
    ]
    sides += timing.ceilings()
    for kept in (False, True) if timing.on_cpu() else (False,):
      if kept:
        for process in begun.values():
          process.keep_memory()
      seconds = timing.interleaved(sides, rounds=rounds)
      yield {
        'case': name + (_KEPT if kept else ''),
        'unit': unit,
        'rows': timing.rows(sides, seconds, ours=next(iter(ours))),
        'forward_difference': difference,
        'peak_memory_mib': {
          side: process.peak_memory() for side, process in begun.items()
        },
        **({'failed': failed} if failed else {}),
      }


def _serve(pipe, make, args, keep):
  """Of the process: answers each word until nobody is left to ask."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # Its parent ends it.
  if keep:
    program.keep_memory()
  try:
    run = make(*args)
    run()
    if keep:
      program.settle_memory()
    pipe.send((True, None))
    while True:
      pipe.send((True, _WORDS[pipe.recv()](run)))
  except (EOFError, BrokenPipeError):
    return
  except Exception as error:
    pipe.send((False, f'{type(error).__name__}: {error}'[:_SAID]))


def _seconds(run):
  start = time.perf_counter()
  run()
  return time.perf_counter() - start


def _peak_of_process():
  # Not of getrusage: on Linux a child begins with its parent's maximum.
  status = pathlib.Path('/proc/self/status').read_text()
  (line,) = (x for x in status.splitlines() if x.startswith('VmHWM'))
  return int(line.split()[1]) * 1024


def _peak_on_device():
  """Bytes of a GPU that the work has used; 0 if there is none."""
  torch, jax = (sys.modules.get(name) for name in ('torch', 'jax'))
  if torch and torch.cuda.is_available():
    return torch.cuda.max_memory_allocated()
  stats = jax.local_devices()[0].memory_stats() if jax else None
  return (stats or {}).get('peak_bytes_in_use', 0)


_WORDS: dict[str, Callable[[Callable[[], Any]], Any]] = {
  'run': _seconds,
  'peak': lambda _: _peak_on_device() or _peak_of_process(),
  'keep': lambda _: program.keep_memory(),
}
