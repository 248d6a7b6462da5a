"""What every program shares: how it starts, and how it ends.

Exit codes: 0 done; 1 flags (absl's own); 2 bad input, configuration or data;
3 diverged; 4 finished, but some items failed; 5 out of memory or disk; 6 no
usable checkpoint; 70 a fault of ours; 129, 130, 143 SIGHUP, SIGINT, SIGTERM.
The last line on stderr starts `inpaintax:` and says what, where, and what to
do.
"""

import contextlib
import ctypes
import importlib.util
import math
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence

from absl import app, flags, logging

from experiments import interruption, usage
from inpaintax import errors

_DEBUG = flags.DEFINE_bool('debug', False, 'Show the traceback of an error.')

# Names of flags that `refuse` has found not to be given: a file of flags that
# replays the program must not give them.
meaningless: set[str] = set()
# Numbers of glibc's malloc.h: no blocks of their own from the kernel, for which
# there must be one heap alone; and nothing back.
_MALLOC_OPTIONS = (
  (-8, 1),  # M_ARENA_MAX
  (-4, 0),  # M_MMAP_MAX
  (-1, -1),  # M_TRIM_THRESHOLD: never.
)
# Bytes of the gaps that compiling leaves; smaller ones do not matter.
_LARGEST_GAP, _SMALLEST_GAP = 2**28, 2**12


def run(main: Callable[..., None], *, commands: Sequence[str] = ()) -> None:
  """Runs a program: parses flags, turns errors into exit codes.

  Args:
    main: the program, called once flags are parsed, without arguments; or with
      the command that was given, if there are any.
    commands: words of which one must be given.
  """

  def guarded(words):
    if not _DEBUG.value:
      logging.set_verbosity(logging.WARNING)  # Orbax tells of each step.
      # And what it raises is told by us, in one line.
      ours = lambda record: 'orbax' not in record.pathname
      logging.get_absl_logger().addFilter(ours)
      logging.get_absl_handler().setFormatter(_Formatter())
      # Too many pixels are an error of ours.
      warnings.filterwarnings('ignore', 'Image size .* exceeds limit')
      warnings.filterwarnings('ignore', 'Truncated File Read')
      # Where a write fails, TensorStore's threads have much to say too.
      sys.unraisablehook = lambda _: None
    try:
      refuse_values()
      main(*words)
    except (Exception, interruption.Interrupted) as error:
      if _DEBUG.value:
        traceback.print_exc()
      code, message = _verdict(error)
      # What reads our output may be gone.
      with contextlib.suppress(OSError, AttributeError):
        sys.stdout.flush()
      say(message)
      # Not sys.exit: threads that load data would be waited for.
      os._exit(code)

  # Before there is another thread, which would have a heap of its own.
  keep_memory()
  # None if it was closed before the start.
  sys.stdout = sys.stdout and _Outlasting(sys.stdout)
  sys.stderr = sys.stderr and _Outlasting(sys.stderr)
  interruption.listen(say)
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  # Of a damaged image we tell ourselves.
  os.environ.setdefault('OPENCV_LOG_LEVEL', 'ERROR')
  # What was compiled once need not be compiled again by the next run.
  cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  os.environ.setdefault(
    'JAX_COMPILATION_CACHE_DIR', os.path.join(cache, 'inpaintax', 'jax')
  )
  os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.1')
  try:
    app.run(guarded, flags_parser=usage.parser(commands))
  except usage.UsageError as error:
    say(f'{error} --help names all flags.')
    sys.exit(1)


def say(message: str) -> None:
  """Tells the user something on stderr, in one line.

  Args:
    message: what.
  """
  print(f'inpaintax: {message}', file=sys.stderr, flush=True)


class _Outlasting:
  """A stream that may lose its reader, as `| head` leaves after ten lines.

  What a program is for goes on, and says no more.
  """

  def __init__(self, stream):
    self._stream = stream

  def __getattr__(self, name):
    return getattr(self._stream, name)

  def write(self, text):
    return self._while_read(self._stream.write, text)

  def flush(self):
    self._while_read(self._stream.flush)

  def _while_read(self, call, *args):
    try:
      return call(*args)
    except BrokenPipeError:
      with open(os.devnull, 'wb') as nowhere:
        os.dup2(nowhere.fileno(), self._stream.fileno())
      return call(*args)


class _Formatter(logging.PythonFormatter):
  """Warnings of the library look like all else that programs tell."""

  def format(self, record):
    if not record.pathname.startswith(os.path.dirname(errors.__file__)):
      return super().format(record)
    return f'inpaintax: {record.levelname.lower()}: {record.getMessage()}'


def keep_memory() -> None:
  """Has the process keep memory that large arrays have given back.

  glibc returns it to the kernel, which hands it out anew page by page, each
  zeroed first: with the hundreds of megabytes that an update on a CPU takes for
  a moment, a fifth of its time (docs/performance.md). The process then holds as
  much as it ever needed at once. Nothing happens where there is no glibc.
  """
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (OSError, AttributeError):
    return
  for option, value in _MALLOC_OPTIONS:
    mallopt(option, value)


def settle_memory() -> None:
  """Gives back what compiling has left of memory that is kept, for good.

  It leaves tens of thousands of gaps between what stays. Whenever an operation
  then asks for memory, glibc looks through them, and the other threads wait: a
  sixth of an update's time on a CPU (docs/performance.md). Here the gaps' pages
  go back to the kernel, and the gaps are taken and never used. Of use after
  `keep_memory` alone; nothing happens where there is no glibc.
  """
  try:
    libc = ctypes.CDLL(None)
    take, free, trim, top = libc.malloc, libc.free, libc.malloc_trim, libc.sbrk
  except (OSError, AttributeError):
    return
  take.argtypes, take.restype = [ctypes.c_size_t], ctypes.c_void_p
  free.argtypes, free.restype = [ctypes.c_void_p], None
  top.argtypes, top.restype = [ctypes.c_ssize_t], ctypes.c_void_p
  trim(0)
  end, size = top(0), _LARGEST_GAP
  while size >= _SMALLEST_GAP:
    place = take(size)
    if place is None or place + size > end:  # No gap is as large.
      free(place)
      size = size * 3 // 4
  trim(0)


def refuse(names: Iterable[str], where: str) -> None:
  """Refuses flags that were given where they have no meaning.

  In a flag file they may stand, and have then no effect: what gave them a
  meaning there was overruled by the command line.

  Args:
    names: of the flags.
    where: what they have no meaning with, or without.

  Raises:
    InputError: one of them was given on the command line.
  """
  for name in names:
    flag = flags.FLAGS[name]
    direct = usage.direct
    if direct is not None and direct.isdisjoint((name, f'no{name}')):
      flag.unparse()  # To its default.
    if flag.present:
      raise errors.InputError(f'--{name} has no meaning {where}.')
    meaningless.add(name)


def need(extra: str, modules: Iterable[str]) -> None:
  """Refuses to go on without packages that a plain install leaves out.

  Args:
    extra: of the package that brings them.
    modules: names to import.

  Raises:
    InputError: one is not there.
  """
  for name in modules:
    if importlib.util.find_spec(name) is None:
      raise errors.InputError(
        f"{name} is not installed: pip install 'inpaintax[{extra}]'."
      )


def no_space(error: BaseException) -> bool:
  """Whether an error says that a disk, or one's share of it, is full.

  Args:
    error: any.

  Returns:
    Whether it does.
  """
  return isinstance(error, OSError) and error.errno in errors.DISK_FULL


def _no_device(error: BaseException) -> bool:
  """Whether JAX cannot use what the environment asks for."""
  frames = traceback.extract_tb(error.__traceback__)
  # Of a platform that it knows but cannot find it says nothing but this.
  mute = isinstance(error, AssertionError) and frames[-1].filename.endswith(
    'xla_bridge.py'
  )
  return mute or 'Unable to initialize backend' in str(error)


def refuse_values() -> None:
  """Refuses what no flag may be.

  absl lets it pass, or takes it for something else.

  Raises:
    InputError: a value is empty, no number, or begins with ~.
  """
  for flag in usage.own_flags():
    # An empty path would mean the current folder: a mistake in a shell.
    if flag.value == '':
      raise errors.InputError(
        f'--{flag.name}= is empty: give a value, or leave the flag out.'
      )
    if isinstance(flag.value, str) and flag.value.startswith('~'):
      raise errors.InputError(
        f'--{flag.name}={flag.value}: write the folder out: a shell leaves ~'
        ' alone behind =.'
      )
    if isinstance(flag.value, float) and not math.isfinite(flag.value):
      raise errors.InputError(f'--{flag.name}={flag.value} is not a number.')


def _verdict(error: BaseException) -> tuple[int, str]:
  message = ' '.join(str(error).split())
  if isinstance(error, interruption.Interrupted):
    return 128 + error.number, message
  if isinstance(error, errors.ItemsFailedError):
    return 4, message
  if isinstance(error, errors.DivergedError):
    return 3, message
  if isinstance(error, errors.CheckpointError):
    return 6, message
  if isinstance(error, errors.ResourceError):
    return 5, message
  if no_space(error):
    return 5, f'no space left: {message}. Free some, or choose another place.'
  if isinstance(error, MemoryError) or 'RESOURCE_EXHAUSTED' in message:
    return 5, f'out of memory: {message[:200]} Try a smaller --batch_size.'
  if isinstance(error, (ValueError, OSError)):
    return 2, message
  if _no_device(error):
    wanted = os.environ.get('JAX_PLATFORMS', '')
    return 2, (
      f'JAX_PLATFORMS={wanted}: JAX finds no such device: name one that is'
      ' here, such as cpu, or leave it out.'
    )
  name = type(error).__name__
  return 70, f'{name}: {message} (a fault of ours; --debug shows where)'
