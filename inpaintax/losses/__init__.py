"""Losses: pure functions that give one value per image, `[B]`.

Images are float `[B, H, W, C]` in [-1, 1], masks float `[B, H, W, 1]` with
1 = missing, scores logits `[B]`. Only `inpaintax.steps` reduces over a batch,
so that the mean over equal shards is the mean over the batch.
"""
