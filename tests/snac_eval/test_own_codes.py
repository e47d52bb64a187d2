"""Models with an encoder of their own: each decodes its own codes of the same audio."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from evaluation import Workplace, cache, manifest_row, read_differences, read_means, read_rows
from models import liven
from runs import write_run

from snac_cache.fingerprint import audio_fingerprint
from snac_model import load, save


@pytest.fixture(scope="module")
def tuned(workplace: Workplace) -> Path:
    """A model whose encoder and projections were trained too, from the base."""
    model = workplace.load_base()
    torch.manual_seed(3)
    liven(model)
    save(model, workplace.root / "models" / "tuned")
    return workplace.root / "models" / "tuned"


@pytest.fixture(scope="module")
def own_codes(workplace: Workplace, tuned: Path) -> Path:
    """The same utterances, encoded by the tuned model."""
    paths = sorted((workplace.root / "audio").glob("*.wav"))
    cache([manifest_row(path) for path in paths], tuned, workplace.root / "own_codes")
    return workplace.root / "own_codes"


def values(folder: Path) -> dict[tuple[str, ...], float | None]:
    return {
        (row["utterance_id"], row["model"], str(row["rate"]), row["metric"]): row["value"]
        for row in read_rows(folder)
    }


@pytest.mark.parametrize(
    "segment", [[], pytest.param(["--segment", "0.5"], marks=pytest.mark.campaign)]
)
def test_who_made_the_cached_codes_makes_no_difference(
    workplace: Workplace, tuned: Path, own_codes: Path, segment: list[str]
) -> None:
    of_base = workplace.evaluate(tuned, "--name", "of-base", *segment)
    more = ["--codes", own_codes, "--base", workplace.base, "--name", "of-tuned", *segment]
    of_tuned = workplace.evaluate(tuned, *more)
    assert values(of_base) == values(of_tuned)
    assert values(of_base)


def test_a_model_without_codes_of_its_own_is_as_it_was(workplace: Workplace, tuned: Path) -> None:
    alone = values(workplace.evaluate(workplace.base, "--name", "alone"))
    beside = values(workplace.evaluate(workplace.base, tuned, "--name", "beside"))
    assert alone.items() <= beside.items()


def test_what_it_decodes_is_what_it_makes_of_the_audio(workplace: Workplace, tuned: Path) -> None:
    model, base = load(tuned), workplace.load_base()
    path = sorted((workplace.root / "audio").glob("*.wav"))[0]
    audio = torch.from_numpy(soundfile.read(path, dtype="float32")[0])[None, None]
    assert any(
        not torch.equal(own, other)
        for own, other in zip(model.encode(audio), base.encode(audio), strict=True)
    )
    differences = read_differences(workplace.evaluate(tuned, "--name", "differs"))
    assert abs(differences[("tuned", 24_000, "loss")]["mean"]) > 1e-3


def test_it_is_said_which_codes_each_decodes(workplace: Workplace, tuned: Path) -> None:
    result = workplace.run(tuned, "--name", "said")
    assert result.exit_code == 0, result.stderr
    assert "tuned has an encoder or quantizer of its own" in result.stderr
    summary = json.loads((workplace.root / "eval/said/summary.json").read_text())
    assert {model["name"]: model["codes"] for model in summary["models"]} == {
        "base": "cached",
        "tuned": "own",
    }


def test_the_base_of_a_run_that_made_the_codes_is_what_it_started_from(
    workplace: Workplace, tuned: Path, tmp_path: Path
) -> None:
    run = write_run(workplace.root, "full", state={"base": str(workplace.base)})
    save(load(tuned), run / "best")
    paths = sorted((workplace.root / "audio").glob("*.wav"))
    cache([manifest_row(path) for path in paths], run / "best", tmp_path / "codes")
    folder = workplace.evaluate("full", "--codes", tmp_path / "codes", "--name", "full-run")
    assert json.loads((folder / "summary.json").read_text())["base"] == "base"
    assert abs(read_differences(folder)[("full", 24_000, "loss")]["mean"]) > 1e-3
    expected = read_means(workplace.evaluate(tuned, "--name", "expected"))
    assert (
        read_means(folder)[("full", 24_000, "loss")]["mean"]
        == expected[("tuned", 24_000, "loss")]["mean"]
    )


def test_audio_that_was_replaced_is_not_encoded(
    workplace: Workplace, tuned: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "one.wav", tmp_path / "target.wav"
    for path in (source, target):
        original = sorted((workplace.root / "audio").glob("*.wav"))[0]
        path.write_bytes(original.read_bytes())
    row = manifest_row(source, target_path=str(target))
    row |= {"audio_fingerprint": audio_fingerprint(str(source))}
    cache([row], workplace.base, tmp_path / "codes")
    audio, rate = soundfile.read(source)
    soundfile.write(source, audio[::-1], rate)
    result = workplace.run(tuned, "--codes", tmp_path / "codes", "--name", "replaced")
    assert result.exit_code == 1
    assert "was replaced since" in result.stderr
    rows = pq.read_table(workplace.root / "eval/replaced/metrics.parquet").to_pylist()
    assert {row["value"] for row in rows} == {None}


def test_the_samples_are_of_the_same_codes(workplace: Workplace, tuned: Path) -> None:
    folder = workplace.evaluate(tuned, "--name", "heard", "--samples", 1)
    heard = sorted((folder / "audio").rglob("*tuned*"))
    assert heard
    again = workplace.evaluate(tuned, "--name", "heard", "--samples", 1, "--report-only")
    assert [path.name for path in sorted((again / "audio").rglob("*tuned*"))] == [
        path.name for path in heard
    ]
