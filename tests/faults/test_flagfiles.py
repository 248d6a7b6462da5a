"""Every flag file that we ship runs, and what it wrote replays it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

import experiments

FILES = sorted(
  (pathlib.Path(experiments.__file__).parent / 'flags').glob('*.flags')
)
SHORT = {
  'context_encoder': ('--steps=2', '--batch_size=2', '--val_images=2'),
  'completion': ('--steps=2', '--batch_size=2', '--val_images=2'),
  'ssda': (
    '--steps=20',
    '--batch_size=8',
    '--updates_per_call=1',
    '--val_images=1',
  ),
}


def run(program, *args):
  return subprocess.run(
    [sys.executable, '-m', f'experiments.{program}', *args],
    capture_output=True,
    text=True,
    check=False,
    env=os.environ,
  )


def _program(path):
  if path.stem.startswith('ssda'):
    return 'ssda'
  models = ('glcic', 'completion', 'two_stage')
  return 'completion' if path.stem.startswith(models) else 'context_encoder'


@pytest.mark.scenario(41)
@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_a_flag_file_runs_and_is_replayed(path, tmp_path):
  program = _program(path)
  short = SHORT[program]
  if '--gen_only' in path.read_text():
    short += ('--gen_only=0', '--disc_only=0')
  if '--patches' in path.read_text():
    short += ('--patches=64',)
  done = run(
    program,
    f'--flagfile={path}',
    *short,
    '--data=photos:train[:2]',
    '--log_every=1',
    '--checkpoint_every=20',
    '--image_every=20',
    f'--workdir={tmp_path / "first"}',
  )
  assert done.returncode == 0, done.stderr
  first = tmp_path / 'first'
  lines = (first / 'metrics.jsonl').read_text().splitlines()
  assert json.loads(lines[-1])['step'] == (20 if program == 'ssda' else 2)
  again = run(
    program,
    f'--flagfile={first / "flags.txt"}',
    f'--workdir={tmp_path / "again"}',
  )
  assert again.returncode == 0, again.stderr
  assert (first / 'metrics.jsonl').read_bytes() == (
    tmp_path / 'again' / 'metrics.jsonl'
  ).read_bytes()
