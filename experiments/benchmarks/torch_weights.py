"""Puts our weights into the peer's networks."""

import numpy as np
import torch


def _set(target, value):
  value = torch.from_numpy(np.array(value))
  if target.shape != value.shape:
    raise ValueError(f'{tuple(value.shape)} for {tuple(target.shape)}.')
  with torch.no_grad():
    target.copy_(value)


def _conv(layer, ours):
  _set(layer.weight, np.asarray(ours['kernel']).transpose(3, 2, 0, 1))
  if layer.bias is not None:
    _set(layer.bias, np.asarray(ours['bias']))


def _norm(layer, ours):
  ours = ours.get('norm', ours)
  _set(layer.weight, np.asarray(ours['scale']))
  _set(layer.bias, np.asarray(ours['bias']))


def _norms(layers, ours, name):
  for i, layer in enumerate(layers):
    _norm(layer, ours[name.format(i)])


def _whole(layer, kernel, channels):
  """A dense layer on a 4x4 map, as the convolution that covers it."""
  square = np.asarray(kernel).reshape(4, 4, channels, -1)
  _set(layer.weight, square.transpose(3, 2, 0, 1))


def _encoder(peer, params):
  for i, layer in enumerate(peer.down):
    _conv(layer, params[f'down{i}'])
    if i:
      _norm(peer.down_norm[i - 1], params[f'down{i}_norm'])


def pathak_generator(peer, params, stats):
  """Copies the parameters of a `ContextGenerator`.

  Args:
    peer: `torch_networks.PathakGenerator`.
    params: ours.
    stats: ours, of no use: batch statistics are of the batch in training.
  """
  del stats
  _encoder(peer, params)
  _whole(peer.code, params['code']['kernel'], peer.code.in_channels)
  _norm(peer.code_norm, params['code_norm'])
  spread = np.asarray(params['spread']['kernel'])
  square = spread.reshape(len(spread), 4, 4, -1)
  _set(peer.spread.weight, square.transpose(0, 3, 1, 2))
  _norm(peer.bottleneck_norm, params['bottleneck_norm'])
  names = [f'up{i}' for i in range(len(peer.up_norm))]
  for layer, name in zip(peer.up, [*names, 'output'], strict=True):
    # Torch's taps run the other way.
    kernel = np.asarray(params[name]['kernel'])[::-1, ::-1]
    _set(layer.weight, kernel.transpose(2, 3, 0, 1))
  _norms(peer.up_norm, params, 'up{}_norm')


def pathak_discriminator(peer, params, stats):
  """Copies the parameters of a `ContextDiscriminator`.

  Args:
    peer: `torch_networks.PathakDiscriminator`.
    params: ours.
    stats: ours, of no use: batch statistics are of the batch in training.
  """
  del stats
  _encoder(peer, params)
  _whole(peer.logit, params['logit']['kernel'], peer.logit.in_channels)


def residual_generator(peer, params, stats):
  """Copies the parameters of a `ResidualGenerator`.

  Args:
    peer: `torch_networks.ResidualGenerator`.
    params: ours.
    stats: ours, of no use: batch statistics are of the batch in training.
  """
  del stats
  _encoder(peer, params)
  for i, block in enumerate(peer.residual):
    ours = params[f'residual{i}']
    for name in ('conv1', 'conv2'):
      _conv(getattr(block, name), ours[name])
    for name in ('norm1', 'norm2'):
      _norm(getattr(block, name), ours[name])
  _set(peer.channelwise, np.asarray(params['channelwise']['kernel']))
  mix = np.asarray(params['mix']['kernel'])
  _set(peer.mix.weight, mix.T[..., None, None])
  _norm(peer.around_norm, params['around_norm'])
  for i, layer in enumerate(peer.up):
    _conv(layer, params[f'up{i}'])
    _norm(peer.up_norm[i], params[f'up{i}_norm'])
  _conv(peer.output, params['output'])


def spectral_discriminator(peer, params, stats):
  """Copies the parameters of a `SpectralDiscriminator`.

  Args:
    peer: `torch_networks.SpectralDiscriminator`.
    params: ours.
    stats: ours, before a pass in training: the singular vectors.
  """
  for i, layer in enumerate(peer.conv):
    kernel = np.asarray(params[f'conv{i}']['kernel'])
    u = stats[f'conv{i}_norm'][f'conv{i}/kernel/u']
    _spectral(layer, kernel, params[f'conv{i}']['bias'], u)
  kernel = np.asarray(params['logit']['kernel']).reshape(4, 4, -1, 1)
  u = stats['logit_norm']['logit/kernel/u']
  _spectral(peer.logit, kernel, params['logit']['bias'], u)


def _spectral(layer, kernel, bias, u):
  """With the singular vectors that our next pass in training will have."""
  raw = layer.parametrizations.weight
  _set(raw.original, kernel.transpose(3, 2, 0, 1))
  _set(layer.bias, np.asarray(bias))
  unit = lambda x: x / np.linalg.norm(x)
  flat = kernel.reshape(-1, kernel.shape[-1])
  v = unit(flat @ np.asarray(u)[0])
  _set(raw[0]._u, unit(v @ flat))
  _set(raw[0]._v, v.reshape(kernel.shape[:3]).transpose(2, 0, 1).ravel())


def stacked_autoencoder(peer, params):
  """Copies the parameters of a `StackedAutoencoder`.

  Args:
    peer: of `torch_networks.stacked_autoencoder`.
    params: ours.
  """
  depth = len(params) // 2
  names = [f'encoders_{i}' for i in range(depth)]
  names += [f'decoders_{i}' for i in reversed(range(depth))]
  for layer, name in zip(peer[::2], names, strict=True):
    _set(layer.weight, np.asarray(params[name]['kernel']).T)
    _set(layer.bias, np.asarray(params[name]['bias']))
