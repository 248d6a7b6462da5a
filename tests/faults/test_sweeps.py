"""A sweep that is killed, added to, or ends early loses nothing."""

import json
import os
import signal
import time

import pytest
from sweeping import events, start, sweep, trials


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


def test_more_values_add_trials(tmp_path):
  sweep(tmp_path, '--grid=rate=1,2')
  before = events(tmp_path)
  sweep(tmp_path, '--grid=rate=1,2,3', '--cpus_per_trial=2')
  after = events(tmp_path)
  assert len(after) == 3 and all(after[name] == before[name] for name in before)
  # It has the cores that it was promised, and each of the others had one.
  assert len(after['rate=3'][0]['cores']) == min(
    2, len(os.sched_getaffinity(0))
  )
  assert {len(x[0]['cores']) for x in before.values()} == {1}


def test_a_search_is_gone_on_with(tmp_path):
  flags = ('--search=rate=lin:0:2', '--trial_flags=--steps=1')
  sweep(tmp_path, *flags, '--trials=4')
  before = events(tmp_path)
  assert len(before) == 4
  sweep(tmp_path, *flags, '--trials=6')
  after = events(tmp_path)
  assert len(after) == 6 and all(after[name] == before[name] for name in before)
  rates = [float(trial.flags['rate']) for trial in trials(tmp_path)]
  assert all(0 <= rate <= 2 for rate in rates)


def test_what_is_behind_ends_early_and_may_go_on_later(tmp_path):
  flags = ('--grid=rate=9,8,1,2', '--trial_flags=--steps=27 --sleep=0.05')
  sweep(tmp_path, *flags, '--stop_early')
  found = {trial.name: trial for trial in trials(tmp_path)}
  assert found['rate=9'].status == 'finished'
  behind = [x for x in found.values() if x.status == 'behind']
  assert len(behind) >= 2 and all(3 <= x.step < 27 for x in behind)
  before = events(tmp_path)
  assert 'All 4 trials' in sweep(tmp_path, *flags, '--stop_early')
  assert events(tmp_path) == before
  sweep(tmp_path, *flags)
  assert {trial.status for trial in trials(tmp_path)} == {'finished'}
  for trial in behind:
    told = events(tmp_path)[trial.name]
    assert [x['event'] for x in told] == ['begin', 'stopped', 'begin', 'end']
    assert told[2]['step'] == told[1]['step']
