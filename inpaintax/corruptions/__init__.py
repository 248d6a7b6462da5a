"""What is taken from an image, as pure functions of keys.

One contract: `keys` are typed PRNG keys `[B]`, one per sample, and a sample's
corruption depends on its own key alone; masks are float32 `[B, H, W, 1]`, 1 =
missing; images are float `[B, H, W, C]` in [-1, 1].
"""
