"""Two processes train together, are told to stop, and go on."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

TINY_FLAGS = pathlib.Path(__file__).parents[1] / 'experiments'
GAN = (
  f'--flagfile={TINY_FLAGS}/context_encoder_tiny.flags',
  '--load_size=40',
  '--adversarial_weight=0.5',
)
SSDA = (
  f'--flagfile={TINY_FLAGS}/ssda_tiny.flags',
  '--pretrain=0',
)
PROGRAMS = {'context_encoder': GAN, 'ssda': SSDA}


def start(name, workdir, *args):
  return subprocess.Popen(
    [sys.executable, '-m', f'experiments.{name}', *PROGRAMS[name]]
    + ['--log_every=2', '--checkpoint_every=1000000', f'--workdir={workdir}']
    + list(args),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    env=os.environ,
  )


def start_two(name, workdir, *args):
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  shared = (f'--coordinator=localhost:{port}', '--processes=2')
  return [
    start(name, workdir, *args, *shared, f'--process={number}')
    for number in (0, 1)
  ]


def wait(processes, code):
  said = []
  for process in processes:
    said.append(process.communicate(timeout=120)[1])
    assert process.returncode == code, said[-1]
  return said


def losses(workdir):
  lines = map(json.loads, (workdir / 'metrics.jsonl').read_text().splitlines())
  return [
    [
      v
      for k, v in sorted(line.items())
      if '/fake' not in k and '/real' not in k
    ]
    for line in lines
  ]


@pytest.mark.parametrize('name', PROGRAMS)
def test_two_processes_train_as_one(name, tmp_path):
  wait(start_two(name, tmp_path / 'two', '--steps=10'), 0)
  wait([start(name, tmp_path / 'one', '--steps=10')], 0)
  np.testing.assert_allclose(
    losses(tmp_path / 'two'), losses(tmp_path / 'one'), rtol=1e-4, atol=1e-5
  )
  for word in ('checkpoints', 'flags.txt', 'metrics.jsonl'):
    assert (tmp_path / 'two' / word).exists()


@pytest.mark.scenario(6)
@pytest.mark.parametrize('told', [0, 1])
def test_told_to_stop_one_stops_both_at_the_same_step(told, tmp_path):
  name = 'context_encoder'
  processes = start_two(name, tmp_path, '--steps=1000000')
  while not processes[0].stdout.readline().startswith('step '):
    assert processes[0].poll() is None, processes[0].communicate()[1]
  time.sleep(1)
  begun = time.monotonic()
  processes[told].send_signal(signal.SIGTERM)
  # The other lines must be read, or the first would wait for us.
  said = [process.communicate(timeout=60)[1] for process in processes]
  assert time.monotonic() - begun < 60
  assert [process.returncode for process in processes] == [143, 143], said
  (step,) = [int(p.name) for p in (tmp_path / 'checkpoints').iterdir()]
  for text in said:
    assert f'saved step {step}; rerun the same' in text
  # And go on: one alone, too.
  more = f'--steps={step + 4}'
  wait(start_two(name, tmp_path, more), 0)
  wait([start(name, tmp_path, f'--steps={step + 6}')], 0)
  written = [
    json.loads(line)['step']
    for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()
  ]
  assert written == sorted(set(written)) and written[-1] == step + 6


@pytest.mark.scenario(6)
def test_processes_of_different_flags_are_refused(tmp_path):
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  shared = (f'--coordinator=localhost:{port}', '--processes=2')
  said = wait(
    [
      start('context_encoder', tmp_path, *shared, '--process=0'),
      start('context_encoder', tmp_path, *shared, '--process=1', '--seed=5'),
    ],
    2,
  )
  for text in said:
    assert 'different flags' in text.strip().splitlines()[-1]
