"""Whole evaluations: what is measured is right, and the same every time."""

import json
from pathlib import Path

import pytest
import torch
from evaluation import LENGTHS_S, Workplace, read_means, read_rows

from snac_cache import CodeStore
from snac_eval.decoding import noise_seed
from snac_eval.measure import FFT_SIZES_HIGH, FFT_SIZES_LOW
from snac_model import DualHeadSNAC, SeededNoise
from snac_model.audio import read_mono, resample
from snac_model.losses import ReconstructionLoss


def zero_the_second_head(model: DualHeadSNAC) -> None:
    convolution = model.head_48k.final[1]
    convolution.bias.zero_()  # type: ignore[operator]
    convolution.parametrizations.weight.original0.zero_()  # type: ignore[operator, union-attr]


def test_a_model_against_itself_differs_by_exactly_nothing(workplace: Workplace) -> None:
    means = read_means(workplace.evaluate(workplace.base, "--base", workplace.base))
    own = {key: mean for key, mean in means.items() if key[0] == "base (2)"}
    assert len(own) == 6
    for (_, rate, metric), mean in own.items():
        assert (mean["difference"], mean["change_percent"]) == (0.0, 0.0)
        assert mean["mean"] == means["base", rate, metric]["mean"]


def test_a_new_second_head_leaves_the_first_as_it_was(workplace: Workplace) -> None:
    model = workplace.save_model("untrained", lambda model: None)
    means = read_means(workplace.evaluate(model))
    for (name, rate, _), mean in means.items():
        if name == "untrained" and rate == 24000:
            assert mean["difference"] == 0.0


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
    assert len(alone) == 2 * 2 * (6 + 7)
    assert all(row in together for row in alone)


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
    store = CodeStore(workplace.root / "codes" / "val")
    for index, utterance in enumerate(store):
        codes = [torch.from_numpy(level.astype("int64"))[None] for level in store.codes(index)]
        noise = SeededNoise(noise_seed(seed, utterance.utterance_id))
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


def test_a_damaged_model_ranks_worse(workplace: Workplace) -> None:
    whole = workplace.save_model("whole", lambda model: None)
    damaged = workplace.save_model("damaged", zero_the_second_head)
    means = read_means(workplace.evaluate(whole, damaged, "--name", "ranked", "--samples", "1"))
    assert means["damaged", 48000, "loss"]["mean"] > means["whole", 48000, "loss"]["mean"]
    assert means["damaged", 24000, "loss"]["mean"] == means["whole", 24000, "loss"]["mean"]


def test_a_model_that_gives_no_number_has_null_and_a_reason(workplace: Workplace) -> None:
    def spoil(model: DualHeadSNAC) -> None:
        model.head_48k.final[1].bias.fill_(float("nan"))  # type: ignore[operator]

    folder = workplace.evaluate(workplace.save_model("spoilt", spoil), "--samples", "1")
    rows = [row for row in read_rows(folder) if (row["model"], row["rate"]) == ("spoilt", 48000)]
    assert {(row["value"], row["reason"]) for row in rows} == {(None, "the result is not finite")}
    mean = read_means(folder)["spoilt", 48000, "loss"]
    assert (mean["mean"], mean["difference"], mean["utterances"]) == (None, None, 0)
    assert mean["missing"] == {"the result is not finite": len(LENGTHS_S)}


def test_the_last_line_of_output_says_what_came_of_it(workplace: Workplace) -> None:
    model = workplace.save_model("said", lambda model: None)
    result = workplace.run(model, "--val-limit", "1")
    (line,) = result.stdout.splitlines()
    summary = json.loads(line)
    assert Path(summary["report"]).name == "report.html"
    assert set(summary["losses"]["said"]) == {"24k/loss", "48k/loss"}
    assert "base resampled" in result.stderr
