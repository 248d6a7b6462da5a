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

  Parameters are those of `nn.Dense`, and so are values, but for bfloat16 on a
  CPU: there sums and the bias are added in float32 and rounded once. On a CPU
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
    if x.size and jax.default_backend() == 'cpu':
      return _affine(x, kernel, bias)
    kernel, bias = kernel.astype(self.dtype), bias.astype(self.dtype)
    return lax.dot_general(kernel, x, (((0,), (0,)), ((), ()))) + bias[:, None]


def _sums(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
  """Of `[C, B]`, `[C, F]` and `[F]`; float32 `[F, B]` rounded as x is."""
  turned = memory.kept(kernel.astype(x.dtype).T)
  return (_product(turned, x, 0) + bias[:, None]).astype(x.dtype)


def _forward(
  x: jax.Array, kernel: jax.Array, bias: jax.Array
) -> tuple[jax.Array, Any]:
  # Not by `_affine`, so that gradients have forward-mode derivatives.
  return _sums(x, kernel, bias), (x, kernel)


def _backward(
  residuals: tuple[jax.Array, jax.Array], grad: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  x, kernel = residuals
  of_x = _product(kernel.astype(x.dtype), grad, 0).astype(x.dtype)
  return of_x, _product(x, grad, 1), grad.astype(jnp.float32).sum(1)


_affine = jax.custom_vjp(_sums)
_affine.defvjp(_forward, _backward)


def _product(left: jax.Array, right: jax.Array, axis: int) -> jax.Array:
  """The sum over the last axis of the one and `axis` of the other."""
  return lax.dot_general(
    left,
    right,
    (((1,), (axis,)), ((), ())),
    preferred_element_type=jnp.float32,
  )
