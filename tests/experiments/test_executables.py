"""Executables that a run keeps for the next one of the same command."""

import json
import pathlib
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import executables

TINY = (
  f'--flagfile={pathlib.Path(__file__).with_name("context_encoder_tiny.flags")}',
  '--load_size=40',
  '--data=photos:train',
  '--log_every=1',
  '--steps=2',
)
X = jnp.arange(4.0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """Where executables are kept; of one command, on one machine."""
  monkeypatch.setattr(executables, '_folder', lambda: tmp_path)
  monkeypatch.setattr(executables, '_machine', lambda: 'this')
  monkeypatch.setattr(executables, '_command', lambda: 'that')
  return tmp_path


@pytest.fixture
def factor():
  """That of a program which JAX's cache cannot have."""
  return random.SystemRandom().random()


def lowered(factor):
  return jax.jit(lambda x: factor * x, donate_argnums=0).lower(X)


def keep(factor, given='given'):
  """As a run does that finds nothing; what it has compiled."""
  kept = executables.Kept()
  assert kept.take(given) is None
  compiled = kept.compile('step', lowered(factor))
  kept.keep()
  return compiled


def test_what_a_run_has_compiled_the_next_one_takes(folder, factor):
  compiled = keep(factor)
  kept = executables.Kept()
  taken = kept.take('given')
  assert set(taken) == {'step'}
  x = jnp.copy(X)
  np.testing.assert_array_equal(taken['step'](x), np.float32(factor) * X)
  assert x.is_deleted()
  assert (
    taken['step'].memory_analysis().argument_size_in_bytes
    == compiled.memory_analysis().argument_size_in_bytes
  )
  assert kept.is_of('step', lowered(factor))
  assert executables.Kept().take('given') is not None


def test_what_is_of_another_program_is_found_out_and_never_taken_again(
  folder, factor
):
  keep(factor)
  kept = executables.Kept()
  assert kept.take('given')
  assert not kept.is_of('step', lowered(factor / 2))
  assert executables.Kept().take('given') is None


@pytest.mark.parametrize('name', ['_machine', '_command'])
def test_another_machine_or_command_takes_nothing(
  folder, factor, monkeypatch, name
):
  keep(factor)
  assert executables.Kept().take('given')
  assert executables.Kept().take('another') is None
  monkeypatch.setattr(executables, name, lambda: 'another')
  assert executables.Kept().take('given') is None


def test_another_command_loads_the_same_program(folder, factor, monkeypatch):
  keep(factor)
  monkeypatch.setattr(executables, '_command', lambda: 'another')
  # Nothing is left to compile it with.
  monkeypatch.setattr(executables, '_compiled', None)
  np.testing.assert_array_equal(
    keep(factor)(jnp.copy(X)), np.float32(factor) * X
  )
  assert executables.Kept().take('given')


@pytest.mark.parametrize('content', [b'', b'{"given": 1}', b'\x00' * 50])
def test_damaged_files_are_as_none(folder, factor, content):
  keep(factor)
  for path in folder.iterdir():
    path.write_bytes(content)
  np.testing.assert_array_equal(
    keep(factor)(jnp.copy(X)), np.float32(factor) * X
  )


def test_what_jax_has_loaded_is_not_kept(folder, factor):
  # A cache of JAX's is on in the tests, and keeps all.
  once = keep(factor)
  assert len(list(folder.iterdir())) == 2
  for path in folder.iterdir():
    path.unlink()
  jax.clear_caches()
  again = keep(factor)
  assert not list(folder.iterdir())
  np.testing.assert_array_equal(once(jnp.copy(X)), again(jnp.copy(X)))


def test_all_or_nothing_is_taken(folder, factor, monkeypatch):
  kept = executables.Kept()
  assert kept.take('given') is None
  kept.compile('start', lowered(factor))
  found = lambda lowered: (lowered.compile(), False)
  monkeypatch.setattr(executables, '_compiled', found)
  kept.compile('step', lowered(factor / 2))
  kept.keep()
  assert executables.Kept().take('given') is None
  assert len(list(folder.iterdir())) == 1


def test_sources_and_flags_are_of_a_command(monkeypatch):
  text = '--steps=2\n--workdir=here\n'
  monkeypatch.setattr(executables.replay, 'text', lambda: text)
  flags, sources, versions = executables._command()
  assert flags == ['--steps=2'] and len(versions) > 3
  read = pathlib.Path.read_bytes
  edited = lambda path: read(path) + b'#' * (path.name == 'winograd.py')
  monkeypatch.setattr(pathlib.Path, 'read_bytes', edited)
  assert executables._command()[1] != sources


def trained(run_program, workdir, *args):
  return run_program('context_encoder', *TINY, f'--workdir={workdir}', *args)


@pytest.fixture
def cache(tmp_path, monkeypatch):
  path = tmp_path / 'cache'
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', str(path))
  return path


def commands(cache):
  """What is kept of which executables a command had."""
  texts = {path: path.read_bytes() for path in cache.glob('inpaintax-*')}
  return {p: json.loads(t) for p, t in texts.items() if t.startswith(b'{')}


def test_a_run_that_takes_them_is_the_same_and_a_wrong_one_is_not_saved(
  run_program, cache, tmp_path
):
  first = trained(run_program, tmp_path / 'first')
  assert first.returncode == 0, first.stderr
  ((command, has),) = commands(cache).items()
  second = trained(run_program, tmp_path / 'second')
  assert second.returncode == 0, second.stderr
  metrics = [
    (tmp_path / name / 'metrics.jsonl').read_text().splitlines()
    for name in ('first', 'second')
  ]
  losses = [
    [x for x in map(json.loads, lines) if 'gen/rec' in x] for lines in metrics
  ]
  assert losses[0] == losses[1] and len(losses[0]) == 2
  # Another program under this one's name.
  other = trained(run_program, tmp_path / 'other', '--gen_lr=0.5')
  assert other.returncode == 0, other.stderr
  (has_other,) = (x for p, x in commands(cache).items() if p != command)
  assert has_other['step'] != has['step']
  command.write_text(json.dumps(has | {'step': has_other['step']}))
  wrong = trained(run_program, tmp_path / 'wrong')
  assert wrong.returncode == 70
  assert 'another program' in wrong.stderr.splitlines()[-1]
  saved = tmp_path / 'wrong' / 'checkpoints'
  assert not [x for x in saved.iterdir() if x.name.isdigit()]
  again = trained(run_program, tmp_path / 'wrong')
  assert again.returncode == 0, again.stderr
  lines = (tmp_path / 'wrong' / 'metrics.jsonl').read_text().splitlines()
  assert [x for x in map(json.loads, lines) if 'gen/rec' in x] == losses[0]
