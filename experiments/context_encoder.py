r"""Trains a context encoder: fills a hole from what surrounds it.

  python -m experiments.context_encoder \
    --flagfile=experiments/flags/quickstart.flags --workdir=runs/quickstart
  python -m experiments.context_encoder \
    --flagfile=experiments/flags/imagenet64.flags --workdir=runs/l2 \
    --data='tar:/data/train-*.tar[500:]' \
    --val_data='tar:/data/train-*.tar[:500]' --adversarial_weight=0
  python -m experiments.context_encoder --flagfile=runs/l2/flags.txt \
    --workdir=runs/l2_seed1 --seed=1

The same command on the same workdir goes on where it stopped; the third
replays a run with another seed.

Flag files: `quickstart` (embedded photographs, two minutes), `imagenet64`,
`deck`, `pathak_center`, `pathak_random`. `--adversarial_weight=0` trains with
the reconstruction loss alone, without a discriminator.

Source: Pathak et al. 2016, arXiv:1604.07379.
"""

import functools

from experiments import (
  dimensions,
  holes,
  inpainting,
  networks,
  program,
  training,
)


def main():
  """Describes the networks and their holes, and trains."""
  from inpaintax.corruptions import masks

  training.before_jax()
  networks.check()
  size, hole = dimensions.SIZE.value, networks.hole()
  # A model of one block is looked at in the centre, wherever it trains.
  seen = hole and functools.partial(masks.center, hole=hole)
  inpainting.train(
    networks.record, size=size, masker=holes.masker(size, hole=hole), seen=seen
  )


if __name__ == '__main__':
  program.run(main)
