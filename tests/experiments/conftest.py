"""Programs as a user runs them, and a model for them that is soon there."""

import json
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import optax
import pytest

from inpaintax import checkpoints, models
from inpaintax.steps import supervised

# 16-pixel images, 6x6 erased in the centre, 8x8 predicted.
TINY = {
  'generator': {
    'name': 'context_generator',
    'options': {
      'encoder_widths': [4, 4],
      'decoder_widths': [4, 4],
      'bottleneck_width': 8,
    },
  },
  'discriminator': None,
  'image_size': 16,
  'block': 8,
  'mask': 'center',
  'hole': 6,
  'fill': [-0.1, 0.0, 0.1],
}

# One interpreter for many refusals: starting one takes seconds.
_REFUSALS = """
import importlib, json, sys
from absl import flags
from absl.testing import flagsaver
module = importlib.import_module('experiments.' + sys.argv[1])
out = []
for line in json.load(sys.stdin):
  with flagsaver.flagsaver():
    try:
      flags.FLAGS(['program', *line])
      module.main()
      out.append(['done', ''])
    except Exception as error:
      out.append([type(error).__name__, str(error)])
print(json.dumps(out))
"""


@pytest.fixture(scope='session')
def tiny_workdir(tmp_path_factory):
  """A workdir whose model has never been trained."""
  workdir = tmp_path_factory.mktemp('tiny') / 'untrained'
  state = supervised.init_supervised(
    jax.random.key(0),
    models.build(TINY['generator']),
    optax.sgd(0.1),
    image=jax.ShapeDtypeStruct((2, 16, 16, 3), jnp.float32),
  )
  with checkpoints.Checkpoints(str(workdir)) as saver:
    saver.save(3, state, record=TINY, position={})
  return workdir


@pytest.fixture(scope='session')
def run_program():
  """`(name, *flags) -> what came of it`."""

  def run(name, *arguments):
    return subprocess.run(
      [sys.executable, '-m', f'experiments.{name}', *map(str, arguments)],
      capture_output=True,
      text=True,
      check=False,
      env=os.environ,
    )

  return run


@pytest.fixture(scope='session')
def refusals_of():
  """`(name, lists of flags) -> [class of the error, its message] of each`."""

  def run(name, lines):
    done = subprocess.run(
      [sys.executable, '-c', _REFUSALS, name],
      input=json.dumps([list(map(str, line)) for line in lines]),
      capture_output=True,
      text=True,
      check=False,
      env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])

  return run


@pytest.fixture(scope='session')
def ssda_run(tmp_path_factory):
  """A denoiser after 20 updates: 4, 4 and 12 of its three stages."""
  workdir = tmp_path_factory.mktemp('ssda') / 'denoiser'
  flags = pathlib.Path(__file__).with_name('ssda_tiny.flags')
  subprocess.run(
    [
      sys.executable,
      '-m',
      'experiments.ssda',
      f'--flagfile={flags}',
      '--steps=20',
      '--val_data=photos:val',
      '--val_images=1',
      f'--workdir={workdir}',
    ],
    check=True,
    capture_output=True,
  )
  return workdir
