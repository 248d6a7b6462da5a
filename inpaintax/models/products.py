"""Dense layers of samples side by side, whose products a CPU makes fastest.

XLA's CPU compiler hands a product to YNNPACK, or converts its numbers or puts
them in another order first, by the type of its result and by the axis of the
first matrix that is summed. It is fastest where that is the last one and the
first matrix the larger; in bfloat16 only so, and with a result of float32, are
the processor's instructions for it used (AVX512_BF16, AMX). With a sample in
each column, not row, all three products of a layer have that form, if the
weights are turned once. Figures are in docs/performance.md.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from inpaintax.models import memory


class ColumnDense(nn.Module):
  """`nn.Dense` of columns: `[C, B]` to `[features, B]`.

  Parameters are those of `nn.Dense`, and so are values, but for types of 16 bit
  on a CPU: there sums and the bias are added in float32 and rounded once, and
  forward-mode derivatives of the layer itself cannot be taken; those of its
  gradients can.

  Attributes:
    features: rows of the output.
    dtype: type of the computation and of the output.
    kernel_init: of `kernel`, `[C, features]`.
    bias_init: of `bias`, `[features]`.
  """

  features: int
  dtype: jax.typing.DTypeLike = jnp.float32
  kernel_init: jax.nn.initializers.Initializer = nn.initializers.lecun_normal()
  bias_init: jax.nn.initializers.Initializer = nn.initializers.zeros_init()

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """`[C, B]` to `[features, B]`."""
    shape = (x.shape[0], self.features)
    kernel = self.param('kernel', self.kernel_init, shape)
    bias = self.param('bias', self.bias_init, shape[1:])
    x = x.astype(self.dtype)
    fast = x.size and jax.default_backend() == 'cpu'
    if fast and x.dtype.itemsize == 2:
      return _rounded(x, kernel, bias)
    kernel, bias = kernel.astype(self.dtype), bias.astype(self.dtype)
    if fast:
      return _affine(x, kernel, bias)
    return kernel.T @ x + bias[:, None]


def _sums(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
  """`[F, B]` of `[C, B]`, `[C, F]` and `[F]`, of the type of x."""
  turned = memory.kept(kernel.astype(x.dtype).T)
  return (_product(turned, x, 0) + bias[:, None]).astype(x.dtype)


_affine = jax.custom_jvp(_sums)


@_affine.defjvp
def _tangent(
  primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
  x, kernel, _ = primals
  of_x, of_kernel, of_bias = tangents
  # Not of what is kept: of weights as they are the gradients' products are.
  moved = kernel.T @ of_x + of_kernel.T @ x + of_bias[:, None]
  return _affine(*primals), moved


# With derivatives as above gradients would be products of two types.
_rounded = jax.custom_vjp(_sums)


def _forward(
  x: jax.Array, kernel: jax.Array, bias: jax.Array
) -> tuple[jax.Array, Any]:
  # Not by `_rounded`, so that gradients have forward-mode derivatives.
  return _sums(x, kernel, bias), (x, kernel, bias)


def _backward(
  residuals: tuple[jax.Array, ...], grad: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  x, kernel, bias = residuals
  of_x = _product(kernel.astype(x.dtype), grad, 0).astype(x.dtype)
  of_bias = grad.astype(jnp.float32).sum(1).astype(bias.dtype)
  return of_x, _product(x, grad, 1).astype(kernel.dtype), of_bias


_rounded.defvjp(_forward, _backward)


def _product(left: jax.Array, right: jax.Array, axis: int) -> jax.Array:
  """Summed over the last axis of the one and `axis` of the other, wide."""
  return lax.dot_general(
    left,
    right,
    (((1,), (axis,)), ((), ())),
    preferred_element_type=jnp.promote_types(left.dtype, jnp.float32),
  )
