"""Stopped anywhere, and gone on with on any number of devices."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

STEPS = 12
# Ten photographs, so an epoch ends within step 3.
TINY_FLAGS = pathlib.Path(__file__).parents[1] / 'experiments'
GAN = (
  f'--flagfile={TINY_FLAGS}/context_encoder_tiny.flags',
  '--load_size=40',
  '--adversarial_weight=0.5',
  '--batch_size=8',
  '--log_every=1',
  f'--steps={STEPS}',
)
SSDA = (
  f'--flagfile={TINY_FLAGS}/ssda_tiny.flags',
  '--updates_per_call=1',
  '--log_every=1',
  f'--steps={STEPS}',
)
PROGRAMS = {'context_encoder': GAN, 'ssda': SSDA}

# Ends as if it had been told to after a step.
_STOPPED = """
import importlib, signal, sys
from experiments import course, program
name, step = sys.argv[1], int(sys.argv[2])
del sys.argv[1:3]
module = importlib.import_module('experiments.' + name)
obeying = course._obeying
def stopped(requests, saver, save):
  obey = obeying(requests, saver, save)
  def hook(now, state, metrics):
    if now == step:
      requests.stop = signal.SIGTERM
    obey(now, state, metrics)
  return hook
course._obeying = stopped
program.run(module.main)
"""


def run(name, workdir, *args, stop=None, devices=1):
  command = ['-m', f'experiments.{name}']
  if stop is not None:
    command = ['-c', _STOPPED, name, str(stop)]
  flag = f'--xla_force_host_platform_device_count={devices}'
  done = subprocess.run(
    [sys.executable, *command, *PROGRAMS[name], '--checkpoint_every=100']
    + [f'--workdir={workdir}', *args],
    capture_output=True,
    text=True,
    check=False,
    env=os.environ | {'XLA_FLAGS': flag},
  )
  assert done.returncode == (0 if stop is None else 143), done.stderr


def arrays(workdir):
  with ocp.StandardCheckpointer() as reader:
    path = workdir.absolute() / 'checkpoints' / str(STEPS) / 'state'
    return jax.tree.leaves(reader.restore(path))


@pytest.fixture(scope='module', params=PROGRAMS)
def whole(request, tmp_path_factory):
  workdir = tmp_path_factory.mktemp(request.param) / 'whole'
  run(request.param, workdir)
  return request.param, workdir


# After the first step, within an epoch, at a stage's or epoch's end, before the
# last.
@pytest.mark.scenario(16)
@pytest.mark.parametrize('stop', [1, 4, 5, STEPS - 1])
def test_stopped_and_gone_on_with_is_never_stopped(whole, tmp_path, stop):
  name, workdir = whole
  run(name, tmp_path, stop=stop)
  run(name, tmp_path)
  for one, other in zip(arrays(tmp_path), arrays(workdir), strict=True):
    np.testing.assert_array_equal(one, other)
  for file in ('metrics.jsonl', 'flags.txt'):
    ours, theirs = (
      (place / file).read_text().replace(str(place), '')
      for place in (tmp_path, workdir)
    )
    assert ours == theirs


def losses(workdir):
  """All of them, line by line: a stage's lines have metrics of their own."""
  lines = map(json.loads, (workdir / 'metrics.jsonl').read_text().splitlines())
  return [
    value
    for line in lines
    for name, value in sorted(line.items())
    if 'fake' not in name
  ]


@pytest.mark.scenario(17)
@pytest.mark.parametrize('before, after', [(8, 1), (8, 2), (8, 4), (1, 8)])
@pytest.mark.parametrize('parallel', ['jit', 'pmap'])
def test_devices_may_be_others_after_a_stop(
  whole, tmp_path, before, after, parallel
):
  name, workdir = whole
  flag = f'--parallel={parallel}'
  run(name, tmp_path, flag, stop=5, devices=before)
  run(name, tmp_path, flag, devices=after)
  np.testing.assert_allclose(
    losses(tmp_path), losses(workdir), rtol=1e-4, atol=1e-5
  )
