"""Executables kept for the next run of the same command.

JAX's cache knows a program by what Python traces it to, which takes half of a
start. Here the last run of the same command, with the same sources, on the same
machine, says which executables there will be. `compilation` uses them, and sees
afterwards whether they were the right ones.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import pickle
import threading
import zlib
from concurrent import futures
from importlib import metadata
from typing import Any

from experiments import replay, threads

# Flags that do not change programs; or what they change is looked at.
_OTHERS = ('--workdir=', '--data=', '--val_data=')
_SETTINGS = ('JAX_', 'XLA_', 'CUDA_', 'FLAX_', 'NPROC')
_OURS = ('inpaintax', 'experiments')
_PACKAGES = ('jax', 'flax', 'optax', 'chex', 'numpy')
_FOUND_BY_JAX = '/jax/compilation_cache/cache_hits'


class Kept:
  """The executables of a command, by their roles.

  Files beside those that JAX keeps: `inpaintax-<hash of a program>`, an
  executable; `inpaintax-<hash of a command>`, which executables it had.

  To be made when flags have been checked: those without meaning do not count.
  The executables are loaded from then on.
  """

  def __init__(self) -> None:
    self._folder, self._machine = _folder(), ''
    self._had: dict[str, str] = {}
    self._has: dict[str, str | None] = {}
    self._loading: futures.Future | None = None
    if self._folder is None:
      return
    self._machine = repr(_machine())
    self._command = self._folder / self._name(repr(_command()))
    with contextlib.suppress(OSError, ValueError):
      self._had = json.loads(self._command.read_text(encoding='utf-8'))
      self._loading = threads.begin(self._load)

  def take(self, given: str) -> dict[str, Any] | None:
    """What the last run of this command compiled.

    Args:
      given: what else its programs are made of.

    Returns:
      `jax.stages.Compiled` by their roles; None: there is nothing to use.
    """
    self._given = self._name(given)
    loading, self._loading = self._loading, None
    if loading is None or self._had.get('given') != self._given:
      return None
    # Whatever may be wrong with the files, there is another way.
    with contextlib.suppress(Exception):
      return loading.result()
    return None

  def is_of(self, role: str, lowered: Any) -> bool:
    """Whether what was taken is a program.

    Args:
      role: of the executable.
      lowered: `jax.stages.Lowered`.

    Returns:
      Whether it has been compiled from that. If not, it is not taken again.
    """
    same = self._had[role] == self._name(lowered.as_text())
    if not same:
      self._command.unlink(missing_ok=True)
    return same

  def compile(self, role: str, lowered: Any) -> Any:
    """Compiles, unless some run has done so; in any thread.

    Args:
      role: of the executable.
      lowered: `jax.stages.Lowered`.

    Returns:
      `jax.stages.Compiled`.
    """
    if self._folder is None:
      return lowered.compile()
    self._has[role] = None
    name = self._name(lowered.as_text())
    with contextlib.suppress(Exception):
      compiled = _unpacked((self._folder / name).read_bytes())
      self._has[role] = name
      return compiled
    compiled, new = _compiled(lowered)
    # What JAX has loaded lacks its functions when it is serialised; and not
    # all can be: the next start is slower then, and no more.
    if new:
      with contextlib.suppress(Exception):
        self._write(name, _packed(compiled))
        self._has[role] = name
    return compiled

  def keep(self) -> None:
    """Has the next run of this command take what this one has compiled.

    If all of that could be kept.
    """
    if self._has and all(self._has.values()):
      content = {'given': self._given} | self._has
      with contextlib.suppress(OSError):
        self._write(self._command.name, json.dumps(content).encode())

  def _name(self, text):
    both = hashlib.sha256(f'{self._machine}\n{text}'.encode())
    return f'inpaintax-{both.hexdigest()}'

  def _load(self):
    names = {k: v for k, v in self._had.items() if k != 'given'}
    return {
      role: _unpacked((self._folder / name).read_bytes())
      for role, name in names.items()
    }

  def _write(self, name, content):
    from inpaintax import atomic

    self._folder.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(self._folder / name, content)


def _folder():
  """Where JAX keeps what it compiles; None: nothing is to be kept there."""
  import jax

  folder = jax.config.jax_compilation_cache_dir
  kept = folder and jax.config.jax_enable_compilation_cache
  limited = jax.config.jax_compilation_cache_max_size != -1
  several = jax.process_count() > 1 or jax.config.jax_disable_jit
  if not kept or limited or several or '://' in folder:
    return None
  return pathlib.Path(folder)


def _command():
  """What programs are made of, as far as it is known before they are."""
  flags = [x for x in replay.text().splitlines() if not x.startswith(_OTHERS)]
  sources = hashlib.sha256()
  for package in _OURS:
    spec = importlib.util.find_spec(package)
    for path in sorted(pathlib.Path(spec.origin).parent.rglob('*.py')):
      sources.update(path.read_bytes())
  versions = [metadata.version(package) for package in _PACKAGES]
  return flags, sources.hexdigest(), versions


def _machine():
  """What executables depend on beside their programs."""
  import jax

  settings = sorted(x for x in os.environ.items() if x[0].startswith(_SETTINGS))
  device = jax.devices()[0]
  processor = ''
  with contextlib.suppress(OSError):
    lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
    kinds = (x for x in lines if x.startswith(('flags', 'Features')))
    processor = next(kinds, '')
  versions = metadata.version('jaxlib'), device.client.platform_version
  counts = jax.device_count(), os.cpu_count()
  return settings, versions, device.device_kind, counts, processor


def _compiled(lowered):
  """(the executable, whether it has been compiled just now)."""
  import jax

  found, here = [], threading.get_ident()

  def note(event, **_):
    if event == _FOUND_BY_JAX and threading.get_ident() == here:
      found.append(event)

  jax.monitoring.register_event_listener(note)
  try:
    return lowered.compile(), not found
  finally:
    jax.monitoring.unregister_event_listener(note)


def _packed(compiled):
  import jax
  from jax.experimental import serialize_executable

  shardings = compiled.input_shardings, compiled.output_shardings
  count = len(jax.tree.leaves(shardings)[0].device_set)
  parts = serialize_executable.serialize(compiled)
  return zlib.compress(pickle.dumps((count, *parts)), 1)


def _unpacked(packed):
  import jax
  from jax.experimental import serialize_executable

  count, *parts = pickle.loads(zlib.decompress(packed))
  return serialize_executable.deserialize_and_load(
    *parts, execution_devices=jax.devices()[:count]
  )
