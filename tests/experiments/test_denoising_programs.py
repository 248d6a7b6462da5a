"""What is done with a trained denoiser: measuring, restoring, refusals."""

import csv
import json

import numpy as np

from inpaintax import checkpoints, images
from inpaintax.restore import denoising


def test_a_trained_denoiser_stands_beside_baselines(
  run_program, ssda_run, tmp_path
):
  done = run_program(
    'evaluate',
    f'--workdir={ssda_run}',
    '--noise=gaussian',
    '--sigma=25',
    '--stride=4',
    '--baselines=median',
    '--limit=1',
    f'--output={tmp_path}',
  )
  assert done.returncode == 0, done.stderr
  results = json.loads((tmp_path / 'results.json').read_text())
  assert results['noise'] == {'name': 'gaussian', 'sigma': 25.0}
  assert results['strides'] == {'model': 4}
  names = [row['method'] for row in results['rows']]
  assert names == ['input', 'model', 'median']
  assert 'not clipped' in (tmp_path / 'results.md').read_text()


def test_models_and_tasks_that_do_not_fit_are_refused(
  refusals_of, ssda_run, tiny_workdir, tmp_path
):
  photo, mask = tmp_path / 'photo.png', tmp_path / 'mask.png'
  images.write(photo, np.full((16, 16, 3), 90, np.uint8))
  deep = tmp_path / 'deep.png'
  images.write(deep, np.full((16, 16, 3), 90, np.uint16))
  images.write(mask, np.uint8(255) * np.eye(16, dtype=np.uint8))
  output, target = f'--output={tmp_path}', f'--output={tmp_path / "out.png"}'
  found = refusals_of(
    'evaluate',
    [
      [f'--workdir={ssda_run}', output],
      [f'--workdir={tiny_workdir}', '--noise=gaussian', output],
      ['--noise=gaussian', '--baselines=telea', output],
      ['--noise=gaussian', '--hole=6', output],
      ['--sigma=25', output],
      ['--noise=text', '--sigma=25', output],
      ['--noise=gaussian', '--font_sizes=20', output],
      [
        f'--workdir={ssda_run}',
        '--noise=gaussian',
        '--stride=5',
        output,
      ],
    ],
  )
  saids = ['give --noise', 'leave --noise out', 'not known: telea']
  saids += ['--hole has no', '--sigma has no', '--sigma has no']
  saids += ['--font_sizes has no', 'patches of 4 pixels']
  denoiser, filler = (
    f'--workdir={ssda_run}',
    f'--workdir={tiny_workdir}',
  )
  cases = [
    ([denoiser, f'--mask={mask}'], 'takes noise off'),
    ([filler], 'give --mask'),
    ([denoiser, '--sigma=50'], 'was trained for noise of 25'),
    ([denoiser, '--noise=text'], 'is for gaussian'),
    ([filler, f'--mask={mask}', '--sigma=25'], '--sigma has no meaning'),
    ([denoiser, '--mask_invert'], '--mask_invert has no meaning'),
    ([denoiser, '--stride=5'], 'patches of 4 pixels'),
    ([denoiser, f'--image={deep}', f'--output={tmp_path / "o.bmp"}'], '16 bit'),
    ([denoiser, f'--image={tmp_path}', f'--output={mask}'], 'is a file'),
    ([denoiser, '--font_sizes=20'], '--font_sizes has no meaning'),
    ([denoiser, f'--output={tmp_path}'], 'is a folder, --image='),
    ([denoiser, '--overwrite', '--skip_existing'], 'give one of them'),
  ]
  found += refusals_of(
    'restore', [[f'--image={photo}', target, *flags] for flags, _ in cases]
  )
  saids += [said for _, said in cases]
  for (kind, message), said in zip(found, saids, strict=True):
    assert kind == 'InputError' and said in message, message
  assert not (tmp_path / 'out.png').exists()


def test_a_folder_of_noisy_photographs_is_restored(
  run_program, ssda_run, tmp_path
):
  folder, out = tmp_path / 'noisy', tmp_path / 'clean'
  rng = np.random.default_rng(0)
  noisy = {
    'grey.png': rng.integers(256, size=(9, 12)).astype(np.uint8),
    'in/deep.tif': rng.integers(2**16, size=(8, 9, 3)).astype(np.uint16),
  }
  for name, pixels in noisy.items():
    images.write(folder / name, pixels)
  (folder / 'gone.png').symlink_to(tmp_path / 'nowhere.png')
  flags = (
    f'--workdir={ssda_run}',
    f'--image={folder}',
    f'--output={out}',
  )
  done = run_program('restore', *flags, '--stride=2')
  assert done.returncode == 4 and '1 of 3 images failed' in done.stderr
  assert 'gone.png' in (out / 'failures.csv').read_text()
  # Uniform noise is far above a sigma of 25.
  assert 'grey.png: its noise seems' in done.stderr
  trained = checkpoints.load_generator(str(ssda_run))
  denoise = denoising.make_denoiser(trained, stride=2)
  for name, pixels in noisy.items():
    restored = images.read_deep((out / name).with_suffix('.png'))
    expected = denoising.denoise_image(pixels, denoise)
    assert restored.dtype == pixels.dtype and restored.shape == pixels.shape
    np.testing.assert_array_equal(restored, expected)
    assert (restored != pixels).any()
  # Once more: what is there stays, and the rest is done.
  (out / 'grey.png').unlink()
  before = (out / 'in/deep.png').stat().st_mtime_ns
  done = run_program('restore', *flags, '--skip_existing')
  assert done.returncode == 4 and '1 of 3 exist' in done.stderr
  assert '1 of 2 images failed' in done.stderr
  assert (out / 'grey.png').exists()
  assert (out / 'in/deep.png').stat().st_mtime_ns == before
  (folder / 'gone.png').unlink()
  done = run_program('restore', *flags, '--skip_existing')
  assert done.returncode == 0 and '2 of 2 exist' in done.stderr


def test_the_level_that_the_model_is_for_passes(
  run_program, ssda_run, tmp_path
):
  photo, out = tmp_path / 'photo.png', tmp_path / 'out.png'
  images.write(photo, np.full((16, 16, 3), 90, np.uint8))
  flags = (
    f'--workdir={ssda_run}',
    f'--image={photo}',
    f'--output={out}',
  )
  done = run_program('restore', *flags, '--sigma=25')
  assert done.returncode == 0 and not done.stderr
  assert images.read(out).shape == (16, 16, 3)


def test_one_choice_is_measured_at_a_time(run_program, refusals_of, tmp_path):
  flags = [
    '--data=photos:train[:2]',
    '--val_data=photos:val[:1]',
    '--only=working,side_by_side',
    '--seeds=1',
    f'--output={tmp_path}',
  ]
  done = run_program('ssda_ablation', *flags, '--steps=300')
  assert done.returncode == 0, done.stderr
  rows = json.loads((tmp_path / 'results.json').read_text())['rows']
  assert [row['setting'] for row in rows] == ['working', 'side_by_side']
  # The same network, its patches averaged or not.
  assert rows[1]['difference'] < -0.3 and rows[0]['difference'] == 0
  assert [path.name for path in (tmp_path / 'seed_0').iterdir()] == ['working']
  assert 'patches side by side' in (tmp_path / 'results.md').read_text()
  (found,) = refusals_of('ssda_ablation', [[*flags, '--steps=400']])
  assert found[0] == 'InputError' and 'other settings' in found[1]


def test_filters_and_activations_are_drawn(run_program, ssda_run, tmp_path):
  done = run_program(
    'filters',
    f'--workdir={ssda_run}',
    '--data=photos:val',
    '--patches=64',
    f'--output={tmp_path}',
  )
  assert done.returncode == 0, done.stderr
  with (tmp_path / 'activations.csv').open() as file:
    rows = list(csv.DictReader(file))
  # Two layers of 32 sigmoid units.
  assert [row['layer'] for row in rows] == ['1'] * 32 + ['2'] * 32
  assert all(0 < float(row['mean_activation']) < 1 for row in rows)
  # Patches of 4x4, three pixels each, 32 of them: two rows of sixteen.
  filters = images.read(tmp_path / 'filters.png')
  tiles = filters[2:14, 2:14]
  assert len(np.unique(tiles)) > 4 and (filters[30:] == 255).all()
  bars = images.read(tmp_path / 'activations.png')
  assert {0, 140} & set(bars.flat) and bars.shape == (200, 500, 3)
