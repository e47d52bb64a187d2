"""A comparison as a page: everything in one file, nothing fetched."""

from snac_eval.comparison.compare import Comparison, Row
from snac_eval.comparison.drawing import colour, curves_figure, has_curve
from snac_eval.comparison.formats import by_group, change, in_words, interval, number
from snac_eval.comparison.recipes import recipe_differences
from snac_eval.comparison.run import better
from snac_eval.report.pages import render


def as_html(comparison: Comparison) -> str:
    """Return the page; the same comparison gives the same bytes."""
    runs = comparison.runs
    drawn = [metric for metric in comparison.metrics if has_curve(runs, metric)]
    groups: dict[str, dict[str, list[Row]]] = {}
    for name, rows in by_group(comparison).items():
        for row in rows:
            groups.setdefault(name, {}).setdefault(row.metric, []).append(row)
    return render(
        "comparison.html.jinja",
        {
            "number": number,
            "change": change,
            "in_words": in_words,
            "interval": interval,
            "better": better,
        },
        comparison=comparison,
        groups=groups,
        differences=recipe_differences(comparison.runs),
        drawings={metric: curves_figure(runs, metric) for metric in drawn},
        colours={run.name: colour(index) for index, run in enumerate(runs)},
    )
