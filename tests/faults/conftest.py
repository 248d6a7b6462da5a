"""Programs as a user's are: compiled with all optimisations."""

import os

for name in ('JAX_DISABLE_MOST_OPTIMIZATIONS', 'XLA_FLAGS'):
  os.environ.pop(name, None)
