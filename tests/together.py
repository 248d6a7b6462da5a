"""How tests have two processes train together."""

import json
import os
import pathlib
import socket
import subprocess
import sys

TINY_FLAGS = pathlib.Path(__file__).parent / 'experiments'
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
