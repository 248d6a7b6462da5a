"""Style as a test: signatures, docstrings and what an import costs."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import inpaintax

# What ends the section `Args`. The house's order: line, meaning, Args,
# Returns, Raises, Source.
_SECTION = re.compile(r'^(Args|Returns|Yields|Raises|Source|Example)s?:', re.M)


def modules() -> list[str]:
  """Names of all modules of the package."""
  found = pkgutil.walk_packages(inpaintax.__path__, 'inpaintax.')
  return ['inpaintax', *sorted(module.name for module in found)]


def own_names(module) -> Iterator[tuple[str, object]]:
  """What a module defines and does not hide."""
  for name, value in vars(module).items():
    here = getattr(value, '__module__', None) == module.__name__
    if here and not name.startswith('_'):
      yield name, value


def public_functions() -> dict[str, object]:
  """Public functions and public classes' own public methods, by full name."""
  found = {}
  for module_name in modules():
    for name, value in own_names(importlib.import_module(module_name)):
      path = f'{module_name}.{name}'
      if inspect.isclass(value):
        for method, code in vars(value).items():
          # Not a function that merely is the default of an attribute.
          own = getattr(code, '__qualname__', '') == f'{name}.{method}'
          if own and inspect.isfunction(code) and not method.startswith('_'):
            found[f'{path}.{method}'] = code
      elif callable(value):
        function = inspect.unwrap(value)
        if inspect.isfunction(function):
          found[path] = function
  return found


def public_classes() -> dict[str, type]:
  """Public classes by full name."""
  return {
    f'{module_name}.{name}': value
    for module_name in modules()
    for name, value in own_names(importlib.import_module(module_name))
    if inspect.isclass(value)
  }


def section(doc: str, title: str) -> str:
  """The text under `title:`, up to the next section; '' where there is none."""
  start = re.search(rf'^{title}:', doc, re.M)
  if start is None:
    return ''
  rest = doc[start.end() :]
  end = _SECTION.search(rest)
  return rest[: end.start()] if end else rest


def parameters(function) -> list[inspect.Parameter]:
  """Parameters in order, without `self` and `cls`."""
  found = inspect.signature(function).parameters.values()
  return [p for p in found if p.name not in ('self', 'cls')]


def complaints(function) -> list[str]:
  """What the house would say about a public function."""
  doc = inspect.getdoc(function) or ''
  told = section(doc, 'Args')
  out = [] if doc else ['no docstring']
  positional = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
  )
  for place, p in enumerate(parameters(function)):
    if not re.search(rf'^\s+\*{{0,2}}{p.name}\b.*:', told, re.M):
      out.append(f'Args does not tell of {p.name}')
    if p.kind is p.VAR_KEYWORD:
      out.append(f'**{p.name} hides what is accepted')
    if p.kind in positional and p.default is not p.empty:
      out.append(f'the option {p.name} is not keyword-only')
    if p.name in ('key', 'keys') and place:
      out.append(f'{p.name} does not come first')
    if p.name in ('rng', 'rng_key', 'prng'):
      out.append(f'{p.name} should be called key')
  returned = inspect.signature(function).return_annotation
  if returned not in (None, 'None', inspect.Signature.empty):
    if not section(doc, 'Returns') and not section(doc, 'Yields'):
      out.append('no Returns')
  return out


@pytest.mark.parametrize('name', modules())
def test_a_module_says_what_it_is(name):
  assert (importlib.import_module(name).__doc__ or '').strip()


@pytest.mark.parametrize('name', sorted(public_classes()))
def test_a_public_class_has_a_docstring_of_its_own(name):
  doc = public_classes()[name].__doc__ or ''
  # What NamedTuple and dataclass write is a signature, not an explanation.
  assert doc and not doc.startswith(name.rpartition('.')[2] + '(')


@pytest.mark.parametrize('name', sorted(public_functions()))
def test_a_public_function_keeps_the_house_style(name):
  assert not complaints(public_functions()[name])


def good(key: int, image: int, *, size: int = 1) -> int:
  """Does.

  Args:
    key: one.
    image: two.
    size: three.

  Returns:
    The sum.
  """


def bad(image: int, key: int, size: int = 1, **rest) -> int:
  """Does.

  Args:
    image: two.
  """


def test_the_test_of_functions_sees_what_it_should():
  assert not complaints(good)
  assert complaints(bad) == [
    'Args does not tell of key',
    'key does not come first',
    'Args does not tell of size',
    'the option size is not keyword-only',
    'Args does not tell of rest',
    '**rest hides what is accepted',
    'no Returns',
  ]


def run(code: str) -> list[str]:
  """The words that `code` prints in a fresh interpreter."""
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr
  return done.stdout.split()


# A user of the losses, masks, models or steps pays for JAX, Flax and an image
# codec; only what reads data sets or keeps checkpoints may load the libraries
# for that.
MAY_BE_HEAVY = ('data', 'checkpoints', 'restore', 'evaluate', 'loop')
HEAVY = {'tensorflow', 'tensorflow_datasets', 'orbax', 'grain'}


def test_importing_what_is_light_imports_nothing_heavy():
  light = [
    name
    for name in modules()
    if not any(room in name.split('.') for room in MAY_BE_HEAVY)
  ]
  loaded = run(f'import sys, {", ".join(light)}\nprint(*sys.modules)')
  assert not set(loaded) & HEAVY


def test_importing_everything_leaves_tensorflow_alone_and_starts_no_device():
  loaded = run(
    f'import sys, {", ".join(modules())}\n'
    'import jax\n'
    # Refused with a RuntimeError once a backend has started.
    'jax.config.update("jax_num_cpu_devices", 3)\n'
    'assert jax.device_count() == 3\n'
    'print(*sys.modules)'
  )
  assert not set(loaded) & {'tensorflow', 'tensorflow_datasets'}
