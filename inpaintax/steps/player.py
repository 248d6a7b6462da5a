"""What one network owns, and how it moves."""

from collections.abc import Callable
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
    skipped: int32 scalar, updates left out because they were not finite.
    streak: int32 scalar, how many of them came last, one after the other.
    average: (parameters, batch statistics), each the exponential moving average
      of its values so far; an empty tuple where none is kept.
  """

  params: chex.ArrayTree
  stats: chex.ArrayTree
  opt: optax.OptState
  skipped: chex.Array
  streak: chex.Array
  average: chex.ArrayTree = ()


def players(state: Any) -> dict[str, Player]:
  """The players of a state.

  Args:
    state: a NamedTuple of `step` and players.

  Returns:
    Each by its name.
  """
  return {name: one for name, one in state._asdict().items() if name != 'step'}


def init_player(
  key: jax.Array,
  module: nn.Module,
  tx: optax.GradientTransformation,
  *inputs: jax.Array | jax.ShapeDtypeStruct,
  averaged: bool = False,
) -> Player:
  """Initialises a network and its optimiser.

  Args:
    key: typed PRNG key.
    module: called `(*inputs, train=...)`.
    tx: optimiser of its parameters.
    *inputs: arrays, or a `jax.ShapeDtypeStruct` each, of what it will see.
    averaged: whether an average of what it was is kept; it begins at the first
      values.

  Returns:
    A `Player` on the default device; within `jax.jit` or `jax.eval_shape`,
    traced like all else.
  """

  def init(key: jax.Array) -> Player:
    zeros = [jnp.zeros(x.shape, x.dtype) for x in inputs]
    variables = module.init(key, *zeros, train=True)
    params, stats = variables['params'], variables.get('batch_stats', {})
    none = jnp.int32(0)
    average = (params, stats) if averaged else ()
    return Player(params, stats, tx.init(params), none, none, average)

  # What is traced is compiled as whoever traces it wants.
  traced = isinstance(key, jax.core.Tracer)
  options = None if traced else start_options()
  made = jax.jit(init, compiler_options=options)(key)
  # In buffers of its own: a step gives each of them away once.
  return made._replace(average=jax.tree.map(jnp.copy, made.average))


def start_options() -> dict[str, int] | None:
  """What to compile first values with: `compiler_options` of `jax.jit`.

  On a CPU random numbers compile very slowly when optimised, and run once.

  Returns:
    The options; None where there are none.
  """
  if jax.default_backend() == 'cpu':
    return {'xla_backend_optimization_level': 0}
  return None


def with_parameters(
  player: Player, params: chex.ArrayTree, stats: chex.ArrayTree
) -> Player:
  """A player that starts from what another has learnt.

  Args:
    player: before its first update.
    params: the other's parameters.
    stats: its batch statistics.

  Returns:
    The player; its average, if it keeps one, starts there too.
  """
  average = jax.tree.map(jnp.copy, (params, stats)) if player.average else ()
  return player._replace(params=params, stats=stats, average=average)


def best(player: Player) -> dict[str, chex.ArrayTree]:
  """What a network is used with: its average, if it keeps one.

  Args:
    player: of any step.

  Returns:
    The variables `params` and `batch_stats`.
  """
  params, stats = player.average or (player.params, player.stats)
  return {'params': params, 'batch_stats': stats}


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
  return features(module, player, *inputs)[0]


def features(
  module: nn.Module, player: Player, *inputs: jax.Array
) -> tuple[tuple[Any, chex.ArrayTree], list[jax.Array]]:
  """As `run`, with what the network sows under `features`.

  Args:
    module: called `(*inputs, train=True)`.
    player: its parameters and statistics.
    *inputs: what the module takes.

  Returns:
    (what `run` returns, the maps in the order of their layers' names).
  """
  variables = {'params': player.params, 'batch_stats': player.stats}
  out, new = module.apply(
    variables, *inputs, train=True, mutable=['batch_stats', 'intermediates']
  )
  sown = jax.tree_util.tree_leaves_with_path(new.get('intermediates', {}))
  # A path ends in the name and in which of its values that is.
  named = jax.tree_util.DictKey('features')
  maps = [leaf for path, leaf in sown if named in path[-2:]]
  return (out, new.get('batch_stats', {})), maps


def move(
  player: Player,
  tx: optax.GradientTransformation,
  grads: chex.ArrayTree,
  stats: chex.ArrayTree,
  *,
  loss: jax.Array,
  axis_name: str | None,
  decay: float | jax.Array = 0.999,
) -> Player:
  """One update of a network; none if its loss or gradient is not finite.

  Args:
    player: before the update.
    tx: its optimiser.
    grads: of the loss averaged over this device's images, like `params`.
    stats: batch statistics after the forward pass; under pmap the same on
      every device, as they are if the module has the axis' name.
    loss: scalar, this device's.
    axis_name: pmapped axis over which to average, or None.
    decay: what the moving average keeps of itself, if there is one.

  Returns:
    The player after the update, or as it was but for its counts.
  """
  grads, loss = mean_over((grads, loss), axis_name)

  def update(player: Player) -> Player:
    updates, opt = tx.update(grads, player.opt, player.params)
    params = optax.apply_updates(player.params, updates)
    average = player.average
    if average:
      average = optax.incremental_update((params, stats), average, 1 - decay)
    return player._replace(params=params, stats=stats, opt=opt, average=average)

  return unless_broken(player, update, (loss, grads))


def warmed_up(decay: float, step: chex.Array) -> jax.Array:
  """What an average keeps of itself while it has seen little.

  Begun at random parameters and kept at 0.999, it would after 500 updates still
  be theirs by 60 %.

  Args:
    decay: what it keeps in the end, in [0, 1].
    step: int32 scalar, updates done.

  Returns:
    float32 scalar, the lower of `decay` and (1 + step) / (10 + step).

  Source: `num_updates` of TensorFlow's ExponentialMovingAverage.
  """
  return jnp.minimum(decay, (1 + step) / (10 + step))


def unless_broken(
  player: Player, update: Callable[[Player], Player], numbers: chex.ArrayTree
) -> Player:
  """Updates a player, or counts that it did not.

  Args:
    player: before the update.
    update: what to do; anything but its counts.
    numbers: that must be finite for it.

  Returns:
    The player after the update, or as it was but for its counts.
  """
  # A sum is not finite if one of its terms is not, and is there while the
  # gradient is at hand; a test of each, or a choice between old and new
  # numbers instead of between branches, took a tenth of an update of 71
  # million weights.
  sums = [leaf.sum() for leaf in jax.tree.leaves(numbers)]
  return jax.lax.cond(
    jnp.isfinite(jnp.stack(sums)).all(),
    lambda player: update(player)._replace(streak=jnp.int32(0)),
    lambda player: player._replace(
      skipped=player.skipped + 1, streak=player.streak + 1
    ),
    player,
  )


def mean_over(tree: chex.ArrayTree, axis_name: str | None) -> chex.ArrayTree:
  """Averages over a pmapped axis, if there is one.

  Args:
    tree: arrays of this device.
    axis_name: pmapped axis, or None.

  Returns:
    The mean over all devices; `tree` itself if `axis_name` is None.
  """
  return tree if axis_name is None else jax.lax.pmean(tree, axis_name)
