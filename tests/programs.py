"""How tests of faults run programs."""

import os
import pathlib
import subprocess
import sys

TINY = (
  f'--flagfile={pathlib.Path(__file__).parent}'
  '/experiments/context_encoder_tiny.flags',
  '--adversarial_weight=0.5',
  '--log_every=1',
  '--checkpoint_every=1',
)


def run(name, *args, **env):
  return subprocess.run(
    [sys.executable, '-m', f'experiments.{name}', *map(str, args)],
    capture_output=True,
    text=True,
    check=False,
    env=os.environ | env,
  )


def train(workdir, *args, **env):
  return run('context_encoder', *TINY, f'--workdir={workdir}', *args, **env)


def last_line(done, code):
  """The last line on stderr, which is ours."""
  assert done.returncode == code, done.stderr
  assert 'Traceback' not in done.stderr
  line = done.stderr.strip().splitlines()[-1]
  assert line.startswith('inpaintax: ')
  return line


def metrics(workdir):
  return (workdir / 'metrics.jsonl').read_bytes()
