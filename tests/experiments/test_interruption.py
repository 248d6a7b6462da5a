"""What ends a training run from outside, and how it goes on."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from concurrent import futures

import pytest

from experiments import compilation, interruption

TINY = (
  f'--flagfile={pathlib.Path(__file__).with_name("context_encoder_tiny.flags")}',
  '--load_size=40',
  '--adversarial_weight=0',
  '--log_every=1',
  '--steps=1000000',
)
SSDA = (
  f'--flagfile={pathlib.Path(__file__).with_name("ssda_tiny.flags")}',
  '--steps=1000000',
  '--pretrain=0',
)
PROGRAMS = {'context_encoder': TINY, 'ssda': SSDA}


@pytest.fixture(autouse=True)
def a_terminal_that_can_go():
  """Under nohup, SIGHUP is ignored, and by all that is started too."""
  before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
  yield
  signal.signal(signal.SIGHUP, before)


def start(name, workdir, *args):
  """A run that has made a few steps."""
  flags = [*PROGRAMS[name], '--checkpoint_every=1000000']
  process = subprocess.Popen(
    [sys.executable, '-m', f'experiments.{name}', *flags, *args]
    + [f'--workdir={workdir}'],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    env=os.environ,
  )
  for line in process.stdout:
    if line.startswith('step '):
      return process
  pytest.fail(process.communicate()[1])


def end(process, timeout=60):
  """(return code, last line on stderr)."""
  _, said = process.communicate(timeout=timeout)
  assert 'Traceback' not in said, said
  return process.returncode, said.strip().splitlines()[-1]


def steps(workdir):
  folder = workdir / 'checkpoints'
  return sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit())


@pytest.mark.scenario(3, 5)
@pytest.mark.parametrize('name', PROGRAMS)
@pytest.mark.parametrize(
  ('number', 'code'),
  [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)],
)
def test_a_signal_saves_the_step_and_ends(tmp_path, name, number, code):
  process = start(name, tmp_path)
  process.send_signal(number)
  returned, said = end(process)
  assert returned == code
  (step,) = steps(tmp_path)
  assert said == (
    f'inpaintax: saved step {step}; rerun the same command to go on.'
  )
  assert not (tmp_path / 'lock').exists()


@pytest.mark.scenario(5)
def test_sigusr1_saves_and_goes_on(tmp_path):
  process = start('context_encoder', tmp_path)
  process.send_signal(signal.SIGUSR1)
  until = time.monotonic() + 60
  while not (tmp_path / 'checkpoints').is_dir() or not steps(tmp_path):
    assert time.monotonic() < until and process.poll() is None
    time.sleep(0.05)
  (first,) = steps(tmp_path)
  process.send_signal(signal.SIGTERM)
  assert end(process)[0] == 143
  assert steps(tmp_path)[0] == first < steps(tmp_path)[1]


# The step hangs, as it does where a device does.
_HANGING = """
import sys, time
from experiments import context_encoder, program
from inpaintax import loop
check = loop.check_progress
def hang(step, *args, **options):
  print('hangs', flush=True)
  time.sleep(100)
loop.check_progress = hang
program.run(context_encoder.main)
"""


@pytest.mark.scenario(4)
def test_a_second_signal_ends_at_once(tmp_path):
  process = subprocess.Popen(
    [sys.executable, '-c', _HANGING, *TINY, f'--workdir={tmp_path}'],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  while process.stdout.readline() != 'hangs\n':
    assert process.poll() is None, process.communicate()[1]
  process.send_signal(signal.SIGTERM)
  said = process.stderr.readline()
  assert 'SIGTERM: ends after this step' in said
  # Launchers may say it twice: to the group of processes, and to each.
  process.send_signal(signal.SIGTERM)
  time.sleep(0.6)
  assert process.poll() is None
  process.send_signal(signal.SIGTERM)
  code, said = end(process, timeout=10)
  assert code == 143 and 'ended at once' in said
  assert not steps(tmp_path)


# A program that is no training, and that drops what a handler raises, as
# callbacks of libraries do.
_DEAF = """
import time
from experiments import program
def main():
  print('begun', flush=True)
  while True:
    try:
      time.sleep(100)
    except BaseException:
      pass
program.run(main)
"""


@pytest.mark.scenario(3, 5)
@pytest.mark.parametrize(
  ('number', 'code'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_what_drops_a_signal_is_ended_all_the_same(number, code):
  process = subprocess.Popen(
    [sys.executable, '-c', _DEAF],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert process.stdout.readline() == 'begun\n'
  process.send_signal(signal.SIGUSR1)
  assert 'nothing to save yet' in process.stderr.readline()
  process.send_signal(number)
  returned, said = end(process, timeout=20)
  assert returned == code
  assert said == f'inpaintax: ended by {signal.Signals(number).name}.'


@pytest.mark.scenario(6)
def test_a_process_that_waits_for_others_can_be_ended(tmp_path):
  flags = ('--coordinator=localhost:1', '--processes=2', '--process=1')
  process = subprocess.Popen(
    [sys.executable, '-m', 'experiments.context_encoder', *TINY, *flags]
    + [f'--workdir={tmp_path}'],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  said = process.stderr.readline()
  assert 'process 1 of 2: waiting for the others at localhost:1' in said
  process.send_signal(signal.SIGTERM)
  assert end(process, timeout=20)[0] == 143


@pytest.mark.scenario(12)
def test_two_programs_on_one_workdir(tmp_path, run_program):
  process = start('context_encoder', tmp_path)
  other = run_program('context_encoder', *TINY, f'--workdir={tmp_path}')
  process.kill()
  process.communicate()
  assert other.returncode == 2
  last = other.stderr.strip().splitlines()[-1]
  assert last.startswith(
    f'inpaintax: {tmp_path} is in use by pid {process.pid}'
  )


def test_ctrl_c_before_a_program_listens_ends_it_without_a_traceback():
  # As `python -m` has it while the modules of a program are imported.
  # Python's own handler, also where who started the tests has it ignored.
  words = (
    'import os, signal, sys',
    'signal.signal(signal.SIGINT, signal.default_int_handler)',
    'sys.argv = ["-m"]',
    'import experiments',
    'os.kill(os.getpid(), signal.SIGINT)',
  )
  done = subprocess.run(
    [sys.executable, '-c', '; '.join(words)],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == -signal.SIGINT and not done.stderr


def test_compiling_is_not_waited_for_once_a_signal_asks_to_end():
  never: futures.Future = futures.Future()
  requests = interruption.Requests()
  requests.stop = signal.SIGTERM
  with pytest.raises(interruption.Interrupted, match='nothing has changed'):
    compilation.wait(never, requests)
  # What is there is taken, and its failure told.
  done: futures.Future = futures.Future()
  done.set_result('step')
  assert compilation.wait(done, requests) == 'step'
  failed: futures.Future = futures.Future()
  failed.set_exception(MemoryError('all of it'))
  with pytest.raises(MemoryError, match='all of it'):
    compilation.wait(failed, requests)
