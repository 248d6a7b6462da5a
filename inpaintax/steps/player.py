"""What one network owns, and how it moves."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn


class Player(NamedTuple):
  """One network in training. Arrays only.

  Attributes:
    params: its parameters, float32.
    stats: its batch statistics; an empty dict for a network without any.
    opt: its optimiser's state.
  """

  params: chex.ArrayTree
  stats: chex.ArrayTree
  opt: optax.OptState


def init_player(
  key: jax.Array,
  module: nn.Module,
  tx: optax.GradientTransformation,
  *inputs: jax.Array | jax.ShapeDtypeStruct,
) -> Player:
  """Initialises a network and its optimiser.

  Args:
    key: typed PRNG key.
    module: called `(*inputs, train=...)`.
    tx: optimiser of its parameters.
    *inputs: arrays, or a `jax.ShapeDtypeStruct` each, of what it will see.

  Returns:
    A `Player` on the default device.
  """

  def init(key: jax.Array) -> Player:
    zeros = [jnp.zeros(x.shape, x.dtype) for x in inputs]
    variables = module.init(key, *zeros, train=True)
    params = variables['params']
    return Player(params, variables.get('batch_stats', {}), tx.init(params))

  # Random numbers compile very slowly on CPU when optimised, and run once.
  quick = jax.default_backend() == 'cpu'
  options = {'xla_backend_optimization_level': 0} if quick else None
  return jax.jit(init, compiler_options=options)(key)


def run(
  module: nn.Module, player: Player, *inputs: jax.Array
) -> tuple[Any, chex.ArrayTree]:
  """Applies a network in training mode.

  Args:
    module: called `(*inputs, train=True)`.
    player: its parameters and statistics.
    *inputs: what the module takes.

  Returns:
    (output, new batch statistics).
  """
  variables = {'params': player.params, 'batch_stats': player.stats}
  out, new = module.apply(
    variables, *inputs, train=True, mutable=['batch_stats']
  )
  return out, new.get('batch_stats', {})


def move(
  player: Player,
  tx: optax.GradientTransformation,
  grads: chex.ArrayTree,
  stats: chex.ArrayTree,
  *,
  axis_name: str | None,
) -> Player:
  """One update of a network.

  Args:
    player: before the update.
    tx: its optimiser.
    grads: of the loss averaged over this device's images, like `params`.
    stats: batch statistics after the forward pass; under pmap the same on
      every device, as they are if the module has the axis' name.
    axis_name: pmapped axis over which to average, or None.

  Returns:
    The player after the update.
  """
  grads = mean_over(grads, axis_name)
  updates, opt = tx.update(grads, player.opt, player.params)
  return Player(optax.apply_updates(player.params, updates), stats, opt)


def mean_over(tree: chex.ArrayTree, axis_name: str | None) -> chex.ArrayTree:
  """Averages over a pmapped axis, if there is one.

  Args:
    tree: arrays of this device.
    axis_name: pmapped axis, or None.

  Returns:
    The mean over all devices; `tree` itself if `axis_name` is None.
  """
  return tree if axis_name is None else jax.lax.pmean(tree, axis_name)
