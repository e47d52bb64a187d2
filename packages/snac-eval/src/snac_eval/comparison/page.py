"""A comparison as a page: everything in one file, nothing fetched."""

from snac_eval.comparison.compare import Comparison
from snac_eval.comparison.drawing import colour, curves_figure, has_curve
from snac_eval.comparison.formats import change, in_words, number
from snac_eval.comparison.recipes import recipe_differences
from snac_eval.comparison.run import higher_is_better
from snac_eval.pages import render


def as_html(comparison: Comparison) -> str:
    """Return the page; the same comparison gives the same bytes."""
    runs = comparison.runs
    drawn = [metric for metric in comparison.metrics if has_curve(runs, metric)]
    rows: dict[str, list[object]] = {}
    for row in comparison.rows():
        rows.setdefault(row.metric, []).append(row)
    return render(
        "comparison.html.jinja",
        {"number": number, "change": change, "in_words": in_words, "rises": higher_is_better},
        comparison=comparison,
        rows=rows,
        differences=recipe_differences(comparison.runs),
        drawings={metric: curves_figure(runs, metric) for metric in drawn},
        colours={run.name: colour(index) for index, run in enumerate(runs)},
    )
