"""Photographs by name, and endless or ordered uint8 batches of them.

Images here are uint8 RGB, `[H, W, 3]` or `[B, H, W, 3]`: scaling to [-1, 1],
masks and noise belong to the device.
"""
