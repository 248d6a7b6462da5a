"""What a sweep consists of: combinations of flags, each with a folder.

Plain Python, without JAX and Ray: reports and workers read it too.
"""

import hashlib
import itertools
import math
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from inpaintax.errors import InputError

# Of a folder's name; longer ones end in a digest.
_LONGEST = 120
_RANGES = ('lin', 'log', 'int')


class Range(NamedTuple):
  """Where a searched flag's values come from.

  Attributes:
    kind: `lin`, `log` or `int`: even, even in the logarithm, whole numbers; or
      `choice`.
    values: the two ends, both included; of `choice`, all texts.
  """

  kind: str
  values: tuple[float | str, ...]


class Sweep(NamedTuple):
  """What is compared. Plain JSON, but for the ranges.

  Attributes:
    program: module of the program.
    flags: of every trial.
    grid: values by flag; empty with a search.
    search: ranges by flag; empty with a grid.
    seeds: that each combination is trained with; none: the program's own.
    metric: what decides, in metrics.jsonl.
    mode: `max` or `min`: which is better.
  """

  program: str
  flags: list[str]
  grid: dict[str, list[str]]
  search: dict[str, Range]
  seeds: list[int]
  metric: str
  mode: str


def parse_grid(specs: Sequence[str]) -> dict[str, list[str]]:
  """What each flag of a grid is to be.

  Args:
    specs: `NAME=VALUE,VALUE…`; divided by `;` if values have commas themselves.

  Returns:
    The texts by the flag's name.

  Raises:
    InputError: a text says something else, or a thing twice.
  """
  grid: dict[str, list[str]] = {}
  for spec in specs:
    name, text = _split('grid', spec, 'adversarial_weight=0,1e-3')
    values = _values(text)
    _check_values(f'--grid={spec}', values)
    _check_new(f'--grid={spec}', name, grid)
    grid[name] = values
  return grid


def _values(text):
  return [x.strip() for x in text.split(';' if ';' in text else ',')]


def parse_search(specs: Sequence[str]) -> dict[str, Range]:
  """Where each searched flag's values come from.

  Args:
    specs: `NAME=log:LOW:HIGH`, likewise `lin` and `int`, or
      `NAME=choice:VALUE,VALUE…`.

  Returns:
    The ranges by the flag's name.

  Raises:
    InputError: a text says something else, or a thing twice.
  """
  found: dict[str, Range] = {}
  for spec in specs:
    name, text = _split('search', spec, 'disc_lr=log:1e-5:1e-3')
    _check_new(f'--search={spec}', name, found)
    kind, _, rest = text.partition(':')
    if kind == 'choice':
      texts = _values(rest)
      _check_values(f'--search={spec}', texts)
      found[name] = Range(kind, tuple(texts))
    else:
      found[name] = _range(spec, kind, rest)
  return found


def _range(spec, kind, text):
  """Of numbers."""
  wrong = InputError(
    f'--search={spec}: use NAME=lin:LOW:HIGH, or log, or int for whole numbers,'
    ' with LOW below HIGH (above 0 for log), or NAME=choice:VALUE,VALUE.'
  )
  parse = int if kind == 'int' else float
  try:
    low, high = (parse(x) for x in text.split(':'))
  except ValueError:
    raise wrong from None
  proper = math.isfinite(low) and math.isfinite(high) and low < high
  if kind not in _RANGES or not proper or (kind == 'log' and low <= 0):
    raise wrong
  return Range(kind, (low, high))


def parse_seeds(values: Sequence[str]) -> list[int]:
  """The seeds that each combination is trained with.

  Args:
    values: whole numbers.

  Returns:
    They.

  Raises:
    InputError: one is none, or there twice.
  """
  text = ','.join(values)
  if not all(value.strip().isdecimal() for value in values):
    raise InputError(f'--seeds={text}: give whole numbers, such as 0,1,2.')
  seeds = [int(value) for value in values]
  _check_values(f'--seeds={text}', [str(seed) for seed in seeds])
  return seeds


def combinations(
  grid: dict[str, list[str]], seeds: Iterable[int]
) -> list[dict[str, str]]:
  """Every trial of a grid.

  Args:
    grid: of `parse_grid`.
    seeds: of `parse_seeds`; none: the program's own.

  Returns:
    The flags of each, the seed last: all with the first seed come first, so
    that a sweep that is stopped early has seen every combination.
  """
  every = [
    dict(zip(grid, values, strict=True))
    for values in itertools.product(*grid.values())
  ]
  tails = [{'seed': str(seed)} for seed in seeds] or [{}]
  return [one | tail for tail in tails for one in every]


def within(assignment: dict[str, str], sweep: Sweep) -> bool:
  """Whether a search could have chosen a trial.

  Args:
    assignment: of the trial, texts by name.
    sweep: with a search.

  Returns:
    Whether it has just its flags, each within its range, and its seed.
  """
  own = settings(assignment)
  seed = str(sweep.seeds[0]) if sweep.seeds else None
  if own.keys() != sweep.search.keys() or assignment.get('seed') != seed:
    return False
  for name, (kind, values) in sweep.search.items():
    if kind == 'choice':
      good = own[name] in values
    else:
      low, high = (float(value) for value in values)
      try:
        number = int(own[name]) if kind == 'int' else float(own[name])
      except ValueError:
        return False
      good = low <= number <= high
    if not good:
      return False
  return True


def trial_name(assignment: dict[str, str]) -> str:
  """The name of a trial's folder: the same for the same flags.

  Args:
    assignment: values of flags, as texts.

  Returns:
    `name=value,name=value` by their names, the seed last, of letters that every
    file system knows.
  """
  pairs = sorted(assignment.items(), key=lambda pair: (pair[0] == 'seed', pair))
  text = ','.join(f'{name}={value}' for name, value in pairs)
  name = re.sub(r'[^\w=,.+-]+', '_', text, flags=re.ASCII) or 'only'
  if (name == text and len(name) <= _LONGEST) or not text:
    return name
  # What was changed or cut off must not make two trials one.
  digest = hashlib.sha256(text.encode()).hexdigest()[:8]
  return f'{name[:_LONGEST]}-{digest}'


def settings(assignment: dict[str, str]) -> dict[str, str]:
  """A trial's flags but for its seed: what trials of several seeds share.

  Args:
    assignment: values of flags, as texts.

  Returns:
    The others.
  """
  return {name: v for name, v in assignment.items() if name != 'seed'}


def _split(flag, spec, example):
  name, equals, text = spec.partition('=')
  if not equals or not text or not re.fullmatch(r'\w+', name):
    raise InputError(f'--{flag}={spec}: use NAME=…, as in --{flag}={example}.')
  return name, text


def _check_values(where, values):
  if not all(values) or len(set(values)) < len(values):
    raise InputError(f'{where}: give each value once, and none empty.')


def _check_new(where, name, known):
  if name in known:
    raise InputError(f'{where}: {name} is there twice.')
  if name in ('workdir', 'restart', 'flagfile'):
    raise InputError(f'{where}: --{name} cannot differ between trials.')


def words(
  flags: Sequence[str], assignment: dict[str, str], workdir: object
) -> list[str]:
  """The command line of a trial, without its program.

  Args:
    flags: of every trial.
    assignment: its own, values by name.
    workdir: of the trial.

  Returns:
    `--name=value` of each; what comes later counts.
  """
  own = [f'--{name}={value}' for name, value in assignment.items()]
  return [*flags, *own, f'--workdir={workdir}']


def to_trials(words: Sequence[str]) -> list[str]:
  """Has --flagfile be of the trials: absl would read it as this program's.

  Args:
    words: a command line without the program.

  Returns:
    The same, `--flagfile=X` as `--trial_flags=--flagfile=X`.
  """
  found: list[str] = []
  rest = iter(words)
  for word in rest:
    name, equals, value = word.partition('=')
    if name in ('--flagfile', '-flagfile'):
      value = value if equals else next(rest, '')
      if not value:  # absl says what is missing.
        return [*found, word]
      found.append(f'--trial_flags={shlex.quote(f"--flagfile={value}")}')
    else:
      found.append(word)
  return found
