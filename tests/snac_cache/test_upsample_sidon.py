"""Sidon: the chunk law, the real loading code, and what is said where it cannot be had."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
import torch
import torch.nn.functional as F
from syllables import syllables, write_syllables
from torchaudio.functional import highpass_biquad
from toy_sidon import Remembers, Vocoder, save_pair
from workplace import last_line, run, snapshot, succeed

from snac_cache.targets.choice import EngineChoice
from snac_cache.targets.sidon import Sidon, padded_samples
from snac_cache.targets.sidon_batches import SidonBatches
from snac_cache.targets.sidon_files import load_sidon
from snac_model.errors import Failure

UPSAMPLE = "snac_cache.cli.upsample"
CPU = ["--device", "cpu", "--workers", 1]


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Manifests of six utterances, one natively 48 kHz."""
    for number, rate in enumerate([16000, 24000, 44100, 22050, 8000, 48000]):
        write_syllables(tmp_path / "in" / f"{number}.wav", 1.2 + 0.2 * number, rate, seed=number)
    manifests = tmp_path / "art" / "manifests"
    succeed("snac_cache.cli.manifest", tmp_path / "in", "-o", manifests, "--val-ratio", 0)
    return tmp_path / "art"


def load(options: list[str]) -> Sidon:
    """Load a pair as the command does."""
    return load_sidon(EngineChoice("sidon", options[1], options[3], options[5]), "cpu")


@pytest.mark.parametrize("seconds", [0.3, 58.501, 60.0, 121.7])
def test_chunks_join_without_a_seam(tmp_path: Path, seconds: float) -> None:
    """A decoder that looks back five frames gives over chunks what it gives over the whole."""
    sidon = load(save_pair(tmp_path, Remembers()))
    audio = 0.1 * torch.randn(round(16000 * seconds), generator=torch.Generator().manual_seed(1))
    made = sidon.resynthesise([sidon.prepare(audio, 16000)])[0]
    filtered = highpass_biquad(audio * (0.9 / audio.abs().max()), 16000, 50.0)
    padding = padded_samples(len(audio), 16000) - len(audio)
    prepared = F.pad(filtered, (0, padding))
    assert 24_000 <= padding < 32_000
    features = [
        sidon.preprocessor(F.pad(chunk, (40, 40)).numpy(), sampling_rate=16000, return_tensors="pt")
        for chunk in prepared.split(60 * 16000)
    ]
    joined = torch.cat([feature["input_features"] for feature in features], dim=1)
    expected = sidon.decoder(joined.transpose(1, 2)).flatten()[150:]
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    assert len(made) >= 48000 * seconds


def test_targets_that_are_made_anew_are_proved_by_their_envelopes(
    tmp_path: Path, artifacts: Path
) -> None:
    options = save_pair(tmp_path / "sidon", Vocoder())
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *options, *CPU)
    assert summary["rejects"] == {}
    assert (summary["made"], summary["native"], summary["targets"]) == (5, 1, 6)
    rows = pq.read_table(artifacts / "manifests" / "train.parquet").to_pylist()
    for row in rows[:5]:
        assert abs(row["target_lag_samples"]) < 400
        assert soundfile.info(row["target_path"]).frames == -(
            -row["num_frames"] * 48000 // row["source_sample_rate"]
        )
    assert rows[5]["target_lag_samples"] is None
    again = ["--artifacts", artifacts, *options, *CPU]
    assert succeed(UPSAMPLE, *again)["skipped"] == 5
    assert succeed(UPSAMPLE, *again, "--engine", "resample")["made"] == 5


@pytest.mark.parametrize("decoder", [Vocoder(late=4800), Vocoder(backwards=True)])
def test_a_pair_that_misplaces_speech_is_found_out(
    tmp_path: Path, artifacts: Path, decoder: Vocoder
) -> None:
    """100 ms late, or other audio: every target is rejected, and the command fails."""
    options = save_pair(tmp_path / "sidon", decoder)
    result = run(UPSAMPLE, "--artifacts", artifacts, *options, *CPU)
    assert result.exit_code == 1
    assert last_line(result)["rejects"] == {"misaligned_target": 5}
    rejects = pq.read_table(artifacts / "manifests" / "rejects.parquet").to_pylist()
    assert {(row["stage"], row["reason"]) for row in rejects} == {("upsample", "misaligned_target")}
    rows = pq.read_table(artifacts / "manifests" / "train.parquet").to_pylist()
    assert [row["target_path"] is None for row in rows] == [True] * 5 + [False]
    assert all(row["bandwidth_hz"] for row in rows)
    assert not list((artifacts / "audio48k").rglob("*.flac"))


def test_a_longer_limit_corrects_what_a_shorter_one_rejects(
    tmp_path: Path, artifacts: Path
) -> None:
    options = save_pair(tmp_path / "sidon", Vocoder(late=4800))
    summary = succeed(UPSAMPLE, "--artifacts", artifacts, *options, *CPU, "--max-lag", 120)
    assert summary["made"] == 5
    lags = pq.read_table(artifacts / "manifests" / "train.parquet")["target_lag_samples"]
    assert all(abs(lag - 4800) < 400 for lag in lags.to_pylist()[:5])
    result = run(UPSAMPLE, "--artifacts", artifacts, *options, *CPU, "--max-lag", 20)
    assert last_line(result)["rejects"] == {"misaligned_target": 5}
    assert not list((artifacts / "audio48k").rglob("*.flac"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "need a GPU"),
        (
            ["--sidon-feature-extractor", "missing.pt", "--sidon-decoder", "missing.pt"],
            "missing.pt",
        ),
    ],
)
def test_without_sidon_the_command_stops_and_names_the_options(
    artifacts: Path, given: list[str], message: str
) -> None:
    before = snapshot(artifacts / "manifests")
    result = run(UPSAMPLE, "--artifacts", artifacts, *given, *CPU)
    assert result.exit_code == 1
    assert message in result.stderr
    for option in ("--sidon-decoder FILE", "--engine resample", "snac-cache[sidon]"):
        assert option in result.stderr
    assert snapshot(artifacts / "manifests") == before
    assert not list((artifacts / "audio48k" / "parts").rglob("*"))


def test_without_transformers_the_exact_error_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = save_pair(tmp_path, Vocoder())
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(Failure, match=r"ModuleNotFoundError.*transformers"):
        load(options)


def test_without_the_network_the_exact_error_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(Failure, match=r"(?s)LocalEntryNotFoundError.*--engine resample"):
        load_sidon(EngineChoice("sidon"), "cuda")


def test_files_that_are_no_pair_are_a_failure(tmp_path: Path) -> None:
    options = save_pair(tmp_path, Vocoder())
    sidon = load([options[0], options[3], options[2], options[3], *options[4:]])
    features = sidon.prepare(torch.from_numpy(syllables(1.0, 16000)), 16000)
    with pytest.raises(Failure, match="Are its two files a pair"):
        SidonBatches(sidon)([features])
