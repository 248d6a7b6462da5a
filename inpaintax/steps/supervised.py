"""Training on a reconstruction loss alone."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from inpaintax.models import blocks
from inpaintax.steps import player
from inpaintax.types import Metrics, Sample

Reconstruction = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


class SupervisedState(NamedTuple):
  """State of a network trained alone.

  Attributes:
    step: int32 scalar, updates done.
    gen: the network.
  """

  step: jax.Array
  gen: player.Player


def init_supervised(
  key: jax.Array,
  model: nn.Module,
  tx: optax.GradientTransformation,
  *,
  image: jax.ShapeDtypeStruct,
  averaged: bool = False,
) -> SupervisedState:
  """State before the first update.

  Args:
    key: typed PRNG key.
    model: called `(observed, mask, train=...)`.
    tx: its optimiser.
    image: shape and type of a batch of images, `[B, H, W, C]`; B may be small.
    averaged: whether a moving average of the network is kept.

  Returns:
    The state.
  """
  mask = jax.ShapeDtypeStruct((*image.shape[:3], 1), image.dtype)
  gen = player.init_player(key, model, tx, image, mask, averaged=averaged)
  return SupervisedState(jnp.int32(0), gen)


def make_supervised_step(
  model: nn.Module,
  tx: optax.GradientTransformation,
  *,
  reconstruction: Reconstruction,
  decay: float = 0.999,
  axis_name: str | None = None,
) -> Callable[[SupervisedState, Sample], tuple[SupervisedState, Metrics]]:
  """Builds a pure `step(state, sample)`.

  Args:
    model: called `(observed, mask, train=...)`; its output is compared with
      the target, or with its block around the hole if it is smaller. Of several
      outputs each is, and the losses are summed.
    tx: its optimiser.
    reconstruction: `(prediction, target, mask) -> [B]`.
    decay: of the network's moving average, if its state has one; less at
      first, see `player.warmed_up`.
    axis_name: the pmapped axis or None; give the module the same one.

  Returns:
    The step. Metrics: `gen/rec`.
  """

  def step(
    state: SupervisedState, sample: Sample
  ) -> tuple[SupervisedState, Metrics]:
    def loss(params: chex.ArrayTree) -> tuple[jax.Array, Any]:
      outs, stats = player.run(
        model, state.gen._replace(params=params), sample.observed, sample.mask
      )
      target, mask = predicted_part(jax.tree.leaves(outs)[-1], sample)
      return reconstruct(reconstruction, outs, target, mask).mean(), stats

    grad = jax.value_and_grad(loss, has_aux=True)
    (value, stats), grads = grad(state.gen.params)
    gen = player.move(
      state.gen,
      tx,
      grads,
      stats,
      loss=value,
      axis_name=axis_name,
      decay=player.warmed_up(decay, state.step),
    )
    metrics = player.mean_over({'gen/rec': value}, axis_name)
    return SupervisedState(state.step + 1, gen), metrics

  return step


def reconstruct(
  reconstruction: Reconstruction,
  outputs: Any,
  target: jax.Array,
  mask: jax.Array,
) -> jax.Array:
  """The reconstruction loss, summed over the stages of a network.

  Args:
    reconstruction: `(prediction, target, mask) -> [B]`.
    outputs: `[B, H, W, C]`, or a tuple of them from coarse to fine.
    target: `[B, H, W, C]`.
    mask: `[B, H, W, 1]`.

  Returns:
    `[B]`.

  Raises:
    AssertionError: `reconstruction` does not return one value per image.
  """
  stages = jax.tree.leaves(outputs)
  losses = [reconstruction(stage, target, mask) for stage in stages]
  chex.assert_shape(losses, target.shape[:1])
  return jnp.stack(losses).sum(0)


def predicted_part(
  output: jax.Array, sample: Sample
) -> tuple[jax.Array, jax.Array]:
  """What a network's output stands for: the whole image or the hole's block.

  Args:
    output: `[B, h, w, C]`.
    sample: of images at least as large.

  Returns:
    (target, mask), cut to the output's height and width around the hole.
  """
  side = (output.shape[1], output.shape[2])
  if side == sample.target.shape[1:3]:
    return sample.target, sample.mask
  corners = blocks.block_corners(sample.mask, side)
  return (
    blocks.cut(sample.target, corners, side),
    blocks.cut(sample.mask, corners, side),
  )
