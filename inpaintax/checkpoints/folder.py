"""What lies in a run's `checkpoints` folder.

`12` is a step, complete: it is renamed to that when its last file is written.
`.12.part…` is one that is being written, or was when the program died.
`12.corrupt` is one that was found damaged and set aside.
"""

import os
import pathlib
import shutil

from inpaintax.checkpoints import manifest
from inpaintax.errors import CheckpointError

_NAME = 'checkpoints'


def of(workdir: str | os.PathLike[str]) -> pathlib.Path:
  """The folder of a run.

  Args:
    workdir: of the run.

  Returns:
    Its absolute path; it need not be there.
  """
  return pathlib.Path(workdir).absolute() / _NAME


def steps(folder: pathlib.Path) -> list[int]:
  """The steps in a folder, verified or not.

  Args:
    folder: of a run; it need not be there.

  Returns:
    Updates done, in rising order.
  """
  if not folder.is_dir():
    return []
  names = (path.name for path in folder.iterdir() if path.is_dir())
  return sorted(int(n) for n in names if n.isdecimal() and n == str(int(n)))


def part(folder: pathlib.Path, step: int) -> pathlib.Path:
  """Where a step is written.

  Args:
    folder: of a run.
    step: updates done.

  Returns:
    A path that is no step's.
  """
  return folder / f'.{step}.part'


def remove_parts(folder: pathlib.Path) -> None:
  """Removes what writers that died have left.

  Args:
    folder: of a run.
  """
  for path in folder.glob('.*.part*'):
    shutil.rmtree(path, ignore_errors=True)


def set_aside(path: pathlib.Path, ending: str) -> pathlib.Path:
  """Renames something that must not be used, and keeps it.

  Args:
    path: what.
    ending: added to its name, with a number if that is taken.

  Returns:
    Its new path.
  """
  kept, number = path.with_name(f'{path.name}.{ending}'), 1
  while kept.exists():
    number += 1
    kept = path.with_name(f'{path.name}.{ending}{number}')
  path.rename(kept)
  return kept


def bytes_of(path: pathlib.Path) -> int:
  """The size of all files below a folder.

  Args:
    path: the folder.

  Returns:
    Bytes.
  """
  return sum(p.stat().st_size for p in path.rglob('*') if p.is_file())


def newest_sound(
  folder: pathlib.Path,
) -> tuple[int | None, dict[int, str]]:
  """Looks for the newest step whose every file is as it was written.

  Args:
    folder: of a run.

  Returns:
    (the step or None, what is wrong with each newer one).
  """
  faults: dict[int, str] = {}
  for step in reversed(steps(folder)):
    fault = manifest.fault(folder / str(step))
    if fault is None:
      return step, faults
    faults[step] = fault
  return None, faults


def corrupt(folder: pathlib.Path) -> list[str]:
  """What was set aside as damaged.

  Args:
    folder: of a run.

  Returns:
    Names, sorted.
  """
  return sorted(path.name for path in folder.glob('*.corrupt*'))


def refuse_damage(folder: pathlib.Path, faults: dict[int, str]) -> None:
  """Where no step is sound: there must be none at all, then.

  Args:
    folder: of a run.
    faults: of each step.

  Raises:
    CheckpointError: there are steps, damaged or set aside.
  """
  kept = corrupt(folder)
  if not faults and not kept:
    return
  table = [f'{step}: {faults[step]}' for step in sorted(faults, reverse=True)]
  table += [f'{name}: set aside before' for name in kept]
  raise CheckpointError(
    f'no usable checkpoint in {folder}: {"; ".join(table)}. Restore the folder'
    ' from a copy; to begin training anew beside it, give --restart.'
  )
