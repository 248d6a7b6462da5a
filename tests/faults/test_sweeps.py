"""A sweep that is killed loses nothing."""

import json
import signal
import time

import pytest
from sweeping import events, start, sweep


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])
def test_after_a_kill_all_go_on_from_what_they_saved(tmp_path, number):
  flags = ('--grid=rate=1,2,3', '--trial_flags=--steps=30 --sleep=0.1')
  process = start(tmp_path, *flags)
  deadline = time.monotonic() + 60
  while time.monotonic() < deadline:
    saved = [*tmp_path.glob('trials/*/saved')]
    if len(saved) == 2 and all(int(x.read_text() or 0) > 4 for x in saved):
      break
    time.sleep(0.05)
  process.send_signal(number)
  process.communicate(timeout=60)
  assert process.returncode == (-9 if number == signal.SIGKILL else 143)
  sweep(tmp_path, *flags)
  for name, one in events(tmp_path).items():
    told = [event['event'] for event in one]
    steps = [event['step'] for event in one]
    if name == 'rate=3':
      assert told == ['begin', 'end']
    else:
      # Nothing was lost, and no step made twice.
      assert told == ['begin', 'stopped', 'begin', 'end']
      assert steps[1] == steps[2] > 4
    lines = (tmp_path / 'trials' / name / 'metrics.jsonl').read_text()
    assert [json.loads(x)['step'] for x in lines.splitlines()] == [
      *range(1, 31)
    ]
