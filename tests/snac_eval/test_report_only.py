"""Summary, page and samples made anew of metrics that are there."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from evaluation import Workplace, cache, manifest_row, read_differences, read_rows
from models import NARROW, seeded
from workplace import last_line, snapshot, write_tone

from snac_cache.store.resolve import open_manifest
from snac_eval.measuring.measure_utterance import UtteranceMeasurer
from snac_model import save


@pytest.fixture(scope="module")
def measured(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of an evaluation, and a copy of it."""
    model = workplace.save_model("reported", lambda model: None)
    folder = workplace.evaluate(model, "--samples", 1, "--seed", 3)
    return folder, shutil.copytree(folder, tmp_path_factory.mktemp("reported") / "copy")


@pytest.fixture
def evaluated(workplace: Workplace, measured: tuple[Path, Path]) -> Path:
    """The folder of an evaluation as it was left, beside the model of which it is."""
    folder, copy = measured
    shutil.rmtree(folder)
    workplace.save_model("reported", lambda model: None)
    return Path(shutil.copytree(copy, folder))


def test_the_same_options_give_the_same_files(
    workplace: Workplace, evaluated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(evaluated)
    (evaluated / "report.html").unlink()
    shutil.rmtree(evaluated / "audio")
    monkeypatch.delattr(UtteranceMeasurer, "measure")
    folder = workplace.evaluate("--report-only", "--name", "reported", "--samples", 1)
    assert folder == evaluated
    assert snapshot(folder) == before


def test_other_samples_and_groups(workplace: Workplace, evaluated: Path, tmp_path: Path) -> None:
    said = open_manifest(workplace.root / "codes" / "plan")
    speakers = pa.array(["anna", "ben", "anna", None])
    pq.write_table(said.append_column("speaker", speakers), tmp_path / "said.parquet")
    (evaluated / "votes.json").write_text("{}")
    result = workplace.run(
        workplace.root / "models" / "reported",
        *("--report-only", "--samples", 2, "--group-by", "speaker"),
        *("--manifest", tmp_path / "said.parquet", "--where", "speaker = 'anna'"),
    )
    assert result.exit_code == 0, result.stderr
    assert last_line(result)["samples"] == 2
    assert "1 utterances have no group" in result.stderr
    line = read_differences(evaluated)["reported", 48000, "loss"]
    assert (line["n"], line["groups"]) == (4, 3)
    assert "speaker" in (evaluated / "report.html").read_text(encoding="utf-8")
    assert (evaluated / "votes.json").read_text() == "{}", "what others put there stays"


@pytest.mark.parametrize(
    ("by", "groups"), [(r"utterance [01]|utterance [23]", 4), (r"utterance ([0-2])?", 4)]
)
def test_groups_by_what_is_found_in_ids(
    workplace: Workplace, evaluated: Path, by: str, groups: int
) -> None:
    workplace.evaluate("--report-only", "--name", "reported", "--group-by", by)
    assert read_differences(evaluated)["reported", 48000, "loss"]["groups"] == groups


@pytest.mark.parametrize("by", ["spekaer", "("])
def test_groups_that_there_are_not(workplace: Workplace, evaluated: Path, by: str) -> None:
    for arguments in (("--report-only", "--name", "reported"), (workplace.base,)):
        result = workplace.run(*arguments, "--group-by", by)
        assert (result.exit_code, "no column of the manifest" in result.stderr) == (2, True)


@pytest.mark.parametrize("option", [("--seed", 1), ("--ceiling",), ("--limit", 2)])
def test_what_decides_the_measuring_is_refused(
    workplace: Workplace, evaluated: Path, option: tuple[object, ...]
) -> None:
    result = workplace.run("--report-only", "--name", "reported", *option)
    assert (result.exit_code, "measures nothing" in result.stderr) == (2, True)


def test_a_model_that_has_changed_is_not_listened_to(workplace: Workplace, evaluated: Path) -> None:
    before = snapshot(evaluated)
    workplace.save_model("reported", lambda model: model.head_48k.final[1].bias.fill_(0.1))  # type: ignore[operator]
    result = workplace.run("--report-only", "--name", "reported", "--samples", 1)
    assert (result.exit_code, "other weights" in result.stderr) == (1, True)
    assert snapshot(evaluated) == before
    shutil.rmtree(workplace.root / "models" / "reported")
    workplace.evaluate("--report-only", "--name", "reported", "--samples", 0)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"codes": 1}', '{"codes": {"model": []}}'])
def test_a_damaged_summary_is_named(workplace: Workplace, evaluated: Path, content: str) -> None:
    (evaluated / "summary.json").write_text(content)
    result = workplace.run("--report-only", "--name", "reported")
    assert (result.exit_code, "summary.json is damaged" in result.stderr) == (1, True)


def test_without_an_evaluation(workplace: Workplace) -> None:
    result = workplace.run("--report-only", "--name", "never")
    assert (result.exit_code, "Run snac-eval first" in result.stderr) == (1, True)


def test_a_path_with_brackets(workplace: Workplace, tmp_path: Path) -> None:
    place = replace(workplace, root=tmp_path / "a[1]*?")
    path = place.root / "audio" / "one.wav"
    write_tone(path, 0.6)
    cache([manifest_row(path)], workplace.base, place.root / "codes")
    folder = place.evaluate(workplace.base, "--samples", 1, "--where", "duration_s > 0")
    assert read_rows(folder)
    place.evaluate(workplace.base, "--report-only", "--name", folder.name, "--samples", 1)


def test_codes_of_a_model_whose_decoder_gives_48_khz(workplace: Workplace, tmp_path: Path) -> None:
    high = seeded(replace(NARROW["24k"], decoder_rates=(8, 8, 4, 2, 2)))
    low = workplace.load_base()
    for name in ("encoder", "quantizer"):
        getattr(high, name).load_state_dict(getattr(low, name).state_dict())
    assert high.geometry.output_rates == (48000,)
    save(high, tmp_path / "high")
    path = tmp_path / "audio" / "one.wav"
    write_tone(path, 0.6)
    cache([manifest_row(path)], tmp_path / "high", tmp_path / "codes")
    place = replace(workplace, root=tmp_path)
    rows = read_rows(place.evaluate(workplace.base))
    assert {(row["model"], row["rate"]) for row in rows} == {("high", 48000), ("base", 24000)}
    assert all(row["value"] is not None for row in rows if row["metric"] == "loss")


def test_rows_without_a_reference_are_those_that_there_would_be(
    workplace: Workplace, tmp_path: Path
) -> None:
    paths = [tmp_path / "audio" / f"{name}.wav" for name in ("gone", "there")]
    for path in paths:
        write_tone(path, 0.6)
    cache([manifest_row(path) for path in paths], workplace.base, tmp_path / "codes")
    paths[0].unlink()
    place = replace(workplace, root=tmp_path)
    model = place.save_model("dual", lambda model: None)
    folder = place.evaluate(model, "--max-reject-rate", 0.5, "--samples", 2)
    keys: dict[str, list[object]] = {"val/gone": [], "val/there": []}
    for row in read_rows(folder):
        keys[row["utterance_id"]].append((row["model"], row["rate"], row["metric"]))
    assert keys["val/gone"] == keys["val/there"]
    assert json.loads((folder / "summary.json").read_text())["rejects"] == {
        "the reference cannot be read": 1
    }
    write_tone(paths[0], 0.6)
    mended = place.run(model)
    assert "1 of 2" not in mended.stderr, "both are in one part"
    assert last_line(mended)["rejects"] == {}
