"""One alternating update of generator and discriminator, ours and PyTorch's."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from experiments.benchmarks import apart, timing


class Case(NamedTuple):
  """A published setting, see experiments/flags.

  Attributes:
    name: of the setting.
    batch: images of an update.
    size: side of an image, pixels.
    overlap: known pixels on each side of the block that are predicted too.
    known_weight: of them in the reconstruction loss.
    generator: its name among `inpaintax.models.MODELS`.
    discriminator: likewise.
    rates: Adam's, of generator and discriminator.
    adversarial_weight: of the adversarial loss, binary cross-entropy.
    part: of the image's side that is predicted; half, but for our residual
      generator without a peer.
  """

  name: str
  batch: int
  size: int
  overlap: int
  known_weight: float
  generator: str
  discriminator: str
  rates: tuple[float, float]
  adversarial_weight: float = 1e-3
  part: float = 0.5


_PATHAK = ('context_generator', 'context_discriminator')
_RESIDUAL = ('residual_generator', 'spectral_discriminator')
CASES = (
  Case('pathak_center', 16, 128, 4, 10.0, *_PATHAK, (2e-3, 2e-4)),
  Case('pathak_center', 64, 128, 4, 10.0, *_PATHAK, (2e-3, 2e-4)),
  Case('imagenet64', 64, 64, 2, 1.0, *_RESIDUAL, (1e-3, 4e-4), 5e-3),
)
BETAS = (0.5, 0.999)


def cases(
  rounds: int, wanted: Callable[[str], bool]
) -> Iterator[dict[str, Any]]:
  """Measures every case.

  Args:
    rounds: turns.
    wanted: whether a case of that name is.

  Yields:
    As `apart.against`.
  """
  from experiments.benchmarks import torch_steps

  updates = timing.in_a_turn()
  for case in CASES:
    name = f'{case.name} batch {case.batch}'
    if not wanted(name):
      continue
    difference, operations = torch_steps.compared(case)
    yield from apart.against(
      name,
      {
        side: (our_turn, case, dtype, updates)
        for side, dtype in _dtypes().items()
      },
      {
        side: (peer_turn, case, options, updates)
        for side, options in torch_steps.variants().items()
      },
      difference=difference,
      unit='images',
      work=updates * case.batch,
      operations=updates * operations,
      rounds=rounds,
    )


def _dtypes():
  """What we compute in, by side: beside PyTorch's autocast, bfloat16 too."""
  if timing.on_cpu():
    return {'inpaintax': 'float32'}
  return {'inpaintax': 'bfloat16', 'inpaintax in float32': 'float32'}


def batch(case: Case) -> Any:
  """Images to make an update with.

  Args:
    case: the setting.

  Returns:
    uint8 `[B, H, W, 3]`, noise.
  """
  import numpy as np

  shape = (case.batch, case.size, case.size, 3)
  return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def ours(
  case: Case, *, dtype: str = 'float32', updates: int = 1
) -> tuple[Callable[[Any], None], Any]:
  """Our update, compiled.

  Args:
    case: the setting.
    dtype: of the computation.
    updates: in a call.

  Returns:
    (makes the updates, with uint8 `[B, H, W, 3]`, and waits for the last; a
    copy of the state before the first).
  """
  import jax

  compiled, state = compiled_step(case, dtype=dtype)
  held = [compiled.place_state(state)]

  def run(images):
    for _ in range(updates):
      held[0], _ = compiled.step(held[0], compiled.place(images))
    jax.block_until_ready(held[0])

  return run, state


def compiled_step(
  case: Case,
  *,
  dtype: str = 'float32',
  axis_name: str | None = None,
  devices: int | None = None,
) -> tuple[Any, Any]:
  """Our update and a state for it.

  Args:
    case: the setting.
    dtype: of the computation.
    axis_name: as for `steps.compile.compile_step`.
    devices: likewise.

  Returns:
    (an `inpaintax.steps.compile.Compiled`, the state, on the host).
  """
  import jax
  import jax.numpy as jnp
  import optax

  from inpaintax import models
  from inpaintax.corruptions import masks
  from inpaintax.losses.adversarial import ADVERSARIAL
  from inpaintax.losses.reconstruction import overlap_l2
  from inpaintax.steps import compile as compiling
  from inpaintax.steps import gan
  from inpaintax.types import Sample

  options = {} if case.part == 0.5 else {'part': case.part}
  gen, disc = (
    models.build(
      {'name': name, 'options': given}, axis_name=axis_name, dtype=dtype
    )
    for name, given in ((case.generator, options), (case.discriminator, {}))
  )
  gen_tx, disc_tx = (optax.adam(rate, b1=BETAS[0]) for rate in case.rates)
  hole = round(case.size * case.part) - 2 * case.overlap

  def corrupt(keys, images):
    mask = masks.center(keys, images.shape[1:3], hole=hole)
    return Sample(masks.apply(images, mask, jnp.zeros(3)), images, mask)

  step = gan.make_gan_step(
    gen,
    disc,
    gen_tx,
    disc_tx,
    reconstruction=functools.partial(
      overlap_l2, known_weight=case.known_weight
    ),
    form=ADVERSARIAL['bce'],
    adversarial_weight=case.adversarial_weight,
    axis_name=axis_name,
  )
  compiled = compiling.compile_step(
    compiling.with_corruption(step, corrupt, seed=0, axis_name=axis_name),
    axis_name=axis_name,
    devices=devices,
  )
  image = jax.ShapeDtypeStruct((1, case.size, case.size, 3), jnp.float32)
  key = jax.random.key(0)
  state = gan.init_gan(key, gen, disc, gen_tx, disc_tx, image=image)
  return compiled, jax.device_get(state)


def our_turn(case: Case, dtype: str, updates: int) -> Callable[[], None]:
  """What our side does in a turn.

  Args:
    case: the setting.
    dtype: of the computation.
    updates: in a turn.

  Returns:
    Does it, and waits.
  """
  run, _ = ours(case, dtype=dtype, updates=updates)
  return functools.partial(run, batch(case))


def peer_turn(
  case: Case, options: dict[str, Any], updates: int
) -> Callable[[], None]:
  """What PyTorch's side does in a turn.

  Args:
    case: the setting.
    options: of `torch_steps.update`.
    updates: in a turn.

  Returns:
    Does it, and waits.
  """
  from experiments.benchmarks import torch_steps

  return torch_steps.update(
    case, batch(case), torch_steps.networks(case), updates=updates, **options
  )
