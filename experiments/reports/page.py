"""A page: one file, with all that it shows inside it."""

import base64
import pathlib
from typing import Any

import jinja2

from inpaintax import atomic
from inpaintax.errors import DISK_FULL, InputError

# Plotly draws the curves; its code stands in the page too.
_TEMPLATES = pathlib.Path(__file__).parent / 'templates'


def render(template: str, content: dict[str, Any]) -> str:
  """Fills a template in.

  Args:
    template: name of a file in `templates`.
    content: what it shows; texts are escaped.

  Returns:
    HTML.
  """
  from plotly import offline

  environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  page = environment.get_template(template)
  return page.render(content, plotly=offline.get_plotlyjs())


def write(path: pathlib.Path, text: str) -> None:
  """Writes a page that is never seen half-written.

  Args:
    path: of the page; its folder is made if it is not there.
    text: HTML.

  Raises:
    InputError: it cannot be written, or is no file.
  """
  if path.exists() and not path.is_file():
    raise InputError(f'{path} is no file: give --output a name for the page.')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(path, text)
  except OSError as error:
    if error.errno in DISK_FULL:
      raise
    raise InputError(
      f'{path} cannot be written: {error.strerror}. Give another --output.'
    ) from error


def picture(path: pathlib.Path) -> str:
  """A PNG as a page holds it.

  Args:
    path: of the PNG.

  Returns:
    A `data:` address.
  """
  return 'data:image/png;base64,' + base64.b64encode(path.read_bytes()).decode()


def duration(seconds: float) -> str:
  """A time as people say it.

  Args:
    seconds: how long.

  Returns:
    Such as `2 h 05 min`.
  """
  minutes = round(seconds / 60)
  if seconds < 100:
    return f'{seconds:.0f} s'
  return (
    f'{minutes // 60} h {minutes % 60:02} min'
    if minutes > 99
    else (f'{minutes} min')
  )
