"""Damage, bad data and too little of everything, to a training program."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from programs import TINY, last_line, train

ALONE = '--adversarial_weight=0'


def run(workdir, *args):
  """Of a generator alone."""
  return train(workdir, ALONE, *args)


def steps(workdir):
  return sorted(path.name for path in (workdir / 'checkpoints').iterdir())


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('faults') / 'run'
  done = run(workdir, '--steps=3')
  assert done.returncode == 0, done.stderr
  return workdir


@pytest.fixture
def workdir(trained, tmp_path):
  shutil.copytree(trained, tmp_path / 'run')
  return tmp_path / 'run'


def flip(workdir, step):
  files = (workdir / 'checkpoints' / step / 'state').rglob('*')
  path = max(files, key=lambda path: path.stat().st_size * path.is_file())
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 16
  path.write_bytes(data)


@pytest.mark.scenario(8)
def test_a_run_steps_back_from_a_damaged_checkpoint(workdir, trained):
  flip(workdir, '3')
  done = run(workdir, '--steps=3')
  assert done.returncode == 0
  assert 'checkpoint 3 in' in done.stderr and '3.corrupt' in done.stderr
  assert steps(workdir) == ['1', '2', '3', '3.corrupt']
  assert (workdir / 'metrics.jsonl').read_text() == (
    trained / 'metrics.jsonl'
  ).read_text()


@pytest.mark.scenario(9)
def test_without_a_good_one_it_begins_anew_only_if_told(workdir):
  for step in '123':
    flip(workdir, step)
  before = (workdir / 'metrics.jsonl').read_text()
  said = last_line(run(workdir, '--steps=5'), 6)
  for part in ('3: state/', '2: state/', '1: state/', '--restart'):
    assert part in said
  assert (workdir / 'metrics.jsonl').read_text() == before
  done = run(workdir, '--steps=1', '--restart')
  assert done.returncode == 0, done.stderr
  assert steps(workdir) == ['1']
  assert '--restart' not in (workdir / 'flags.txt').read_text()
  kept = workdir / 'checkpoints.before_restart'
  assert sorted(path.name for path in kept.iterdir()) == ['1', '2', '3']
  assert (workdir / 'metrics.jsonl.before_restart').read_text() == before


def test_a_restart_that_is_refused_moves_nothing(workdir):
  args = ('--steps=5', '--restart', '--init_from=/no/such/run')
  assert '/no/such/run' in last_line(run(workdir, *args), 6)
  assert steps(workdir) == ['1', '2', '3']
  # Its own generator may be what it begins anew from.
  args = ('--steps=1', '--restart', f'--init_from={workdir}')
  done = run(workdir, *args)
  assert done.returncode == 0, done.stderr
  assert steps(workdir) == ['1']


def test_what_fails_in_a_run_does_not_cost_what_was_trained(
  photographs, tmp_path
):
  flags = (
    f'--val_data=folder:{photographs}[:20]',
    '--checkpoint_every=100',
    '--steps=6',
  )
  done = run(tmp_path / 'run', *flags, '--image_every=4', '--strict_data')
  assert '007.jpg' in last_line(done, 2)
  assert 'saved step 4 before what follows' in done.stderr
  assert steps(tmp_path / 'run') == ['4']
  for place in ('run', 'whole'):
    done = run(tmp_path / place, *flags[1:])
    assert done.returncode == 0, done.stderr
  ours, theirs = (
    (tmp_path / place / 'metrics.jsonl').read_bytes()
    for place in ('run', 'whole')
  )
  assert ours == theirs


def test_a_line_that_is_none_of_metrics_is_named_and_kept(workdir):
  path = workdir / 'metrics.jsonl'
  lines = path.read_text().splitlines(keepends=True)
  path.write_text(''.join([lines[0], 'garbage\n', *lines[2:]]))
  before = path.read_bytes()
  said = last_line(run(workdir, '--steps=5'), 2)
  assert 'metrics.jsonl, line 2' in said
  assert path.read_bytes() == before


@pytest.mark.scenario(10)
def test_a_finished_run_is_left_alone(workdir):
  look = lambda: {
    path: (path.stat().st_mtime_ns, path.stat().st_size)
    for path in workdir.rglob('*')
    if path.is_file()
  }
  before = look()
  done = run(workdir, '--steps=3')
  assert done.returncode == 0 and 'already at step 3 of 3' in done.stdout
  assert look() == before


@pytest.mark.scenario(21)
def test_a_run_that_diverges_says_so_and_keeps_what_is_good(tmp_path):
  said = last_line(run(tmp_path, '--steps=99', '--gen_lr=1e30'), 3)
  assert 'gen/rec is nan at step' in said or 'is not finite' in said
  assert 'last good checkpoint' in said or 'not saved' in said
  for step in steps(tmp_path):
    assert int(step) < 30


@pytest.mark.scenario(23)
def test_more_memory_than_there_is_is_noticed_before_the_first_step(tmp_path):
  said = last_line(run(tmp_path, '--steps=1', '--batch_size=50000000'), 5)
  assert '--batch_size=50000000 needs about' in said
  assert 'GB: try --batch_size=' in said and '--accumulate=' in said
  assert not (tmp_path / 'metrics.jsonl').exists()


@pytest.mark.scenario(13)
def test_a_full_disk_is_told_and_what_was_saved_stays(tmp_path):
  # A shell sets the limit: forking this process would not be safe.
  done = subprocess.run(
    ['bash', '-c', 'ulimit -f 20; exec "$@"', 'bash']
    + [sys.executable, '-m', 'experiments.context_encoder', *TINY, ALONE]
    + [f'--workdir={tmp_path}', '--steps=5'],
    capture_output=True,
    text=True,
    check=False,
    # A cache that cannot be written warns.
    env=os.environ | {'PYTHONWARNINGS': 'ignore'},
  )
  said = last_line(done, 5)
  assert 'not saved: no space' in said and 'MB are free' in said
  assert steps(tmp_path) == []


@pytest.mark.scenario(14)
@pytest.mark.parametrize('place', ['/dev/null', '/proc/run'])
def test_a_workdir_that_cannot_be_is_refused(place):
  assert place in last_line(run(place, '--steps=1'), 2)


@pytest.fixture(scope='module')
def photographs(tmp_path_factory):
  """300 images, of which three are bad, and a folder with an image's name."""
  folder = tmp_path_factory.mktemp('photographs')
  generator = np.random.default_rng(0)
  for number in range(300):
    image = generator.integers(0, 255, (20, 24, 3), np.uint8)
    cv2.imwrite(str(folder / f'{number:03}.jpg'), image)
  whole = (folder / '000.jpg').read_bytes()
  (folder / '007.jpg').write_bytes(whole[: len(whole) // 2])
  (folder / '100.jpg').write_bytes(b'')
  (folder / '299.jpg').write_text('no image at all')
  (folder / 'folder.jpg').mkdir()
  return folder


BAD = ('007.jpg', '100.jpg', '299.jpg')


@pytest.mark.scenario(25)
def test_bad_images_are_skipped_counted_and_named(photographs, tmp_path):
  data = f'--data=folder:{photographs}'
  done = run(tmp_path, data, '--steps=100', '--checkpoint_every=100')
  assert done.returncode == 0, done.stderr
  listed = (tmp_path / 'bad_files.txt').read_text().splitlines()
  assert sorted(line.split('\t')[0] for line in listed) == list(BAD)
  assert all(line.split('\t')[1] for line in listed)
  # Again, to go on: they are not listed twice.
  done = run(tmp_path, data, '--steps=200', '--checkpoint_every=200')
  assert (tmp_path / 'bad_files.txt').read_text().splitlines() == listed


@pytest.mark.scenario(25)
def test_too_many_bad_images_end_the_run(photographs, tmp_path):
  data = f'--data=folder:{photographs}[:110]'
  said = last_line(run(tmp_path, data, '--steps=100'), 2)
  assert '2 of 110 images are bad' in said and 'bad_files.txt' in said


@pytest.mark.scenario(25)
def test_strict_data_ends_at_the_first(photographs, tmp_path):
  data = f'--data=folder:{photographs}[:20]'
  said = last_line(run(tmp_path, data, '--steps=99', '--strict_data'), 2)
  assert '007.jpg' in said


@pytest.mark.scenario(25)
def test_check_data_names_all(photographs, run_program):
  done = run_program('check_data', f'--data=folder:{photographs}')
  assert '3 of 300 images' in last_line(done, 4)
  for name in BAD:
    assert name in done.stdout
  assert '297 of 300 images can be read' in done.stdout


def test_checkpoints_are_listed_and_verified(workdir, run_program):
  look = lambda command: run_program(
    'checkpoints', command, f'--workdir={workdir}'
  )
  done = look('list')
  assert done.returncode == 0
  assert [line.split()[0] for line in done.stdout.splitlines()] == list('123')
  done = look('verify')
  assert done.returncode == 0 and done.stdout.count('good') == 3
  flip(workdir, '3')
  done = look('verify')
  assert '1 of 3 checkpoints' in last_line(done, 4)
  assert done.stdout.count('good') == 2 and 'differs' in done.stdout
  flip(workdir, '1')
  flip(workdir, '2')
  last_line(look('verify'), 6)
  assert look('burn').returncode == look('').returncode == 1


def test_metrics_count_what_was_skipped(trained):
  lines = map(json.loads, (trained / 'metrics.jsonl').read_text().splitlines())
  assert [line['gen/skipped'] for line in lines] == [0, 0, 0]
  assert pathlib.Path(trained / 'flags.txt').exists()
