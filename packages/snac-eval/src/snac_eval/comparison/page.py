"""A comparison as a page: everything in one file, nothing fetched."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from snac_eval.comparison.compare import Comparison
from snac_eval.comparison.drawing import colour, curves_figure, has_curve
from snac_eval.comparison.formats import in_words, number, percent
from snac_eval.comparison.recipes import recipe_differences


def as_html(comparison: Comparison) -> str:
    """Return the page; the same comparison gives the same bytes."""
    runs = comparison.runs
    drawn = [metric for metric in comparison.metrics if has_curve(runs, metric)]
    rows: dict[str, list[object]] = {}
    for row in comparison.rows():
        rows.setdefault(row.metric, []).append(row)
    environment = Environment(
        loader=PackageLoader("snac_eval"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, percent=percent, in_words=in_words)
    return environment.get_template("comparison.html.jinja").render(
        comparison=comparison,
        rows=rows,
        differences=recipe_differences(comparison.runs),
        drawings={metric: curves_figure(runs, metric) for metric in drawn},
        colours={run.name: colour(index) for index, run in enumerate(runs)},
    )
