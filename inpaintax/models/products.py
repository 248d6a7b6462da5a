"""Products in bfloat16 at the rate that a CPU has for them.

XLA's CPU compiler hands a product of bfloat16 to kernels that use the
processor's instructions for it (AVX512_BF16, AMX) only if its result is float32
and the sum runs along the last axis of the first matrix. Else it converts both
to float32 first, and bfloat16 gains nothing. Figures are in
docs/performance.md.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax


class Dense(nn.Dense):
  """`nn.Dense`; in bfloat16 on a CPU, the faster way.

  There sums and the bias are added in float32 and rounded once, and
  forward-mode derivatives of the layer itself cannot be taken.
  """

  @nn.compact
  def __call__(self, inputs: jax.Array) -> jax.Array:
    """As `nn.Dense`: `[..., C]` to `[..., features]`."""
    # Programs give its name.
    half = self.dtype is not None and jnp.dtype(self.dtype) == jnp.bfloat16
    plain = not half or not inputs.size
    plain = plain or not self.use_bias or self.precision is not None
    if plain or jax.default_backend() != 'cpu':
      return super().__call__(inputs)
    shape = (inputs.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)
    bias = self.param('bias', self.bias_init, shape[1:], self.param_dtype)
    rows = inputs.reshape(-1, shape[0]).astype(self.dtype)
    y = _affine(rows, kernel.astype(self.dtype), bias)
    return y.reshape(*inputs.shape[:-1], -1)


def _sums(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
  """`[B, C]` times `[C, F]` plus `[F]`, of the type of `x`."""
  return (_summed(x, kernel, 0) + bias[None]).astype(x.dtype)


def _forward(
  x: jax.Array, kernel: jax.Array, bias: jax.Array
) -> tuple[jax.Array, Any]:
  # Not by `_affine`, so that gradients have forward-mode derivatives.
  return _sums(x, kernel, bias), (x, kernel)


def _backward(
  kept: tuple[jax.Array, jax.Array], grad: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
  x, kernel = kept
  # XLA would take the turned matrix as it lies, and then not as one of
  # bfloat16; what is padded it puts in memory. Of the row of ones comes the
  # bias' gradient.
  turned = lax.pad(x.T, jnp.ones((), x.dtype), ((0, 1, 0), (0, 0, 0)))
  of_both = _summed(turned, grad, 0)
  of_kernel = of_both[:-1].astype(kernel.dtype)
  return _summed(grad, kernel, 1).astype(x.dtype), of_kernel, of_both[-1]


_affine = jax.custom_vjp(_sums)
_affine.defvjp(_forward, _backward)


def _summed(left: jax.Array, right: jax.Array, axis: int) -> jax.Array:
  """The product over the last axis of the one and `axis` of the other."""
  return lax.dot_general(
    left,
    right,
    (((1,), (axis,)), ((), ())),
    preferred_element_type=jnp.float32,
  )
