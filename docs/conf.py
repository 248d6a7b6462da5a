"""Sphinx: MyST pages, furo's theme, the API from the docstrings. Offline."""

import inspect
import re

project = 'inpaintax'
author = 'the inpaintax authors'
project_copyright = 'the inpaintax authors'

extensions = [
  'myst_parser',
  'sphinx.ext.autodoc',
  'sphinx.ext.autosummary',
  'sphinx.ext.napoleon',
]
exclude_patterns = ['_build', '_templates']
templates_path = ['_templates']

html_theme = 'furo'
html_title = 'inpaintax'
html_show_sphinx = False

myst_heading_anchors = 3

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_default_options = {'members': True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ['Source']
python_maximum_signature_line_length = 80


def _plain(text: str) -> str:
  """Keeps reStructuredText from reading markup into prose and code spans."""
  parts = re.split(r'(`+[^`]+`+)', text)
  for i, part in enumerate(parts):
    if i % 2:
      parts[i] = '``' + part.strip('`') + '``'
    else:
      parts[i] = re.sub(r'([*|]|(?<=\w)_(?!\w))', r'\\\1', part)
  return ''.join(parts)


def _read_as_markdown(app, what, name, obj, options, lines):
  """The docstrings write code in single backticks, and mean * as times."""
  del app, what, name, obj, options
  example = False
  for i, line in enumerate(lines):
    example = bool(line.strip()) and (
      example or line.lstrip().startswith('>>>')
    )
    if not example:
      lines[i] = _plain(line)


def _skip(app, what, name, obj, skip, options):
  """Leaves out the fields of classes: `Attributes` tells of them."""
  del app, name, options
  field = not (inspect.isroutine(obj) or isinstance(obj, property))
  return True if what == 'class' and field else skip


def setup(app):
  # Before napoleon, which listens at 500.
  app.connect('autodoc-process-docstring', _read_as_markdown, priority=400)
  app.connect('autodoc-skip-member', _skip)
