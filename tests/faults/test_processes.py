"""Two processes train together, are told to stop, and go on."""

import json
import signal
import socket
import time

import pytest
from together import start, start_two, wait


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
