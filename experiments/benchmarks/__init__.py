"""What `experiments.benchmark` measures: one module for each suite.

`torch_networks` and `torch_weights` are the peer: our networks, written for
PyTorch layer for layer, with our weights.
"""
