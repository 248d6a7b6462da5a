"""The plan of the house holds: one arrow, small files, every room named."""

import ast
import pathlib
import re

import pytest

import experiments
import inpaintax

ROOMS = (
  'errors',
  'atomic',
  'types',
  'images',
  'data',
  'corruptions',
  'models',
  'losses',
  'metrics',
  'patches',
  'steps',
  'checkpoints',
  'restore',
  'baselines',
  'evaluate',
  'logs',
  'loop',
)
FILE_LINES = 300
FUNCTION_LINES = 60
FACTORY_LINES = 80  # A function that builds and returns closures.

LIBRARY = pathlib.Path(inpaintax.__file__).parent
PROGRAMS = pathlib.Path(experiments.__file__).parent
TESTS = pathlib.Path(__file__).parent
PLAN = TESTS.parent / 'docs' / 'architecture.md'

LIBRARY_FILES = sorted(LIBRARY.rglob('*.py'))
PROGRAM_FILES = sorted(PROGRAMS.rglob('*.py'))


def label(path: pathlib.Path) -> str:
  """Names a file in the test's id."""
  return '/'.join(path.parts[-2:])


def room_of(path: pathlib.Path) -> str | None:
  """The room a library file belongs to; None for the package's own file."""
  first = path.relative_to(LIBRARY).with_suffix('').parts[0]
  return None if first == '__init__' else first


def imported(tree: ast.AST) -> set[str]:
  """Full names of all that is imported, wherever the statement stands."""
  names = set()
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      # A relative import would hide the room: '.' makes it no known one.
      base = '.' * node.level + (node.module or '')
      names |= {f'{base}.{alias.name}' for alias in node.names}
  return names


def wrong_imports(source: str, room: str | None) -> list[str]:
  """Imports that run against the arrow, in `source` standing in `room`."""
  wrong = []
  for name in sorted(imported(ast.parse(source))):
    parts = name.split('.')
    if name.startswith('.') or parts[0] == 'experiments':
      wrong.append(name)
    elif parts[0] == 'inpaintax' and room is not None:
      ours = ROOMS.index(room)
      if parts[1:] and ROOMS.index(parts[1]) > ours:
        wrong.append(name)
  return wrong


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
  """Lines from `def` to the last, the docstring not counted."""
  lines = function.end_lineno - function.lineno + 1
  if ast.get_docstring(function) is not None:
    text = function.body[0]
    lines -= text.end_lineno - text.lineno + 1
  return lines


def long_functions(source: str) -> list[str]:
  """Functions over the limit, as `name: lines`."""
  defs = (ast.FunctionDef, ast.AsyncFunctionDef)
  found = []
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, defs):
      inner = any(
        isinstance(child, defs) for child in ast.walk(node) if child is not node
      )
      if code_lines(node) > (FACTORY_LINES if inner else FUNCTION_LINES):
        found.append(f'{node.name}: {code_lines(node)}')
  return found


@pytest.mark.parametrize('path', LIBRARY_FILES, ids=label)
def test_a_module_imports_only_from_its_own_room_or_those_above(path):
  room = room_of(path)
  assert room is None or room in ROOMS, f'{room} has no place in the order'
  assert not wrong_imports(path.read_text(), room)


@pytest.mark.parametrize(
  'source, expected',
  [
    ('import experiments.evaluate', ['experiments.evaluate']),
    ('from inpaintax import steps', ['inpaintax.steps']),
    ('import inpaintax.loop as l', ['inpaintax.loop']),
    ('def f():\n  from inpaintax.steps import gan', ['inpaintax.steps.gan']),
    ('from . import adversarial', ['..adversarial']),
    ('from inpaintax.losses import adversarial', []),
    ('from inpaintax import types\nimport jax', []),
  ],
)
def test_the_test_of_imports_sees_what_it_should(source, expected):
  assert wrong_imports(source, 'losses') == expected


@pytest.mark.parametrize(
  'path',
  LIBRARY_FILES + PROGRAM_FILES + sorted(TESTS.rglob('*.py')),
  ids=label,
)
def test_a_file_is_not_too_long(path):
  lines = len(path.read_text().splitlines())
  assert lines <= FILE_LINES, f'{path}: {lines} lines'


@pytest.mark.parametrize('path', LIBRARY_FILES + PROGRAM_FILES, ids=label)
def test_no_function_is_too_long(path):
  assert not long_functions(path.read_text())


def test_the_test_of_lengths_counts_code_and_allows_factories_more():
  def source(count, first='"""One."""'):
    return f'def f():\n  {first}\n' + '  x = 1\n' * count

  assert not long_functions(source(FUNCTION_LINES - 1))
  assert long_functions(source(FUNCTION_LINES)) == [f'f: {FUNCTION_LINES + 1}']
  factory = source(FACTORY_LINES - 3) + '  def g():\n    return x\n'
  assert not long_functions(factory)
  assert long_functions(factory + '  x = 1\n') == [f'f: {FACTORY_LINES + 1}']


def test_the_plan_names_every_room_that_exists_in_the_order_proved_here():
  exist = [
    room + ('/' if (LIBRARY / room).is_dir() else '.py')
    for room in ROOMS
    if (LIBRARY / room).is_dir() or (LIBRARY / f'{room}.py').is_file()
  ]
  named = re.findall(r'^\| `(\w+(?:\.py|/))` \|', PLAN.read_text(), re.M)
  assert named == [*exist, 'experiments/']
