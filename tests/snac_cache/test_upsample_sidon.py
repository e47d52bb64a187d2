"""Sidon: the chunk law, the real loading code, and what is said where it cannot be had."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import soundfile
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from syllables import syllables, write_syllables
from torch._subclasses.fake_tensor import FakeTensorMode
from torchaudio.functional import highpass_biquad
from toy_sidon import ForOne, PassFeatures, Remembers, SmallDevice, Vocoder, save_pair
from workplace import last_line, run, snapshot, succeed

from snac_cache.targets.choice import EngineChoice
from snac_cache.targets.make_parts import see_one_gpu
from snac_cache.targets.results import RowResult
from snac_cache.targets.rows import Begun, TargetMaker
from snac_cache.targets.sidon import Sidon, padded_samples
from snac_cache.targets.sidon_batches import SidonBatches
from snac_cache.targets.sidon_files import load_sidon
from snac_common.errors import Failure
from snac_model.audio.header import AudioError
from snac_model.audio.reading import read_mono

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
    for option in ("--sidon-decoder FILE", "--engine resample", "transformers>=5.0"):
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


def sounds(*seconds: float) -> list[torch.Tensor]:
    """Return syllables of these lengths at 16 kHz."""
    return [torch.from_numpy(syllables(length, 16000, seed)) for seed, length in enumerate(seconds)]


def test_a_batch_makes_what_each_of_its_utterances_makes_alone(tmp_path: Path) -> None:
    """Unlike in length, but padded to one; over several chunks too."""
    sidon = load(save_pair(tmp_path, Remembers()))
    for lengths in [(1.02, 1.2, 1.49), (60.1, 60.4)]:
        noise = [0.1 * torch.randn(round(16000 * seconds)) for seconds in lengths]
        batch = [sidon.prepare(audio, 16000) for audio in noise]
        together = sidon.resynthesise(batch)
        assert len(together) == len(batch)
        for features, made in zip(batch, together, strict=True):
            alone = sidon.resynthesise([features])[0]
            torch.testing.assert_close(made, alone, rtol=0, atol=1e-5 * float(alone.abs().max()))


@given(st.integers(1, 10**7), st.sampled_from([8000, 16000, 22050, 24000, 44100]))
def test_padded_lengths_are_few_and_leave_the_end_padding(frames: int, rate: int) -> None:
    padded = padded_samples(frames, rate)
    silence = padded - -(-frames * 16000 // rate)
    assert padded % 8000 == 0
    assert 24_000 <= silence < 32_000


def test_the_command_makes_the_same_targets_in_batches(tmp_path: Path) -> None:
    """And tells that it can do so: an utterance does not hear the others of its batch."""
    for number, seconds in enumerate([1.02, 1.2, 1.4, 1.49, 2.0, 2.3, 3.0]):
        write_syllables(tmp_path / "in" / f"{number}.wav", seconds, 16000, seed=number)
    options = save_pair(tmp_path / "sidon", Vocoder())
    made: list[list[torch.Tensor]] = []
    for batch in ([], ["--batch-seconds", 9]):
        art = tmp_path / f"art{len(batch)}"
        succeed("snac_cache.cli.manifest", tmp_path / "in", "--artifacts", art, "--val-ratio", 0)
        succeed(UPSAMPLE, "--artifacts", art, *options, *CPU, *batch)
        files = sorted((art / "audio48k").rglob("*.flac"))
        made.append([read_mono(file)[0] for file in files])
    assert len(made[0]) == 7
    for alone, together in zip(*made, strict=True):
        torch.testing.assert_close(together, alone, rtol=0, atol=2 / 32768)


@pytest.mark.parametrize("mixes", [False, True])
def test_a_pair_that_was_traced_for_one_is_given_one_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mixes: bool
) -> None:
    """Whether it refuses a batch or mixes it up; that is said once."""
    sidon = load(save_pair(tmp_path, ForOne(mixes)))
    batches = SidonBatches(sidon, batch_seconds=100)
    batch = [sidon.prepare(audio, 16000) for audio in sounds(1.1, 1.2, 1.4)]
    assert batches.room(padded_samples(17600, 16000)) == 33
    for _ in range(2):
        for features, made in zip(batch, batches(batch), strict=True):
            assert isinstance(made, torch.Tensor)
            torch.testing.assert_close(made, sidon.resynthesise([features])[0])
        assert batches.room(padded_samples(17600, 16000)) == 1
    assert capsys.readouterr().err.count("one utterance at a time") == 1


def test_a_batch_that_does_not_fit_is_halved(tmp_path: Path) -> None:
    """125 frames of 2.5 s each fit twice, of seven; and those after it are smaller at once."""
    sidon = load(save_pair(tmp_path, SmallDevice(most_frames=260)))
    batches = SidonBatches(sidon, batch_seconds=17.5)
    batch = [sidon.prepare(audio, 16000) for audio in sounds(*[1.0] * 7)]
    assert batches.room(40_000) == 7
    made = [audio for audio in batches(batch) if isinstance(audio, torch.Tensor)]
    assert len(made) == 7
    assert len({len(audio) for audio in made}) == 1
    assert batches.room(40_000) <= 2


def test_an_utterance_that_does_not_fit_is_a_reject(tmp_path: Path, artifacts: Path) -> None:
    """Of five, three are too long; the others are made, each in its turn."""
    options = save_pair(tmp_path / "sidon", SmallDevice(most_frames=160))
    result = run(UPSAMPLE, "--artifacts", artifacts, *options, *CPU, "--batch-seconds", 60)
    assert last_line(result)["rejects"] == {"too_long_for_device": 3}
    rows = pq.read_table(artifacts / "manifests" / "train.parquet").to_pylist()
    assert [row["target_path"] is None for row in rows] == [False, False, True, True, True, False]
    assert all(row["bandwidth_hz"] for row in rows)


def test_all_tensors_of_sidon_go_to_its_device() -> None:
    """On a GPU that need not be there: tensors of two devices in one operation are refused."""
    with FakeTensorMode():
        decoder = Vocoder().to("cuda")
        sidon = Sidon(None, PassFeatures().to("cuda"), decoder, "cuda")
        batch = [[torch.zeros(100, 160), torch.zeros(60, 160)] for _ in range(3)]
        made = sidon.resynthesise(batch)
        assert made.device.type == "cpu"
        assert made.shape == (3, 160 * 960 - 150 + 5 * 960 - 4800)
        lost = Sidon(None, PassFeatures(), decoder, "cpu")
        with pytest.raises(RuntimeError):
            lost.resynthesise(batch)


@pytest.mark.parametrize(
    ("visible", "device", "seen", "name"),
    [
        (None, "cuda:2", "2", "cuda:0"),
        ("4,5,GPU-1a", "cuda:2", "GPU-1a", "cuda:0"),
        ("4,5", "cuda:0", "4,5", "cuda:0"),
        (None, "cpu", None, "cpu"),
    ],
)
def test_a_worker_sees_its_own_gpu_as_the_first(
    visible: str | None, device: str, seen: str | None, name: str
) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": visible} if visible else {}
    assert see_one_gpu(device, environment) == name
    assert environment.get("CUDA_VISIBLE_DEVICES") == seen


def test_few_utterances_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many a part has: two batches ahead of Sidon, and two behind it."""
    held, most = 0, 0
    begin, finish = TargetMaker.begin, TargetMaker.finish

    def counted_begin(self: TargetMaker, row: dict[str, Any]) -> RowResult | Begun:
        nonlocal held, most
        held += 1
        most = max(most, held)
        return begin(self, row)

    def counted_finish(
        self: TargetMaker, begun: Begun, made: torch.Tensor | AudioError
    ) -> RowResult:
        nonlocal held
        result = finish(self, begun, made)
        held -= 1
        return result

    monkeypatch.setattr(TargetMaker, "begin", counted_begin)
    monkeypatch.setattr(TargetMaker, "finish", counted_finish)
    for number in range(24):
        write_syllables(tmp_path / "in" / f"{number:02}.wav", 1.0, 16000, seed=number)
    options = save_pair(tmp_path / "sidon", Remembers())  # its targets are rejects
    art = ["--artifacts", tmp_path / "art"]
    succeed("snac_cache.cli.manifest", tmp_path / "in", *art, "--val-ratio", 0)
    run(UPSAMPLE, *art, *options, *CPU, "--batch-seconds", 5)
    assert held == 0
    assert 4 <= most <= 5 * 2
