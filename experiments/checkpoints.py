"""Lists or verifies the checkpoints of a run.

  python -m experiments.checkpoints list --workdir=runs/quickstart
  python -m experiments.checkpoints verify --workdir=runs/quickstart

`verify` reads every file and compares it with what was written; its exit code
is 6 if no checkpoint is good, and 4 if only some are.
"""

import datetime

from absl import flags

from experiments import program

_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Folder of the run.', required=True
)
_COMMANDS = ('list', 'verify')


def main(command):
  """Shows one line for each."""
  from inpaintax.checkpoints import folder as folders
  from inpaintax.checkpoints import manifest
  from inpaintax.errors import CheckpointError, ItemsFailedError

  folder = folders.of(_WORKDIR.value)
  steps = folders.steps(folder)
  faults = {}
  for step in steps:
    place = folder / str(step)
    size = folders.bytes_of(place) / 1e6
    when = datetime.datetime.fromtimestamp(place.stat().st_mtime)
    line = f'{step:>10} {size:10.1f} MB {when:%Y-%m-%d %H:%M:%S}'
    if command == 'verify':
      fault = manifest.fault(place)
      if fault is not None:
        faults[step] = fault
      line += f' {fault or "good"}'
    print(line, flush=True)
  for name in folders.corrupt(folder):
    print(f'{name:>10} set aside: damaged', flush=True)
  if not steps:
    raise CheckpointError(f'no checkpoints in {folder}: check --workdir.')
  if len(faults) == len(steps):
    raise CheckpointError(f'no checkpoint in {folder} is good.')
  if faults:
    raise ItemsFailedError(
      f'{len(faults)} of {len(steps)} checkpoints in {folder} are damaged; a'
      f' run goes on from {max(set(steps) - set(faults))}.'
    )


if __name__ == '__main__':
  program.run(main, commands=_COMMANDS)
