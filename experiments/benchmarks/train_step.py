"""One alternating update of generator and discriminator, ours and PyTorch's."""

import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from experiments.benchmarks import timing

# Between our forward pass and the peer's, absolute, of outputs within [-1, 1].
_TOLERANCE = 1e-4


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
    Plain JSON: `case`, `unit`, `rows` of `timing.rows`, `forward_difference`.

  Raises:
    RuntimeError: the peer computes something else.
  """
  for case in CASES:
    name = f'{case.name}, batch {case.batch}'
    if wanted(name):
      yield {'case': name, 'unit': 'images', **_measured(case, rounds)}


def _measured(case, rounds):
  from experiments.benchmarks import torch_steps

  images, updates = batch(case), timing.in_a_turn()
  networks = torch_steps.networks(case)
  found = {}
  for name, dtype in _dtypes().items():
    run, state = ours(case, dtype=dtype, updates=updates)
    found[name] = functools.partial(run, images)
  difference = torch_steps.with_our_weights(case, networks, state)
  if difference > _TOLERANCE:
    raise RuntimeError(f'{case.name}: the peer differs by {difference:.1e}.')
  peers, failed = torch_steps.that_work(
    {
      name: torch_steps.update(
        case, images, copy.deepcopy(networks), updates=updates, **options
      )
      for name, options in torch_steps.variants().items()
    }
  )
  operations = torch_steps.operations(peers['torch'])
  sides = [
    timing.Side(name, run, updates * case.batch, operations)
    for name, run in (found | peers).items()
  ]
  sides += timing.ceilings()
  seconds = timing.interleaved(sides, rounds=rounds, warmups=6)
  return {
    'rows': timing.rows(sides, seconds, ours='inpaintax'),
    **failed,
    'forward_difference': difference,
    'peak_memory_mib': {
      'inpaintax': timing.peak_memory(_run_ours, case),
      'torch': timing.peak_memory(_run_peer, case),
    },
  }


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


def _run_ours(case):
  run, _ = ours(case, dtype=_dtypes()['inpaintax'])
  run(batch(case))


def _run_peer(case):
  from experiments.benchmarks import torch_steps

  torch_steps.update(case, batch(case), torch_steps.networks(case))()
