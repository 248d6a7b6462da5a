"""What a program makes of command lines, without running it.

A process of its own, as the flags of two programs cannot be in one.
"""

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from inpaintax.errors import InputError


def resolve(
  program: str, command_lines: Sequence[Sequence[str]]
) -> list[dict[str, Any]]:
  """What a program makes of each command line.

  Args:
    program: a module with a main program, such as `experiments.ssda`.
    command_lines: flags, `--name=value`.

  Returns:
    For each `{'error': text}`, or `{'flags': …, 'changed': …}`: all flags that
    have a value, and those that differ from their default, texts by name.

  Raises:
    InputError: there is no such program.
  """
  done = subprocess.run(
    [sys.executable, '-m', __name__, program],
    input=json.dumps(command_lines),
    capture_output=True,
    text=True,
    check=False,
  )
  if done.returncode:
    lines = done.stderr.strip().splitlines() or ['it ends without a word']
    raise InputError(f'--program={program} cannot be used: {lines[-1]}')
  return json.loads(done.stdout)


def _one(parse, command_line):
  """A command line's flags, or what is wrong with it."""
  from absl.testing import flagsaver

  from experiments import program, usage

  with flagsaver.flagsaver():
    try:
      parse(['', *command_line])
      program.refuse_values()
    except (usage.UsageError, InputError) as error:
      return {'error': str(error)}
    known = [flag for flag in usage.own_flags() if flag.value is not None]
    text = {flag.name: _text(flag) for flag in known}
    changed = {
      flag.name: text[flag.name] for flag in known if flag.value != flag.default
    }
  return {'flags': text, 'changed': changed}


def _text(flag):
  """A flag's value as the command line has it."""
  if flag.boolean:
    return str(flag.value).lower()
  return flag.serialize().partition('=')[2]


def main() -> None:
  """Reads command lines from the standard input, as JSON; answers likewise."""
  from experiments import usage

  sys.argv = sys.argv[1:]  # As if that program ran: its flags are its own.
  try:
    importlib.import_module(sys.argv[0])
  except Exception as error:  # Whatever that module does.
    sys.exit(f'{type(error).__name__}: {error}.')
  parse = usage.parser(())
  print(json.dumps([_one(parse, line) for line in json.load(sys.stdin)]))


if __name__ == '__main__':
  main()
