"""Which of the libraries that XLA has for it multiplies matrices on a CPU."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

Options = dict[str, str] | None

# YNNPACK, which XLA takes where nothing is said, for sums alone: products are
# Eigen's then.
_EIGEN = {'xla_cpu_experimental_ynn_fusion_type': 'LIBRARY_FUSION_TYPE_REDUCE'}
# Eigen's are faster where there are many, and YNNPACK's are looked for, when a
# program is loaded, in a time that grows with the square of how many there are.
# YNNPACK's are where few rows meet a large matrix. Figures are in
# docs/performance.md.
_MANY = 300
_LARGE = 1024


class Jitted:
  """A jitted function, compiled with what suits its products."""

  def __init__(self, make: Callable[[Options], Any]):
    """Compiles nothing yet.

    Args:
      make: `compiler_options -> jax.jit(function, ...)`.
    """
    self._make = functools.cache(lambda eigen: make(_EIGEN if eigen else None))
    self._taken: Any = None

  def __call__(self, *args: Any) -> Any:
    """The function's value; what suited the first call is kept to."""
    if self._taken is None:
      self._taken = self._fitting(*args)
    return self._taken(*args)

  def lower(self, *args: Any) -> jax.stages.Lowered:
    """As `lower` of a jitted function.

    Args:
      *args: of the function; shapes and types will do.

    Returns:
      The lowered function.
    """
    return self._fitting(*args).trace(*args).lower()

  def _fitting(self, *args: Any) -> Any:
    plain = self._make(False)
    # For a debugger nothing is traced.
    disabled = jax.config.jax_disable_jit  # type: ignore[attr-defined]
    if disabled or jax.default_backend() != 'cpu':
      return plain
    # Traced once: JAX remembers.
    suited = suits_eigen(plain.trace(*args).jaxpr.jaxpr)
    return self._make(suited and _has_eigen())


def suits_eigen(jaxpr: core.Jaxpr) -> bool:
  """Whether a program's products are many, of float32, and none is large.

  Args:
    jaxpr: of the program.

  Returns:
    Whether Eigen is likely to make them sooner than YNNPACK.
  """
  products = list(_products(jaxpr))
  return len(products) >= _MANY and all(
    kinds == {jnp.dtype(jnp.float32)} and sorted(sides)[1] < _LARGE
    for kinds, sides in products
  )


def _products(
  jaxpr: core.Jaxpr,
) -> Iterator[tuple[set[jnp.dtype], Sequence[int]]]:
  """Of each product (types of both matrices, sides: rows, sum, columns)."""
  for equation in jaxpr.eqns:
    if equation.primitive is jax.lax.dot_general_p:
      operands: list[Any] = [operand.aval for operand in equation.invars]
      left, right = operands
      (summed, _), (batched, _) = equation.params['dimension_numbers']
      length = math.prod(left.shape[axis] for axis in summed)
      apart = length * math.prod(left.shape[axis] for axis in batched)
      sides = left.size // max(apart, 1), length, right.size // max(apart, 1)
      yield {left.dtype, right.dtype}, sides
    for inner in core.jaxprs_in_params(equation.params):
      yield from _products(inner)


@functools.cache
def _has_eigen() -> bool:
  """Whether this XLA knows the option."""
  try:
    jax.jit(lambda x: x, compiler_options=_EIGEN).lower(0.0).compile()
  except jax.errors.JaxRuntimeError:
    return False
  return True
