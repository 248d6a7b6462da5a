"""Sets JAX up before the first test: devices, strictness, compile cache."""

import os
import pathlib

import jax
import scenarios

# One for each of several processes: what one writes, no other reads half.
_WORKER = os.environ.get('PYTEST_XDIST_WORKER', '')
_CACHE = pathlib.Path(__file__).parents[1] / '.jax_cache' / _WORKER

# The tests are about the CPU, also where there is a GPU. The environment
# reaches the programs that tests start; `config` reaches this process, where
# jax has read the environment already.
os.environ['JAX_PLATFORMS'] = 'cpu'
jax.config.update('jax_platforms', 'cpu')

# Devices enough to split a batch over 1, 2, 4 and 8 of them. Started programs
# see one, as on a user's machine.
jax.config.update('jax_num_cpu_devices', 8)

# (3, 1) against (3,) is a mistake, not a (3, 3) array.
jax.config.update('jax_numpy_rank_promotion', 'raise')

# Nearly three times faster to compile, three to four times slower to run: tests
# compile much and run little. jit and pmap agree to 1e-7 either way. Programs
# that tests start likewise, but those of `faults`.
os.environ['JAX_DISABLE_MOST_OPTIMIZATIONS'] = '1'
jax.config.update('jax_disable_most_optimizations', True)
# Half of the time again. XLA ends the process at flags that it does not know:
# these are of the release in constraints.txt.
if jax.__version_info__[:2] == (0, 10):
  os.environ['XLA_FLAGS'] = ' '.join(
    (
      os.environ.get('XLA_FLAGS', ''),
      '--xla_cpu_use_fusion_emitters=false',
      '--xla_cpu_parallel_codegen_split_count=1',
    )
  )

# Compiling is most of the work here: keep what was compiled, however small.
os.environ['JAX_COMPILATION_CACHE_DIR'] = str(_CACHE)
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
os.environ['JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES'] = '-1'
jax.config.update('jax_compilation_cache_dir', str(_CACHE))
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


def pytest_addoption(parser):
  """Where to write what was seen of the scenarios."""
  parser.addoption('--scenarios', metavar='FILE', help=scenarios.__doc__)


def pytest_configure(config):
  """Knows the mark, and watches if asked to."""
  config.addinivalue_line('markers', 'scenario(*numbers): of scenarios.TITLES')
  if path := config.getoption('scenarios'):
    config.pluginmanager.register(scenarios.Observer(path))
