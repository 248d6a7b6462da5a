"""Training a generator in turn with a discriminator."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from inpaintax.losses.adversarial import Form
from inpaintax.losses.joint import joint
from inpaintax.steps import player
from inpaintax.steps.supervised import Reconstruction, predicted_part
from inpaintax.types import Metrics, Sample


class GanState(NamedTuple):
  """State of two networks and their two optimisers.

  Attributes:
    step: int32 scalar, updates done.
    gen: the generator.
    disc: the discriminator.
  """

  step: jax.Array
  gen: player.Player
  disc: player.Player


def init_gan(
  key: jax.Array,
  generator: nn.Module,
  discriminator: nn.Module,
  gen_tx: optax.GradientTransformation,
  disc_tx: optax.GradientTransformation,
  *,
  image: jax.ShapeDtypeStruct,
) -> GanState:
  """State before the first update.

  Args:
    key: typed PRNG key.
    generator: called `(observed, mask, train=...)`.
    discriminator: called `(block, train=...)`.
    gen_tx: optimiser of the generator.
    disc_tx: optimiser of the discriminator.
    image: shape and type of a batch of images, `[B, H, W, C]`; B may be small.

  Returns:
    The state.
  """
  gen_key, disc_key = jax.random.split(key)
  mask = jax.ShapeDtypeStruct((*image.shape[:3], 1), image.dtype)
  gen = player.init_player(gen_key, generator, gen_tx, image, mask)
  # `init` and not `apply`: there is no pmapped axis here to average over.
  init = functools.partial(generator.init_with_output, train=True)
  block, _ = jax.eval_shape(init, gen_key, image, mask)
  disc = player.init_player(disc_key, discriminator, disc_tx, block)
  return GanState(jnp.int32(0), gen, disc)


def make_gan_step(
  generator: nn.Module,
  discriminator: nn.Module,
  gen_tx: optax.GradientTransformation,
  disc_tx: optax.GradientTransformation,
  *,
  reconstruction: Reconstruction,
  form: Form,
  adversarial_weight: float = 1e-3,
  axis_name: str | None = None,
) -> Callable[[GanState, Sample], tuple[GanState, Metrics]]:
  """Builds a pure `step(state, sample)` that moves D, then G.

  Departs from the authors' train.lua in two ways. There G's update reads D's
  scores from before D moved but runs back through its new weights; here G is
  judged by the D that has just moved. And there D sees what G predicted, frame
  of known pixels included; here it sees the composite, as a user would, so that
  a seam gives a fake away.

  D sees real and fake blocks in two passes, each with its own batch statistics.
  G's update leaves D's statistics alone.

  Args:
    generator: called `(observed, mask, train=...)`, returns the whole image or
      the block around the hole.
    discriminator: called `(block, train=...)`, returns logits `[B]`.
    gen_tx: optimiser of the generator's parameters only.
    disc_tx: optimiser of the discriminator's parameters only.
    reconstruction: `(prediction, target, mask) -> [B]`.
    form: the adversarial losses.
    adversarial_weight: in [0, 1]; reconstruction gets the rest.
    axis_name: the pmapped axis or None; give both modules the same one.

  Returns:
    The step. Metrics: `gen/rec`, `gen/adv`, `disc/loss`, and `disc/real` and
    `disc/fake`, the shares of either taken for real.

  Raises:
    ValueError: `adversarial_weight` is outside [0, 1].

  Source: Pathak et al. 2016, arXiv:1604.07379, eq. 2 and 3.
  """
  if not 0 <= adversarial_weight <= 1:
    raise ValueError(
      f'adversarial_weight must be in [0, 1], got {adversarial_weight}.'
    )

  def disc_loss(
    params: chex.ArrayTree,
    disc: player.Player,
    real: jax.Array,
    fake: jax.Array,
  ) -> tuple[jax.Array, Any]:
    disc = disc._replace(params=params)
    real, stats = player.run(discriminator, disc, real)
    fake, stats = player.run(discriminator, disc._replace(stats=stats), fake)
    loss = form.discriminator(real, fake).mean()
    logs = {
      'disc/loss': loss,
      'disc/real': (real > form.boundary).mean(),
      'disc/fake': (fake > form.boundary).mean(),
    }
    return loss, (stats, logs)

  def gen_loss(
    out: jax.Array, disc: player.Player, target: jax.Array, mask: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    fake, _ = player.run(discriminator, disc, composite(out, target, mask))
    rec = reconstruction(out, target, mask)
    adv = form.generator(fake)
    loss = joint(rec, adv, weight=adversarial_weight).mean()
    return loss, {'gen/rec': rec.mean(), 'gen/adv': adv.mean()}

  move = functools.partial(player.move, axis_name=axis_name)

  def step(state: GanState, sample: Sample) -> tuple[GanState, Metrics]:
    # One forward pass of G serves both players.
    out, pull_back, gen_stats = jax.vjp(
      lambda params: player.run(
        generator,
        state.gen._replace(params=params),
        sample.observed,
        sample.mask,
      ),
      state.gen.params,
      has_aux=True,
    )
    target, mask = predicted_part(out, sample)
    disc_grads, (disc_stats, disc_logs) = jax.grad(disc_loss, has_aux=True)(
      state.disc.params, state.disc, target, composite(out, target, mask)
    )
    loss = disc_logs['disc/loss']
    disc = move(state.disc, disc_tx, disc_grads, disc_stats, loss=loss)
    out_grad, gen_logs = jax.grad(gen_loss, has_aux=True)(
      out, disc, target, mask
    )
    (gen_grads,) = pull_back(out_grad)
    loss = gen_logs['gen/rec'] + gen_logs['gen/adv']
    gen = move(state.gen, gen_tx, gen_grads, gen_stats, loss=loss)
    logs = player.mean_over(gen_logs | disc_logs, axis_name)
    return GanState(state.step + 1, gen, disc), logs

  return step


def composite(
  output: jax.Array, target: jax.Array, mask: jax.Array
) -> jax.Array:
  """The output inside the hole, the target outside.

  Args:
    output: float `[B, H, W, C]`.
    target: same shape and type.
    mask: float `[B, H, W, 1]`, 1 = missing.

  Returns:
    `[B, H, W, C]`.
  """
  return mask * output + (1 - mask) * target
