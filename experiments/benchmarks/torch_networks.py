"""Our networks as one writes them in PyTorch. Images are `[B, C, H, W]`."""

import itertools

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


def _down(before, after):
  return nn.Conv2d(before, after, 4, 2, 1, bias=False)


class PathakGenerator(nn.Module):
  """`models.context_encoder.ContextGenerator` at its defaults, centre 128."""

  def __init__(
    self, encoder=(64, 64, 128, 256, 512), decoder=(512, 256, 128, 64)
  ):
    super().__init__()
    self.down = nn.ModuleList(
      _down(a, b) for a, b in itertools.pairwise((3, *encoder))
    )
    self.down_norm = nn.ModuleList(nn.BatchNorm2d(n) for n in encoder[1:])
    self.code = nn.Conv2d(encoder[-1], 4000, 4, bias=False)
    self.code_norm = nn.BatchNorm2d(4000)
    self.spread = nn.ConvTranspose2d(4000, decoder[0], 4, bias=False)
    self.bottleneck_norm = nn.BatchNorm2d(decoder[0])
    self.up = nn.ModuleList(
      nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False)
      for a, b in zip(decoder, (*decoder[1:], 3), strict=True)
    )
    self.up_norm = nn.ModuleList(nn.BatchNorm2d(n) for n in decoder[1:])

  def forward(self, x):
    for i, conv in enumerate(self.down):
      x = conv(x)
      x = F.leaky_relu(self.down_norm[i - 1](x) if i else x, 0.2)
    x = F.leaky_relu(self.code_norm(self.code(x)), 0.2)
    x = F.relu(self.bottleneck_norm(self.spread(x)))
    for conv, norm in zip(self.up, self.up_norm, strict=False):
      x = F.relu(norm(conv(x)))
    return torch.tanh(self.up[-1](x))


class PathakDiscriminator(nn.Module):
  """`models.context_encoder.ContextDiscriminator` at its defaults."""

  def __init__(self, widths=(64, 128, 256, 512)):
    super().__init__()
    self.down = nn.ModuleList(
      _down(a, b) for a, b in itertools.pairwise((3, *widths))
    )
    self.down_norm = nn.ModuleList(nn.BatchNorm2d(n) for n in widths[1:])
    self.logit = nn.Conv2d(widths[-1], 1, 4, bias=False)

  def forward(self, x):
    for i, conv in enumerate(self.down):
      x = conv(x)
      x = F.leaky_relu(self.down_norm[i - 1](x) if i else x, 0.2)
    return self.logit(x).flatten()


class _Residual(nn.Module):
  def __init__(self, width, dilation):
    super().__init__()
    self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
    conv = lambda d: nn.Conv2d(width, width, 3, 1, d, dilation=d, bias=False)
    self.conv1, self.conv2 = conv(dilation), conv(1)

  def forward(self, x):
    y = self.conv1(F.relu(self.norm1(x)))
    return x + self.conv2(F.relu(self.norm2(y)))


class ResidualGenerator(nn.Module):
  """`models.residual.ResidualGenerator` at its defaults, of 64 pixels."""

  def __init__(self, widths=(32, 64, 128), blocks=4, grain=4, finest=16):
    super().__init__()
    self.grain = grain
    self.down = nn.ModuleList(
      _down(a, b) for a, b in itertools.pairwise((3, *widths))
    )
    self.down_norm = nn.ModuleList(nn.BatchNorm2d(n) for n in widths[1:])
    self.residual = nn.ModuleList(
      _Residual(widths[-1], 1 + i % 2) for i in range(blocks)
    )
    smallest = 64 // 2 ** len(widths)
    self.channelwise = nn.Parameter(
      torch.zeros(widths[-1], smallest**2, smallest**2)
    )
    self.mix = nn.Conv2d(widths[-1], widths[-1], 1, bias=False)
    self.around_norm = nn.BatchNorm2d(widths[-1])
    # From fine to coarse, as ours are numbered.
    seen, made = (3, *widths[:-1]), (finest, *widths[:-1])
    self.up = nn.ModuleList(
      nn.Conv2d(a + b + grain, c, 3, padding=1, bias=False)
      for a, b, c in zip(widths, seen, made, strict=True)
    )
    self.up_norm = nn.ModuleList(nn.BatchNorm2d(n) for n in made)
    self.output = nn.Conv2d(finest, 3, 3, padding=1)

  def forward(self, x):
    maps = [x]
    for i, conv in enumerate(self.down):
      x = conv(x)
      x = F.leaky_relu(self.down_norm[i - 1](x) if i else x, 0.2)
      maps.append(x)
    for block in self.residual:
      x = block(x)
    y = torch.einsum('bcn,cnm->bcm', x.flatten(2), self.channelwise)
    y = self.mix(y.reshape(x.shape))
    x = _central(F.relu(self.around_norm(x + y)))
    for i in reversed(range(len(self.up))):
      x = F.interpolate(x, scale_factor=2)
      noise = torch.randn(
        (len(x), self.grain, *x.shape[2:]), dtype=x.dtype, device=x.device
      )
      x = torch.cat([x, _central(maps[i]), noise], 1)
      x = F.relu(self.up_norm[i](self.up[i](x)))
    return torch.tanh(self.output(x))


def _central(x):
  edge = x.shape[2] // 4
  return x[:, :, edge:-edge, edge:-edge]


class SpectralDiscriminator(nn.Module):
  """`models.residual.SpectralDiscriminator` at its defaults."""

  def __init__(self, widths=(32, 64, 128, 256)):
    super().__init__()
    first = nn.Conv2d(3, widths[0], 3, 1, 1)
    others = [nn.Conv2d(a, b, 4, 2, 1) for a, b in itertools.pairwise(widths)]
    self.conv = nn.ModuleList(map(spectral_norm, (first, *others)))
    self.logit = spectral_norm(nn.Conv2d(widths[-1], 1, 4))

  def forward(self, x):
    for conv in self.conv:
      x = F.leaky_relu(conv(x), 0.2)
    return self.logit(x).flatten()


def stacked_autoencoder(pixels, hidden):
  """`models.ssda.StackedAutoencoder` of sigmoid units, on codes `[B, pixels]`.

  Args:
    pixels: of a patch.
    hidden: units of each encoding layer.

  Returns:
    The module.
  """
  sizes = (pixels, *hidden, *hidden[-2::-1], pixels)
  layers = []
  for before, after in itertools.pairwise(sizes):
    layers += [nn.Linear(before, after), nn.Sigmoid()]
  return nn.Sequential(*layers[:-1])
