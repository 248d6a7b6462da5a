"""Curves and points, as pieces of a page that can be pointed at."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

_HEIGHT = 280
# Seen apart with every kind of sight: Okabe and Ito 2008.
COLORS = (
  '#0072B2',
  '#D55E00',
  '#009E73',
  '#CC79A7',
  '#E69F00',
  '#56B4E9',
  '#F0E442',
  '#000000',
)


def curves(
  title: str,
  lines: Sequence[tuple[str, Sequence[float], Sequence[float]]],
  *,
  groups: Sequence[tuple[int, str]] | None = None,
) -> str:
  """Values over steps.

  Args:
    title: above the chart.
    lines: (name, steps, values) of each curve.
    groups: the number of each curve's colour and what it stands for; None: each
      has its own.

  Returns:
    HTML.
  """
  figure = _figure(title)
  seen = set()
  for number, (name, steps, values) in enumerate(lines):
    color, group = groups[number] if groups else (number, name)
    few = len(steps) < 40
    figure.add_trace(
      go.Scatter(
        x=list(steps),
        y=_finite(values),
        name=group,
        legendgroup=group,
        showlegend=group not in seen,
        opacity=0.8,
        mode='lines+markers' if few else 'lines',
        line={'color': COLORS[color % len(COLORS)], 'width': 1.8},
        marker={'size': 4},
        hovertemplate='step %{x}: %{y:.5g}<extra>' + name + '</extra>',
      )
    )
    seen.add(group)
  # On a phone each name has a line of its own.
  height = _HEIGHT + 20 * max(0, len(seen) - 2)
  figure.update_layout(showlegend=len(seen) > 1, height=height)
  figure.update_xaxes(title='step', rangemode='tozero')
  return _html(figure)


def points(
  title: str,
  values: Sequence[str],
  scores: Sequence[float],
  names: Sequence[str],
  *,
  metric: str,
  kind: str,
) -> str:
  """What a flag's values have led to: a point for each trial, a bar for means.

  Args:
    title: above the chart.
    values: of the flag, one for each trial.
    scores: likewise.
    names: likewise, for those who point at one.
    metric: what the scores are of.
    kind: `log`, `lin` or `int` where values are numbers on an axis; else each
      has its own place.

  Returns:
    HTML.
  """
  figure = _figure(title)
  places: list[Any] = list(values)
  if kind in ('log', 'lin', 'int'):
    places = [float(value) for value in values]
    figure.update_xaxes(type='log' if kind == 'log' else 'linear')
  else:
    figure.update_xaxes(type='category')
    known = list(dict.fromkeys(values))
    means = [
      statistics.fmean(
        [s for v, s in zip(values, scores, strict=True) if v == k]
      )
      for k in known
    ]
    figure.add_trace(
      go.Scatter(
        x=known,
        y=means,
        mode='lines+markers',
        line={'color': COLORS[1], 'dash': 'dot', 'width': 1.5},
        marker={'symbol': 'line-ew-open', 'size': 28, 'line': {'width': 3}},
        hovertemplate='mean %{y:.5g}<extra></extra>',
      )
    )
  figure.add_trace(
    go.Scatter(
      x=places,
      y=list(scores),
      mode='markers',
      text=list(names),
      marker={'color': COLORS[0], 'size': 8, 'opacity': 0.65},
      hovertemplate='%{y:.5g}<extra>%{text}</extra>',
    )
  )
  figure.update_layout(showlegend=False)
  figure.update_yaxes(title=metric)
  return _html(figure)


def _figure(title):
  figure = go.Figure()
  figure.update_layout(
    title={'text': title, 'font': {'size': 14}, 'x': 0.02},
    template='plotly_white',
    height=_HEIGHT,
    margin={'l': 56, 'r': 12, 't': 40, 'b': 40},
    font={'family': 'system-ui, sans-serif', 'size': 12},
    legend={'orientation': 'h', 'y': -0.32},
    hovermode='closest',
  )
  return figure


def _html(figure):
  return figure.to_html(
    full_html=False,
    include_plotlyjs=False,
    include_mathjax=False,
    config={'responsive': True, 'displaylogo': False, 'displayModeBar': False},
  )


def _finite(values):
  """JSON has no NaN; a gap says the same."""
  return [value if math.isfinite(value) else None for value in values]
