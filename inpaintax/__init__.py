"""inpaintax: image denoising and inpainting in JAX.

Rooms are loaded when they are first used: `inpaintax.losses`, `inpaintax.data`
and so on, as in docs/architecture.md. A module inside a room is imported by
name: `from inpaintax.corruptions import text`.
"""

import importlib
from types import ModuleType

__version__ = '0.1.0'

_ROOMS = (
  'baselines',
  'checkpoints',
  'corruptions',
  'data',
  'errors',
  'evaluate',
  'images',
  'logs',
  'loop',
  'losses',
  'metrics',
  'models',
  'patches',
  'restore',
  'steps',
  'types',
)


def __getattr__(name: str) -> ModuleType:
  if name not in _ROOMS:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return importlib.import_module(f'{__name__}.{name}')


def __dir__() -> list[str]:
  return [*globals(), *_ROOMS]
