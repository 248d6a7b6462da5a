import functools
import io
import json

import numpy as np
import pytest
import rich.console

from inpaintax import logs

make_log = functools.partial(logs.Log, steps=10, batch_size=4)


def lines(folder):
  text = (folder / 'metrics.jsonl').read_text()
  return [json.loads(line) for line in text.splitlines()]


def test_each_write_is_one_line_of_json_at_once(tmp_path):
  with make_log(tmp_path / 'run', step=0) as log:
    log.write(1, {'gen/rec': np.float32(0.5), 'disc/loss': 2})
    assert lines(tmp_path / 'run') == [
      {'step': 1, 'gen/rec': 0.5, 'disc/loss': 2.0}
    ]
    log.write(2, {'gen/rec': 0.25})
  assert lines(tmp_path / 'run')[1:] == [{'step': 2, 'gen/rec': 0.25}]


# tensorboardX says so on its own logger.
def test_what_is_not_finite_is_null_because_json_has_no_word_for_it(tmp_path):
  with make_log(tmp_path, step=0) as log:
    log.write(1, {'a': float('nan'), 'b': float('inf'), 'c': -np.inf, 'd': 1})
  forbid = {'parse_constant': lambda name: pytest.fail(name)}
  line = json.loads((tmp_path / 'metrics.jsonl').read_text(), **forbid)
  assert line == {'step': 1, 'a': None, 'b': None, 'c': None, 'd': 1.0}


def test_a_resumed_run_writes_the_file_of_an_uninterrupted_one(tmp_path):
  def write(log, steps):
    for step in steps:
      log.write(step, {'loss': 1 / step})

  with make_log(tmp_path / 'whole', step=0) as log:
    write(log, range(1, 7))
  with make_log(tmp_path / 'cut', step=0) as log:
    write(log, range(1, 6))  # Killed at 5; the checkpoint is of step 3.
  with make_log(tmp_path / 'cut', step=3) as log:
    write(log, range(4, 7))
  whole, cut = (tmp_path / name / 'metrics.jsonl' for name in ('whole', 'cut'))
  assert whole.read_bytes() == cut.read_bytes()


@pytest.mark.parametrize(
  'torn', ['{"st', '{"step": 3, "lo', '{"step": 2, "loss": 1.0}', '\0\0\0', '']
)
def test_a_torn_last_line_is_dropped(tmp_path, torn):
  whole = '{"step": 1, "loss": 1.0}\n{"step": 2, "loss": 0.5}\n'
  (tmp_path / 'metrics.jsonl').write_text(whole + torn)
  with make_log(tmp_path, step=2) as log:
    log.write(3, {'loss': 0.25})
  assert [line['step'] for line in lines(tmp_path)] == [1, 2, 3]
  assert {path.name.split('.')[0] for path in tmp_path.iterdir()} == {
    'metrics',
    'events',
  }


def test_a_run_that_starts_anew_drops_what_was_never_saved(tmp_path):
  (tmp_path / 'metrics.jsonl').write_text('{"step": 1, "loss": 1.0}\n')
  with make_log(tmp_path, step=0):
    assert lines(tmp_path) == []


def say(log, monkeypatch, *, step, seconds):
  """`log.say` after so many seconds."""
  before = log._mark[1]
  monkeypatch.setattr(logs.time, 'monotonic', lambda: before + seconds)
  log.say(step, {'gen/rec': 0.12345678})


@pytest.mark.parametrize(
  'seconds, clock',
  # Left: eight times as much.
  [(1, '0:00:08'), (337.5, '0:45:00'), (674.9, '1:29:59'), (9000, '20:00:00')],
)
def test_speed_and_the_time_left_go_to_the_terminal(
  tmp_path, capsys, monkeypatch, seconds, clock
):
  with make_log(tmp_path, step=0) as log:
    say(log, monkeypatch, step=2, seconds=2 * seconds)
    said = capsys.readouterr().out
  rate = 1 / seconds
  assert said == (
    f'step 2/10 {rate:.2f} step/s {4 * rate:.0f} images/s left {clock}'
    ' gen/rec 0.1235\n'
  )


def test_a_resumed_runs_speed_is_that_of_its_own_steps(
  tmp_path, capsys, monkeypatch
):
  with make_log(tmp_path, step=6) as log:
    say(log, monkeypatch, step=8, seconds=1)
  assert 'step 8/10 2.00 step/s 8 images/s left 0:00:01' in (
    capsys.readouterr().out
  )


def test_a_terminal_has_a_bar_instead_of_lines(tmp_path, capsys, monkeypatch):
  screen = io.StringIO()
  terminal = rich.console.Console(file=screen, force_terminal=True, width=100)
  monkeypatch.setattr(rich.console, 'Console', lambda: terminal)
  with make_log(tmp_path, step=4) as log:
    assert log._progress.tasks[0].completed == 4
    log.say(6, {'gen/rec': 0.5})
    assert log._progress.tasks[0].completed == 6
  assert log._progress.finished is False and not log._progress.live.is_started
  assert 'gen/rec 0.5' in screen.getvalue()
  assert 'step 6/10' not in capsys.readouterr().out


def test_tensorboard_gets_values_and_pictures(tmp_path):
  with make_log(tmp_path, step=0) as log:
    log.write(1, {'gen/rec': 0.5})
    log.image(1, 'fills', np.zeros((8, 8, 3), np.uint8))
    log.say(1, {})
  (events,) = tmp_path.glob('events.out.tfevents.*')
  data = events.read_bytes()
  for tag in (b'gen/rec', b'fills', b'speed/images_per_second', b'\x89PNG'):
    assert tag in data
