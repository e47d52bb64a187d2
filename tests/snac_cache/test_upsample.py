"""snac-upsample from end to end, with the engine that needs no model."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from syllables import write_syllables
from workplace import last_line, run, snapshot, succeed

from snac_cache.manifests.read import read_manifest
from snac_model.audio.reading import read_mono, resample

UPSAMPLE, MANIFEST = "snac_cache.cli.upsample", "snac_cache.cli.manifest"
RATES = [8000, 16000, 22050, 44100, 48000, 96000]
OPTIONS = ["--engine", "resample", "--device", "cpu", "--workers", 1]


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Manifests of one utterance at each rate, the last in val, and one that was too short."""
    for number, rate in enumerate(RATES):
        split = "val" if rate == RATES[-1] else "train"
        write_syllables(tmp_path / "in" / split / f"{number}.wav", 1.3 + number / 7, rate, number)
    write_syllables(tmp_path / "in" / "train" / "short.wav", 0.5, 16000)
    options = ["--artifacts", tmp_path / "art", "--max-reject-rate", 0.5]
    succeed(MANIFEST, tmp_path / "in", *options)
    return tmp_path / "art"


def rows_of(artifacts: Path) -> list[dict[str, Any]]:
    """Return the manifests' rows, train first."""
    tables = read_manifest(artifacts / "manifests")
    return [row for table in tables.values() for row in table.to_pylist()]


def shorten(path: Path) -> None:
    """Cut a target's audio, and leave its comment."""
    with soundfile.SoundFile(path) as file:
        comment, samples = file.comment, file.read()
    with soundfile.SoundFile(path, "w", 48000, 1, "PCM_16") as file:
        file.comment = comment
        file.write(samples[:-1])


def test_every_row_has_a_target_that_is_its_source_at_48_khz(artifacts: Path) -> None:
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert (summary["made"], summary["native"], summary["rejects"]) == (5, 1, {})
    for row, rate in zip(rows_of(artifacts), RATES, strict=True):
        target, target_rate = read_mono(row["target_path"])
        source, _ = read_mono(row["audio_path"])
        assert target_rate == 48000
        assert 3000 < row["bandwidth_hz"] < 4000
        torch.testing.assert_close(target, resample(source, rate, 48000), rtol=0, atol=1 / 32768)
        if rate == 48000:
            assert row["target_path"] == row["audio_path"]
            assert row["target_lag_samples"] is None
        else:
            place = artifacts / "audio48k" / row["split"] / f"{row['utterance_id']}.flac"
            assert row["target_path"] == str(place)
            assert (row["target_lag_samples"], row["target_gain_db"]) == (0, 0.0)


def test_rejects_of_other_stages_stay(artifacts: Path) -> None:
    """And a gate that failed fails again."""
    for _ in range(2):
        rows = rows_of(artifacts)
        Path(rows[0]["audio_path"]).unlink(missing_ok=True)
        result = run(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
        assert result.exit_code == 1
        assert "--retry" in result.stderr
        assert last_line(result)["rejects"] == {"unreadable": 1}
        rejects = pq.read_table(artifacts / "manifests" / "rejects.parquet").to_pylist()
        assert [(row["stage"], row["reason"]) for row in rejects] == [
            ("manifest", "too_short"),
            ("upsample", "unreadable"),
        ]
        assert len(rows_of(artifacts)) == len(rows)
        assert rows_of(artifacts)[0]["target_path"] is None


def test_run_again_it_keeps_what_is_finished_and_makes_the_rest(artifacts: Path) -> None:
    succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    before, rows = snapshot(artifacts), rows_of(artifacts)
    Path(rows[0]["target_path"]).unlink()
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS)
    assert (summary["made"], summary["skipped"], summary["native"]) == (1, 4, 1)
    assert snapshot(artifacts) == before
    damaged = Path(rows[1]["target_path"])
    damaged.write_bytes(damaged.read_bytes()[:-100])
    shorten(Path(rows[2]["target_path"]))
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *OPTIONS, "--verify")
    assert (summary["made"], summary["skipped"], summary["native"]) == (2, 3, 1)
    assert snapshot(artifacts) == before


def test_workers_share_the_parts(artifacts: Path) -> None:
    options = ["--artifacts", artifacts, "--engine", "resample", "--part-rows", 2]
    succeed(UPSAMPLE, *options, "--workers", 1)
    before = snapshot(artifacts)
    for path in (artifacts / "audio48k").rglob("*"):
        if path.suffix == ".flac" or path.parent.parent.name == "parts":
            path.unlink()
    assert succeed(UPSAMPLE, *options, "--workers", 2)["made"] == 5
    assert snapshot(artifacts) == before


def test_it_stands_in_a_pipe(artifacts: Path) -> None:
    """JSON lines in, without the columns that it adds; JSON lines out, with them."""
    lines = []
    for row in rows_of(artifacts)[:2]:
        kept = {name: value for name, value in row.items() if not name.startswith(("target", "ba"))}
        lines.append(json.dumps(kept) + "\n")
    manifests = snapshot(artifacts / "manifests")
    refused = run(UPSAMPLE, "--artifacts", artifacts, "--manifest", "-", *OPTIONS, stdin=lines[0])
    assert refused.exit_code == 2
    assert "-o" in refused.stderr
    piped = ["--artifacts", artifacts, "--manifest", "-", "-o", "-", *OPTIONS]
    result = run(UPSAMPLE, *piped, stdin="".join(lines))
    assert result.exit_code == 0, result.stderr
    written = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(Path(row["target_path"]).is_file() for row in written)
    assert json.loads(result.stderr.splitlines()[-1])["made"] == 2
    after = snapshot(artifacts / "manifests")
    assert after["train.parquet"] == manifests["train.parquet"]


@pytest.mark.speech
def test_real_speech_at_44_khz(speech: Path, tmp_path: Path) -> None:
    """All of KLettres' German files, mono and stereo: none is lost, all lie where they should."""
    source = speech / "klettres" / "val" / "de"
    options = ["--artifacts", tmp_path]
    succeed(MANIFEST, source, *options, "--min-duration", 0.1, "--val-ratio", 0)
    summary = succeed(UPSAMPLE, *options, *OPTIONS)
    rows = rows_of(tmp_path)
    assert summary["targets"] == len(rows) > 0
    assert {row["target_lag_samples"] for row in rows} == {0}
