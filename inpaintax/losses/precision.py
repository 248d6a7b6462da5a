"""What losses sum in."""

import jax
import jax.numpy as jnp


def wide(x: jax.Array) -> jax.Array:
  """The same numbers in float32, or in their own type if that is wider.

  Half precision cannot hold what a loss adds up: float16 ends at 65,504, and
  bfloat16 has three digits.

  Args:
    x: numbers, of any shape.

  Returns:
    Of the same shape, float32 or float64.
  """
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))
