"""How tests run sweeps: of a program that takes no time to start."""

import json
import os
import pathlib
import subprocess
import sys

from experiments.sweeps import record

HERE = pathlib.Path(__file__).parent / 'experiments'


def start(workdir, *flags):
  """A sweep of the pretended program, running."""
  return subprocess.Popen(
    [
      sys.executable,
      '-m',
      'experiments.sweep',
      '--program=pretended',
      '--metric=score',
      f'--workdir={workdir}',
      '--cpus=2',
      *flags,
    ],
    env=os.environ | {'PYTHONPATH': str(HERE)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def sweep(workdir, *flags, code=0):
  """A sweep, from its start to its end: what it said."""
  process = start(workdir, *flags)
  out, said = process.communicate(timeout=180)
  assert process.returncode == code, out + said
  return out + said


def events(workdir):
  """What each trial did, by its name."""
  return {
    folder.name: [
      json.loads(line)
      for line in (folder / 'events.jsonl').read_text().splitlines()
    ]
    for folder in (workdir / 'trials').iterdir()
  }


def trials(workdir):
  return record.trials(workdir, record.load(workdir))
