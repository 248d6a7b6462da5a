"""An evaluation as files: for programs, for people, and for the eye."""

import csv
import io
import json
import os
import pathlib
from typing import Any

from inpaintax import atomic, images
from inpaintax.evaluate import Evaluation
from inpaintax.images import grids

_HEADINGS = (
  'method',
  'L1 %',
  'L2 %',
  'PSNR dB [95 %]',
  'PSNR of mean',
  'SSIM',
  'sharpness',
  'ms',
)


def headings(row: dict[str, Any]) -> list[str]:
  """What stands above the columns.

  Args:
    row: one of `Evaluation.rows`.

  Returns:
    A text for each column.
  """
  return [
    *_HEADINGS,
    *(['seam'] if 'seam' in row else []),
    *(['PSNR marked'] if 'marked_psnr_db' in row else []),
  ]


def cells(row: dict[str, Any]) -> list[str]:
  """A row of figures as text, under `headings`.

  Args:
    row: of `Evaluation.rows`.

  Returns:
    As many texts as there are headings.
  """
  low, high = row['psnr_db_ci95']
  ratio = lambda value: '–' if value is None else f'{value:.3f}'
  marked = row.get('marked_psnr_db')
  return [
    row['method'],
    f'{row["l1_percent"]:.2f}',
    f'{row["l2_percent"]:.2f}',
    f'{row["psnr_db"]:.2f} [{low:.2f}, {high:.2f}]',
    f'{row["psnr_of_mean_db"]:.2f}',
    f'{row["ssim"]:.3f}',
    ratio(row['sharpness']),
    f'{1000 * row["seconds_per_image"]:.2f}',
    *([ratio(row['seam'])] if 'seam' in row else []),
    *([] if marked is None else [f'{marked:.2f}']),
  ]


def write(
  folder: str | os.PathLike[str],
  evaluation: Evaluation,
  about: dict[str, Any],
  *,
  protocol: str,
) -> pathlib.Path:
  """Writes `per_image.csv`, `results.md`, `results.json`, and two pictures.

  `grid.png` has the first images, `worst.png` those that the first method is
  worst on, if they were kept. Each appears under its name when it is complete,
  `results.json` last.

  Args:
    folder: where to; made if it is not there.
    evaluation: what was measured.
    about: plain JSON, how it was measured: goes into `results.json` beside `n`
      and `rows`, and into `results.md`.
    protocol: a sentence or two on what the figures are of, for `results.md`.

  Returns:
    The path of the grid.

  Raises:
    OSError: a file cannot be written.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  grid = folder / 'grid.png'
  if len(evaluation.pictures[0][1]):
    images.write(grid, grids.picture_grid(evaluation.pictures))
  atomic.write_text(folder / 'per_image.csv', _csv(evaluation))
  atomic.write_text(
    folder / 'results.md', _markdown(evaluation, about, protocol)
  )
  results = {'n': len(evaluation.names), 'rows': evaluation.rows, **about}
  worst = evaluation.worst
  # An older one would be taken for this evaluation's.
  (folder / 'worst.png').unlink(missing_ok=True)
  if worst is not None and worst.names:
    images.write(
      folder / 'worst.png', grids.picture_grid([*worst.pictures.items()])
    )
    pairs = zip(worst.names, worst.psnr_db, strict=True)
    results['worst'] = [{'image': n, 'psnr_db': psnr} for n, psnr in pairs]
  text = json.dumps(results, indent=2, allow_nan=False, ensure_ascii=False)
  atomic.write_text(folder / 'results.json', text + '\n')
  return grid


def _csv(evaluation: Evaluation) -> str:
  out = io.StringIO()
  writer = csv.writer(out, lineterminator='\n')
  for method, figures in evaluation.per_image.items():
    if not out.tell():
      writer.writerow(['image', 'method', *figures])
    for number, name in enumerate(evaluation.names):
      values = [f'{values[number]:.9g}' for values in figures.values()]
      writer.writerow([name, method, *values])
  return out.getvalue()


def _markdown(
  evaluation: Evaluation, about: dict[str, Any], protocol: str
) -> str:
  titles = headings(evaluation.rows[0])
  lines = [
    f'# Images: {len(evaluation.names)}',
    '',
    '| ' + ' | '.join(titles) + ' |',
    '| --- ' + '| ---: ' * (len(titles) - 1) + '|',
    *('| ' + ' | '.join(cells(row)) + ' |' for row in evaluation.rows),
    '',
    f"{protocol} PSNR is the mean of the images' own, with a 95 % bootstrap"
    ' interval over images; "PSNR of mean" belongs to the mean L2. Sharpness:'
    " gradient magnitude, divided by the original's; seam: likewise, of the"
    ' difference across the edge of the hole. ms: for each image.',
    '',
    '![The original, what was given, and what each method made](grid.png)',
    '',
  ]
  for key, value in about.items():
    text = value if isinstance(value, str) else json.dumps(value)
    lines.append(f'- {key}: `{text}`')
  return '\n'.join(lines) + '\n'
