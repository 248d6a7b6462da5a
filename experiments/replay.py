"""flags.txt: the flags of a run, as a file that replays it."""

import itertools
import pathlib

from experiments import program, training, usage

# To begin anew once is enough.
_ONCE = 'restart'


def text() -> str:
  """All flags of the programs that have a meaning, one a line.

  Returns:
    The content of a flag file.
  """
  left_out = {_ONCE, *program.meaningless}
  given = [
    flag
    for flag in usage.own_flags()
    if flag.value is not None and flag.name not in left_out
  ]
  lines = [flag.serialize() for flag in given]
  return '\n'.join(line for line in lines if line) + '\n'


def write(step: int) -> None:
  """Writes flags.txt; what it said up to now stays, under another name.

  Args:
    step: updates done.
  """
  path = pathlib.Path(training.WORKDIR.value) / 'flags.txt'
  new = text()
  old = path.read_text(errors='replace') if path.exists() else new
  if step and training.INIT_FROM.value is None:
    # What the run began with, also where it need not be given again.
    began = [x for x in old.splitlines() if x.startswith('--init_from=')]
    new += ''.join(f'{line}\n' for line in began)
  then, now = set(old.splitlines()), set(new.splitlines())
  changed = sorted(now - then)
  if then != now:
    kept = _free(path.with_name(f'flags_until_{step}.txt'))
    path.rename(kept)
    begins = f'Going on from step {step}' if step else 'Beginning anew'
    print(
      f'{begins} with other flags than before, which are now in {kept.name}:'
      f' {" ".join(changed)}',
      flush=True,
    )
  path.write_text(new)


def _free(path: pathlib.Path) -> pathlib.Path:
  """The path, or one like it that does not exist."""
  others = (
    path.with_name(f'{path.stem}.{number}{path.suffix}')
    for number in itertools.count(2)
  )
  return next(x for x in itertools.chain([path], others) if not x.exists())
