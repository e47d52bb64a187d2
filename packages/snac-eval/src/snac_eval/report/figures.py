"""Drawings for the report, as SVG that takes its colours from the page around it."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snac_eval.measuring.metrics_database import Spread

# Matplotlib writes plain colours; each of these stands for one that the page's theme decides.
INK, GRID, TRAINED, VALIDATED, BASE = "#010101", "#020202", "#030303", "#040404", "#050505"
THEME = {
    INK: "currentColor",
    GRID: "var(--grid)",
    TRAINED: "var(--curve-train)",
    VALIDATED: "var(--curve-val)",
    BASE: "var(--curve-base)",
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may have dollar signs
    "font.size": 9,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
MAX_POINTS = 600
SEEN = "segments seen in training"
LONGEST_NAME = 16
WITHOUT_TRAINING = {"baseline": "starting model", "resampled": "resampled"}


def spread_figure(title: str, spreads: Sequence[tuple[str, Spread]]) -> Markup:
    """Draw percentiles by name as boxes: the middle half, with lines from 5 to 95 %."""
    boxes = [
        dict(zip(("whislo", "q1", "med", "q3", "whishi"), spread.percentiles, strict=True))
        for _, spread in spreads
    ]
    with rc_context(STYLE):
        figure = Figure(figsize=(3.6, 0.75 + 0.26 * len(spreads)))
        height = figure.get_figheight()
        axes = figure.add_axes((0.31, 0.26 / height, 0.66, 1 - 0.56 / height))
        axes.grid(color=GRID, linewidth=0.5, axis="x")
        lines = {"color": VALIDATED}
        axes.bxp(
            boxes,
            orientation="horizontal",
            showfliers=False,
            widths=0.55,
            boxprops=lines,
            whiskerprops=lines,
            capprops=lines,
            medianprops={"color": BASE, "linewidth": 2},
        )
        axes.set_yticklabels([shortened(name) for name, _ in spreads])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.invert_yaxis()
        axes.set_title(title, loc="left", fontsize=9, fontweight="bold")
        return themed_svg(figure)


def shortened(name: str) -> str:
    """Return a name with its end left out where it is too long for a drawing."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def loss_figure(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], stages: Mapping[str, float]
) -> Markup:
    """Draw a loss over the segments seen in training.

    Args:
        curves: segments and values by kind: ``train``, ``val``; and what there is without
            training, ``baseline`` or ``resampled``.
        stages: segments seen before each stage.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(4.8, 2.9))
        axes = figure.add_axes((0.11, 0.25, 0.87, 0.66))
        axes.grid(color=GRID, linewidth=0.5)
        if "train" in curves:
            axes.plot(*thinned(*curves["train"]), color=TRAINED, linewidth=1, label="training")
        if "val" in curves:
            axes.plot(*curves["val"], color=VALIDATED, marker="o", markersize=3, label="validation")
        for name, label in WITHOUT_TRAINING.items():
            if name in curves:
                level = curves[name][1][-1]
                axes.axhline(level, color=BASE, linestyle="--", linewidth=1.5, label=label)
        _mark_stages(axes, stages)
        axes.set_xlabel(SEEN, loc="left")
        figure.legend(frameon=False, fontsize=8, loc="lower right", ncols=3)
        return themed_svg(figure)


def thinned(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbours until a curve of any length ``[N]`` has at most 600 points."""
    pieces = min(len(steps), MAX_POINTS)
    return (
        np.array([piece.mean() for piece in np.array_split(steps, pieces)]),
        np.array([piece.mean() for piece in np.array_split(values, pieces)]),
    )


def _mark_stages(axes: Axes, stages: Mapping[str, float]) -> None:
    """Draw a line where a stage begins; one that begins with the run needs none."""
    for name, step in list(stages.items())[1:]:
        axes.axvline(step, color=INK, linewidth=0.8, linestyle=":")
        axes.text(
            step, 1.02, f"{name} after {step:g}", transform=axes.get_xaxis_transform(), ha="center"
        )


def themed(drawing: str) -> Markup:
    """Have an SVG element take its colours from the page around it."""
    for colour, name in THEME.items():
        drawing = drawing.replace(colour, name)
    return Markup(drawing)


def themed_svg(figure: Figure) -> Markup:
    """Return a figure as an SVG element that takes its colours from the page around it."""
    return themed(_svg(figure))


def _svg(figure: Figure) -> str:
    """Return a figure as an SVG element without dates or random names."""
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "snac-eval"}):
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
