"""Whole evaluations: what is measured is right, and the same every time."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from evaluation import LENGTHS_S, Workplace, read_differences, read_means, read_rows

from snac_cache import CodeStore
from snac_cache.manifests.limit import chosen
from snac_eval.measuring.measure import FFT_SIZES_HIGH, FFT_SIZES_LOW
from snac_eval.models.decoding import utterance_seed
from snac_model import DualHeadSNAC, SeededNoise
from snac_model.audio.reading import read_mono, resample
from snac_model.losses.reconstruction import ReconstructionLoss

# the loss and its parts, the spectral distance, sharpness and its bands, what has one number each,
# the distance of the set
METRICS_LOW = 6 + 1 + (2 + 5) + 5 + 1
METRICS_HIGH = 7 + 3 + (2 + 7) + 5 + 1


def test_a_model_against_itself_differs_by_exactly_nothing(workplace: Workplace) -> None:
    folder = workplace.evaluate(workplace.base, "--base", workplace.base)
    means, differences = read_means(folder), read_differences(folder)
    own = {key: line for key, line in differences.items() if key[0] == "base (2)"}
    assert len(own) == METRICS_LOW
    for (_, rate, metric), line in own.items():
        if line["n"] or not metric.startswith("sharpness_"):  # tones leave bands empty
            assert (line["mean"], line["ci_low"], line["ci_high"]) == (0.0, None, None), "only four"
            assert line["n"] == line["groups"] == len(LENGTHS_S)
        again = means["base (2)", rate, metric]
        assert again == {**means["base", rate, metric], "model": "base (2)"}


def test_a_new_second_head_leaves_the_first_as_it_was(workplace: Workplace) -> None:
    model = workplace.save_model("untrained", lambda model: None)
    for (name, rate, _), line in read_differences(workplace.evaluate(model)).items():
        if name == "untrained" and rate == 24000:
            assert line["mean"] == 0.0


def test_evaluated_twice_gives_the_same_files(workplace: Workplace) -> None:
    model = workplace.save_model("same", lambda model: None)
    first = workplace.evaluate(model, "--name", "once", "--samples", "1")
    second = workplace.evaluate(model, "--name", "again", "--samples", "1")
    for file in ("metrics.parquet", "summary.json", "report.html"):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


def test_a_value_does_not_depend_on_what_is_evaluated_beside_it(workplace: Workplace) -> None:
    model = workplace.save_model("beside", lambda model: None)
    alone = read_rows(workplace.evaluate(model, "--val-limit", "2"))
    together = read_rows(workplace.evaluate(model, workplace.base))
    assert len(alone) == 2 * 2 * (METRICS_LOW + METRICS_HIGH)
    assert all(row in together for row in alone if row["metric"] != "frechet_mel"), "of the set"


@pytest.mark.parametrize("seed", [0, 7])
def test_losses_are_those_of_a_direct_computation(workplace: Workplace, seed: int) -> None:
    model = workplace.save_model("direct", lambda model: None)
    rows = read_rows(workplace.evaluate(model, "--seed", str(seed)))
    found = {
        (row["utterance_id"], row["rate"], row["metric"]): row["value"]
        for row in rows
        if row["model"] == "direct"
    }
    dual = DualHeadSNAC.from_base(workplace.load_base())
    store = CodeStore(workplace.root / "codes", "val")
    for index, utterance in enumerate(store):
        codes = [torch.from_numpy(level.astype("int64"))[None] for level in store.codes(index)]
        noise = SeededNoise(utterance_seed(seed, utterance.utterance_id))
        with torch.no_grad():
            low, high = dual.decode(codes, noise)
        target = read_mono(utterance.audio_path)[0]
        assert len(target) == round(48000 * LENGTHS_S[index])
        pairs = {
            24000: (low, resample(target, 48000, 24000), FFT_SIZES_LOW),
            48000: (high, target, FFT_SIZES_HIGH),
        }
        for rate, (audio, reference, sizes) in pairs.items():
            loss = ReconstructionLoss(sizes, 1.0, 1.0)
            length = torch.tensor([len(reference)])
            direct = loss(audio[0, :, : len(reference)], reference[None], length)
            for metric, value in direct.items():
                assert found[utterance.utterance_id, rate, metric] == pytest.approx(
                    value.item(), rel=1e-5
                )
            parts = [found[utterance.utterance_id, rate, f"stft_{size}"] for size in sizes]
            stft = found[utterance.utterance_id, rate, "stft"]
            assert sum(parts) / len(parts) == pytest.approx(stft, rel=1e-5)


def test_nothing_depends_on_the_number_of_workers(workplace: Workplace) -> None:
    model = workplace.save_model("spread", lambda model: None)
    options = ("--ceiling", "--samples", "2")
    alone = workplace.evaluate(model, "--name", "alone", *options)
    several = workplace.evaluate(model, "--name", "several", *options, "--workers", 2)
    for file in ("metrics.parquet", "summary.json"):
        assert (alone / file).read_bytes() == (several / file).read_bytes(), file


def test_a_limit_chooses_by_a_hash_of_the_ids(workplace: Workplace) -> None:
    """The first utterances of a sorted corpus are one speaker's."""
    rows = read_rows(workplace.evaluate(workplace.base, "--limit", 2))
    ids = pa.chunked_array([[f"val/utterance {number}" for number in range(len(LENGTHS_S))]])
    expected = ids.take(chosen(ids, 2)).to_pylist()
    assert sorted({row["utterance_id"] for row in rows}) == sorted(expected)
    assert expected != ids.to_pylist()[:2]


def test_a_processor_computes_in_one_thread(workplace: Workplace) -> None:
    torch.set_num_threads(2)
    workplace.evaluate(workplace.base, "--val-limit", 1)
    assert torch.get_num_threads() == 1


def test_the_ceiling_is_the_reference_against_itself(workplace: Workplace) -> None:
    rows = read_rows(workplace.evaluate(workplace.base, "--ceiling"))
    ceiling = [row for row in rows if row["model"] == "reference"]
    assert len(ceiling) == len(LENGTHS_S) * (METRICS_LOW + METRICS_HIGH)
    for row in ceiling:
        if row["metric"] == "si_sdr":
            assert (row["value"], row["reason"]) == (
                None,
                "the output is the reference, up to a gain",
            )
        elif re.fullmatch(r"sharpness(_\d+_\d+)?", row["metric"]):
            assert row["value"] == 1 or "below the floor" in row["reason"]
        else:
            assert row["value"] == pytest.approx(0, abs=1e-5)


def test_a_segment_is_whole_coarse_tokens_of_the_start(workplace: Workplace) -> None:
    model = workplace.save_model("cut", lambda model: None)
    summary = json.loads((workplace.evaluate(model, "--segment", 0.5) / "summary.json").read_text())
    store = CodeStore(workplace.root / "codes", "val")
    tokens = -(-12000 // store.geometry.coarse_samples())
    covered = tokens * store.geometry.coarse_samples()
    lengths = [min(covered, utterance.num_samples) for utterance in store]
    assert summary["segment_s"] == 0.5
    assert summary["seconds"] == pytest.approx(sum(lengths) / 24000)


def test_a_model_that_gives_no_number_has_null_and_a_reason(workplace: Workplace) -> None:
    def spoil(model: DualHeadSNAC) -> None:
        model.head_48k.final[1].bias.fill_(float("nan"))  # type: ignore[operator]

    folder = workplace.evaluate(workplace.save_model("spoilt", spoil), "--samples", "1")
    rows = [row for row in read_rows(folder) if (row["model"], row["rate"]) == ("spoilt", 48000)]
    assert {(row["value"], row["reason"]) for row in rows} == {(None, "the output is not finite")}
    mean = read_means(folder)["spoilt", 48000, "loss"]
    assert (mean["mean"], mean["n"], mean["n_null"]) == (None, 0, len(LENGTHS_S))
    assert mean["missing"] == {"the output is not finite": len(LENGTHS_S)}
    assert read_differences(folder)["spoilt", 48000, "loss"]["mean"] is None


def test_the_last_line_of_output_says_what_came_of_it(workplace: Workplace) -> None:
    model = workplace.save_model("said", lambda model: None)
    result = workplace.run(model, "--val-limit", "1")
    (line,) = result.stdout.splitlines()
    summary = json.loads(line)
    assert Path(summary["report"]).name == "report.html"
    assert set(summary["losses"]["said"]) == {"24k/loss", "48k/loss"}
    assert "base resampled" in result.stderr
