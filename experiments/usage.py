"""The command line: what it may say, and what --help answers.

absl parses; its own help names the flags of one module, and ends with 1.
"""

import difflib
import re
import sys
import textwrap
from collections.abc import Callable, Sequence

from absl import flags

# Names of the flags on the command line itself, once it has been parsed: the
# others come from a flag file.
direct: set[str] | None = None

_HELP = re.compile(r'--?(help|helpshort|helpfull|h|\?)$')
_WIDTH = 80
_END = (
  '--flagfile=FILE reads flags from a file, one a line. Exit codes: 0 done; 1'
  ' flags; 2 bad input; 3 diverged; 4 some items failed; 5 out of memory or'
  ' disk; 6 no usable checkpoint.'
)


class UsageError(Exception):
  """The command line makes no sense; the message says why, in one line."""


def parser(commands: Sequence[str]) -> Callable[[Sequence[str]], list[str]]:
  """What absl's `app.run` takes to parse flags.

  Args:
    commands: words of which one must be given; none: no word may be.

  Returns:
    `argv -> words`. It raises UsageError; or SystemExit(0) after it has shown
    the help.
  """

  def parse(argv: Sequence[str]) -> list[str]:
    given = argv[1:]
    if '--' in given:
      given = given[: given.index('--')]
    if any(_HELP.match(word) for word in given):
      print(_help(commands), flush=True)
      sys.exit(0)
    try:
      words = flags.FLAGS(argv)[1:]
    except flags.Error as error:
      raise UsageError(_reason(error)) from error
    _check(words, commands)
    global direct
    direct = {word.lstrip('-').partition('=')[0] for word in given}
    return words

  return parse


def own_flags() -> list[flags.Flag]:
  """The flags of the programs, without those of libraries.

  Returns:
    In the order of their modules.
  """
  return [flag for _, found in sorted(_by_module()) for flag in found]


def _by_module():
  """(module, its flags) of the programs' modules."""
  return [
    (module, found)
    for module, found in flags.FLAGS.flags_by_module_dict().items()
    if module == sys.argv[0] or module.startswith('experiments')
  ]


def _check(words, commands):
  """Refuses words that are no command."""
  if commands:
    if len(words) != 1 or words[0] not in commands:
      raise UsageError(
        f'give one command: {" or ".join(commands)}; got'
        f' {" ".join(words) or "none"}.'
      )
  elif words:
    near = difflib.get_close_matches(
      words[0].split('=')[0].lstrip('-'), list(flags.FLAGS), 1
    )
    meant = f' Did you mean --{near[0]}?' if near else ''
    raise UsageError(f'unexpected: {" ".join(words)}.{meant}')


def _reason(error):
  """What absl found wrong, in one line."""
  text = ' '.join(str(error).split()).removeprefix('ERROR:: ')
  required = re.fullmatch(r'flag --(\w+)=None: Flag --\1 must have .*', text)
  if required:
    text = f'--{required[1]} is required.'
  text = re.sub(r'Did you mean: (\w+) \?', r'Did you mean --\1?', text)
  return text if text[-1] in '.?' else f'{text}.'


def _help(commands):
  """What the program is for, and its flags: its own first."""
  main = sys.modules['__main__']
  parts = [(main.__doc__ or '').strip()]
  if commands:
    parts.append(f'Commands: {", ".join(commands)}')
  for module, found in sorted(_by_module(), key=_rank):
    about = main if module == sys.argv[0] else sys.modules[module]
    title = (about.__doc__ or module).split('\n', 1)[0].rstrip('.')
    if about is main:
      title = 'Flags of this program'
    parts.append('\n'.join([f'{title}:', *map(_line, found)]))
  parts.append(textwrap.fill(_END, _WIDTH))
  return '\n\n'.join(parts)


def _rank(group):
  """The program's own flags first, then those of all trainings."""
  module = group[0]
  order = (sys.argv[0], 'experiments.training')
  return order.index(module) if module in order else len(order), module


def _line(flag):
  """One flag, what it may be, what it is, and what it is for."""
  name = f'--[no]{flag.name}' if flag.boolean else f'--{flag.name}'
  values = getattr(flag.parser, 'enum_values', None)
  if values:
    name = f'{name}={"|".join(values)}'
  # Where there are values to choose from, absl puts them before the help too.
  text = re.sub(r'^<[^>]*>: ', '', flag.help)
  default = flag.default
  if isinstance(default, list):
    default = ','.join(default)
  if default is not None and not flag.boolean:
    text = f'{text} [{default}]'
  filled = textwrap.fill(
    text, _WIDTH, initial_indent='      ', subsequent_indent='      '
  )
  return f'  {name}\n{filled}'
