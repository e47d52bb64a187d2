"""What a report says in words: verdicts, differences, and which measures stand together."""

from dataclasses import replace
from pathlib import Path

import pytest

from snac_eval.models.evaluated import ModelSource
from snac_eval.models.names import duration
from snac_eval.models.references import Rates
from snac_eval.report.tables import metrics_of, tables
from snac_eval.statistics.bootstrap import Estimate
from snac_eval.statistics.catalogue import FIDELITY, KINDS, OTHER, REALISM
from snac_eval.statistics.changes import change, change_interval, percents
from snac_eval.statistics.summary import Key, Mean
from snac_eval.statistics.summary_file import Evaluation, MeasuredModel
from snac_eval.statistics.verdict import findings, in_lines

START = {24_000: "start", 48_000: "start resampled"}


def mean(
    metric: str, low: float, high: float, *, rate: int = 48_000, groups: int = 16, base: float = 2.0
) -> Mean:
    """Return a mean whose difference lies between two values."""
    middle = (low + high) / 2
    return Mean(
        Key("run", rate, metric),
        Estimate(base + middle, None, None, groups, groups),
        Estimate(middle, low, high, groups, groups),
        base,
        START[rate],
        {},
    )


def evaluation(*means: Mean) -> Evaluation:
    models = [
        MeasuredModel(ModelSource(name, name), "0" * 64, own_codes=False)
        for name in ("start", "run")
    ]
    return Evaluation(
        models, "start", "1" * 64, Path(), Path(), Rates(24_000, 48_000), "val", 16, 60.0, 0, None,
        None, {}, list(means),
    )  # fmt: skip


def test_a_table_of_one_model_names_that_one() -> None:
    """Not the first of all: that one may lack the rate."""
    shown = [
        replace(mean("loss", *LOWER, rate=rate), key=Key(name, rate, "loss"))
        for name, rate in (("ten", 24_000), ("twelve", 24_000), ("twelve", 48_000))
    ]
    high, low = tables(evaluation(*shown))
    assert (high.rate, high.models) == (48_000, ["twelve"])
    assert (low.rate, low.models) == (24_000, ["ten", "twelve"])


def said(*means: Mean) -> list[str]:
    return in_lines(findings(evaluation(*means)))


LOWER, HIGHER, UNCLEAR = (-0.5, -0.3), (0.3, 0.5), (-0.1, 0.1)


def test_better_on_every_measure_is_said_against_resampling() -> None:
    assert said(mean("loss", *LOWER), mean("lsd", *LOWER)) == [
        "48 kHz: better than resampling on every measure. The mean loss is 20.0 % lower.",
        "realism: not measured.",
    ]


def test_gains_and_losses_are_named() -> None:
    (line, _) = said(mean("loss", *LOWER), mean("l1", *HIGHER), mean("mel", *UNCLEAR))
    assert line == (
        "48 kHz: better than resampling on 1 of 3: loss; worse than resampling on L1; no clear "
        "difference in mel. The mean loss is 20.0 % lower."
    )


def test_each_rate_is_compared_with_what_it_replaces() -> None:
    high, low, _ = said(mean("loss", *HIGHER), mean("loss", 0.0, 0.0, rate=24_000))
    assert high.startswith("48 kHz: worse than resampling on loss. The mean loss is 20.0 % higher")
    assert low == "24 kHz: the same as the starting model, on every utterance."


def test_no_clear_difference_and_too_few() -> None:
    assert said(mean("loss", *UNCLEAR))[0] == "48 kHz: no clear difference from resampling."
    few = said(mean("loss", *LOWER, groups=4))[0]
    assert few == "48 kHz: too few to say: 4 measured, 8 are needed."


def test_realism_stands_apart_from_fidelity() -> None:
    fidelity, realism = said(mean("loss", *LOWER), mean("dnsmos", *LOWER))
    assert "better than resampling on loss" in fidelity
    assert realism.startswith("realism at 48 kHz: worse than resampling on DNSMOS")


def test_where_a_gain_lies_is_said() -> None:
    line = said(
        mean("lsd", *LOWER), mean("lsd_below", 0.001, 0.003), mean("lsd_above", -1.0, -0.8)
    )[0]
    assert "Log-spectral distance is 0.1 % higher below 12 kHz and 45.0 % lower above it." in line


@pytest.mark.parametrize(
    ("metric", "low", "high", "text", "between"),
    [
        ("loss", -0.5, -0.3, "20.0 % lower", "15.0 to 25.0 % lower"),
        ("loss", 0.3, 0.5, "20.0 % higher", "15.0 to 25.0 % higher"),
        ("loss", -0.1, 0.3, "5.0 % higher", "5.0 % lower to 15.0 % higher"),
        ("loss", 0.0, 0.0, "the same", "the same"),
        ("loss", -0.0002, -0.0001, "<0.1 % lower", "<0.1 % lower"),
        ("pesq", 0.1, 0.3, "0.200 higher", "0.100 to 0.300 higher"),
    ],
)
def test_differences_are_words(
    metric: str, low: float, high: float, text: str, between: str
) -> None:
    found = mean(metric, low, high)
    assert (change(found), change_interval(found)) == (text, between)


def test_better_is_drawn_to_the_right_whichever_way_it_is() -> None:
    assert percents(mean("loss", -0.5, -0.3)) == pytest.approx((15, 20, 25))
    assert percents(mean("pesq", 0.3, 0.5)) == pytest.approx((15, 20, 25))


def test_what_says_nothing_is_folded_away() -> None:
    (table,) = tables(
        evaluation(
            mean("loss", *LOWER),
            mean("stft_1024", *LOWER),
            mean("si_sdr", *LOWER),
            mean("clipping", 0.0, 0.0, base=0.0),
            mean("dnsmos", *HIGHER),
        )
    )
    shown = {name: [row.metric for row in rows] for name, rows in table.groups.items()}
    assert shown == {
        FIDELITY: ["loss"],
        REALISM: ["dnsmos"],
        OTHER: ["stft_1024", "si_sdr", "clipping"],
    }
    assert "stft_1024" not in metrics_of([table]), "it goes by the definition of stft"


def test_every_metric_has_a_group_and_a_definition() -> None:
    for kind in KINDS.values():
        assert kind.group in (FIDELITY, REALISM, OTHER)
        assert kind.what.endswith(".")


def test_durations_are_said_in_units_of_their_size() -> None:
    assert [duration(seconds) for seconds in (36, 71, 3.05, 7200 * 9)] == [
        "36 s", "1 min 11 s", "3.05 s", "18.0 h"
    ]  # fmt: skip
