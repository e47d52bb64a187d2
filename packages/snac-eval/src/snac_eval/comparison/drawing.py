"""Curves of one loss in several runs, over the samples that they have seen."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from snac_eval.comparison.run import Run
from snac_eval.report.figures import GRID, SEEN, STYLE, themed_svg

# Paul Tol's bright scheme: told apart by colour-blind people, and visible on light and dark.
COLOURS = ("#4477aa", "#ee6677", "#228833", "#b8a52e", "#3fa9c9", "#aa3377")
DASHES = ("-", "--", ":")


def colour(index: int) -> str:
    """Return the colour of a run by its place among the runs."""
    return COLOURS[index % len(COLOURS)]


def dashes(index: int) -> str:
    """Return the line style of a run, which changes when the colours begin anew."""
    return DASHES[index // len(COLOURS) % len(DASHES)]


def has_curve(runs: Sequence[Run], metric: str) -> bool:
    """Say whether any run has validated a loss in the course of training."""
    return any(("val", metric) in run.curves for run in runs)


def curves_figure(runs: Sequence[Run], metric: str) -> Markup:
    """Draw a loss: validation strong, training faint, each starting model as a dotted line."""
    with rc_context(STYLE):
        figure = Figure(figsize=(4.8, 2.9))
        axes = figure.add_axes((0.11, 0.17, 0.87, 0.79))
        axes.grid(color=GRID, linewidth=0.5)
        for index, run in enumerate(runs):
            _draw(axes, run, metric, index)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel(SEEN, loc="left")
        return themed_svg(figure)


def _draw(axes: Axes, run: Run, metric: str, index: int) -> None:
    style: dict[str, Any] = {"color": colour(index), "linestyle": dashes(index)}
    trained, validated = run.curves.get(("train", metric)), run.curves.get(("val", metric))
    if trained:
        axes.plot(*zip(*trained.points(), strict=True), linewidth=0.8, alpha=0.35, **style)
    if validated:
        points = validated.points()
        marker = "o" if len(points) <= 40 else None
        axes.plot(*zip(*points, strict=True), marker=marker, markersize=3, linewidth=1.5, **style)
    start = run.to_beat(metric)
    if start is not None:
        axes.axhline(start, color=colour(index), linestyle=(0, (2, 3)), linewidth=1.2)
