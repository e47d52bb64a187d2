"""The main figures as plain text, for a terminal."""

from collections.abc import Iterable, Sequence

from snac_eval.names import rate_name
from snac_eval.summary import Mean

HEADER = ("model", "rate", "loss", "l1", "stft", "change")


def text_table(means: Sequence[Mean]) -> str:
    """Return one line a model and rate; ``change`` is that of the loss against the base."""
    by_key = {(mean.model, mean.rate, mean.metric): mean for mean in means}
    lines = [
        (
            loss.model,
            rate_name(loss.rate),
            *(number(by_key[loss.model, loss.rate, part].mean) for part in ("loss", "l1", "stft")),
            percent(loss.change_percent),
        )
        for loss in sorted(means, key=lambda mean: mean.rate)
        if loss.metric == "loss"
    ]
    return _aligned([HEADER, *lines])


def number(value: float | None) -> str:
    """Return a metric's value to four decimals, a hyphen where it is missing."""
    return "-" if value is None else f"{value:.4f}"


def percent(value: float | None) -> str:
    """Return a change with its sign, a hyphen where it is missing."""
    return "-" if value is None else f"{value:+.1f} %"


def _aligned(lines: Iterable[Sequence[str]]) -> str:
    """Pad the cells: names to the left, numbers to the right."""
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    padded = [
        [cell.ljust(width) if index == 0 else cell.rjust(width) for cell in column]
        for index, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    return "\n".join("  ".join(line) for line in zip(*padded, strict=True))
