"""One alternating update, as one writes it in PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from experiments.benchmarks import torch_networks, torch_weights, train_step
from experiments.benchmarks.train_step import BETAS, Case

_PEERS = {
  'context_generator': (
    torch_networks.PathakGenerator,
    torch_weights.pathak_generator,
  ),
  'context_discriminator': (
    torch_networks.PathakDiscriminator,
    torch_weights.pathak_discriminator,
  ),
  'residual_generator': (
    torch_networks.ResidualGenerator,
    torch_weights.residual_generator,
  ),
  'spectral_discriminator': (
    torch_networks.SpectralDiscriminator,
    torch_weights.spectral_discriminator,
  ),
}


def device() -> torch.device:
  """The GPU that PyTorch sees, set for speed, else the CPU."""
  if not torch.cuda.is_available():
    return torch.device('cpu')
  torch.backends.cudnn.benchmark = True
  torch.set_float32_matmul_precision('high')  # TF32, as JAX has it.
  return torch.device('cuda')


def variants() -> dict[str, dict[str, Any]]:
  """Options of `update`, by side: the best of them counts."""
  found: dict[str, dict[str, Any]] = {
    'torch': {},
    'torch channels-last': {'channels_last': True},
    'torch compiled': {'channels_last': True, 'compiled': 'default'},
  }
  if device().type != 'cpu':
    # With CUDA graphs, where many small kernels' starts are the limit.
    graphs = {'channels_last': True, 'compiled': 'reduce-overhead'}
    found['torch compiled, graphs'] = graphs
  return found


def networks(case: Case) -> list[Any]:
  """Generator and discriminator.

  Args:
    case: the setting.

  Returns:
    Both, with weights of PyTorch's.
  """
  return [_PEERS[name][0]() for name in (case.generator, case.discriminator)]


def compared(case: Case) -> tuple[float, float]:
  """Whether both sides compute the same, and how much that is.

  Args:
    case: the setting.

  Returns:
    (the largest difference between the networks' outputs and ours with our
    weights, absolute; floating-point operations of an update).
  """
  _, state = train_step.compiled_step(case)
  peers = networks(case)
  difference = with_our_weights(case, peers, state)
  run = update(case, train_step.batch(case), peers)
  return difference, operations(run)


def with_our_weights(case: Case, networks: list[Any], state: Any) -> float:
  """Gives networks our weights, and runs both.

  The noise that a generator draws for itself is given no weight.

  Args:
    case: the setting.
    networks: the peer's; changed.
    state: ours, a `GanState`.

  Returns:
    The largest difference between their outputs and ours, absolute.
  """
  import jax

  from inpaintax import models

  rng = np.random.default_rng(1)
  worst = 0.0
  names = (case.generator, case.discriminator)
  sides = (case.size, case.size // 2)
  for name, peer, player, side in zip(
    names, networks, (state.gen, state.disc), sides, strict=True
  ):
    images = rng.uniform(-1, 1, (16, side, side, 3)).astype(np.float32)
    params = _without_noise(name, player.params)
    module = models.build({'name': name, 'options': {}})
    forward = lambda variables, images, module=module: module.apply(
      variables, images, train=True, mutable=['batch_stats']
    )
    variables = {'params': params, 'batch_stats': player.stats}
    with jax.default_matmul_precision('float32'):  # A GPU has TF32.
      wanted, _ = jax.jit(forward)(variables, images)
    _PEERS[name][1](peer, params, player.stats)
    # Theirs would turn its singular vectors once more.
    peer.train(name != 'spectral_discriminator')
    with torch.no_grad():
      output = peer(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
    peer.train()
    output = output.numpy()
    if output.ndim == 4:
      output = output.transpose(0, 2, 3, 1)
    worst = max(worst, float(np.abs(output - np.asarray(wanted)).max()))
  return worst


def _without_noise(name, params):
  if name != 'residual_generator':
    return params
  new = dict(params)
  for layer in (name for name in params if name in ('up0', 'up1', 'up2')):
    kernel = np.array(params[layer]['kernel'])
    kernel[:, :, -4:] = 0
    new[layer] = {'kernel': kernel}
  return new


def update(
  case: Case,
  batch: np.ndarray,
  networks: list[Any],
  *,
  channels_last: bool = False,
  compiled: str | None = None,
  updates: int = 1,
) -> Callable[[], Any]:
  """Makes what moves D, then G.

  On a GPU, in bfloat16 where PyTorch's autocast uses it.

  Args:
    case: the setting.
    batch: uint8 `[B, H, W, 3]`, on the host.
    networks: generator and discriminator; moved.
    channels_last: whether maps lie in memory as ours do.
    compiled: mode of `torch.compile`; None: as they are.
    updates: in a call.

  Returns:
    Makes the updates and waits for the last.
  """
  place = device()
  layout = torch.channels_last if channels_last else torch.contiguous_format
  gen, disc = (net.to(place, memory_format=layout) for net in networks)
  optimisers = [
    torch.optim.Adam(net.parameters(), rate, BETAS, fused=True)
    for net, rate in zip((gen, disc), case.rates, strict=True)
  ]
  players: Any = (gen, disc)
  if compiled:
    players = tuple(torch.compile(net, mode=compiled) for net in players)
  half, overlap = case.size // 2, case.overlap
  edge = half // 2
  block = (..., slice(edge, -edge), slice(edge, -edge))
  mask = torch.zeros(1, 1, half, half, device=place)
  mask[..., overlap : half - overlap, overlap : half - overlap] = 1
  source = torch.from_numpy(batch)
  if place.type != 'cpu':
    source = source.pin_memory()

  def once():
    given = source.to(place, non_blocking=True).permute(0, 3, 1, 2)
    images = given.float().div(127.5).sub(1).contiguous(memory_format=layout)
    observed = images.clone()
    observed[block] *= 1 - mask
    with torch.autocast(place.type, torch.bfloat16, place.type != 'cpu'):
      return _alternate(
        case, players, optimisers, observed, images[block], mask
      )

  def run():
    for _ in range(updates):
      loss = once()
    float(loss.detach())  # Waits.

  return run


def _alternate(case, players, optimisers, observed, target, mask):
  gen, disc = players
  gen_adam, disc_adam = optimisers
  out = gen(observed)
  fake = mask * out + (1 - mask) * target
  real_logit, fake_logit = disc(target), disc(fake.detach())
  loss = 0.5 * (F.softplus(-real_logit) + F.softplus(fake_logit)).mean()
  disc_adam.zero_grad()
  loss.backward()
  disc_adam.step()
  # Judged by the D that has just moved; its own weights need no gradient.
  disc.requires_grad_(False)
  adversarial = F.softplus(-disc(fake)).mean()
  weights = mask + case.known_weight * (1 - mask)
  rec = (weights * (out - target).square()).mean()
  share = case.adversarial_weight
  joint = (1 - share) * rec + share * adversarial
  gen_adam.zero_grad()
  joint.backward()
  gen_adam.step()
  disc.requires_grad_(True)
  return joint


def operations(run: Callable[[], Any]) -> float:
  """Floating-point operations of PyTorch's convolutions and products.

  Args:
    run: a side's, not compiled.

  Returns:
    Multiplications and additions counted apart.
  """
  counter = FlopCounterMode(display=False)
  with counter:
    run()
  return float(counter.get_total_flops())
