"""What only a GPU shows: codes under batching, and a short training run."""

from pathlib import Path

import pytest
import torch
from syllables import write_syllables
from toy_sidon import Vocoder, save_pair
from workplace import succeed, write_tone

from snac_model.audio.reading import read_mono

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that a GPU made."""
    root = tmp_path_factory.mktemp("gpu")
    for number in range(24):
        split = "train" if number < 20 else "val"
        write_tone(root / "in" / split / f"{number}.wav", 1.5 + 0.05 * number)
    succeed("snac_cache.cli.manifest", root / "in", "--artifacts", root)
    return root


def test_codes_of_batches_agree_with_one_at_a_time(artifacts: Path) -> None:
    options = ["--artifacts", artifacts, "--model", "builtin:speech-small"]
    cached = succeed("snac_cache.cli.cache", *options, "--device", "cuda")
    assert cached["rows"] == 24
    assert cached["token_agreement"] > 0.999


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_lower_precisions_say_how_many_tokens_are_equal(artifacts: Path, precision: str) -> None:
    options = ["--artifacts", artifacts, "--model", "builtin:speech-small", "--gpus", "0"]
    options += ["--codes", artifacts / precision, "--precision", precision]
    assert 0.3 < succeed("snac_cache.cli.cache", *options)["token_agreement"] <= 1


def test_without_memory_smaller_batches_and_pieces_give_the_same_codes(artifacts: Path) -> None:
    write_tone(artifacts / "long" / "train" / "minutes.wav", 300.0)
    write_tone(artifacts / "long" / "val" / "short.wav", 2.0)
    succeed("snac_cache.cli.manifest", artifacts / "long", "-o", artifacts / "m")
    options = ["--manifest", artifacts / "m", "--codes", artifacts / "c", "--device", "cuda"]
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(1 * 2**30 / total)
    try:
        cached = succeed("snac_cache.cli.cache", *options, "--model", "builtin:speech-small")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert (cached["rows"], cached["rejects"]) == (2, {})
    assert cached["token_agreement"] > 0.999


def test_phase_12_trains(artifacts: Path) -> None:
    options = ["--phase", 12, "--artifacts", artifacts, "--device", "cuda", "--run", "gpu"]
    options += ["--epochs", 2, "--batch-size", 4, "--warmup-lr", "5e-3", "--main-lr", "2e-3"]
    trained = succeed("snac_train.cli.train", *options)
    assert trained["best"]["48k"] < trained["starting_model"]["48k"]


def test_targets_of_a_gpu_are_those_of_a_cpu(tmp_path: Path) -> None:
    """In batches there, and one at a time here."""
    for number in range(12):
        write_syllables(tmp_path / "in" / f"{number}.wav", 1.2 + number / 8, 16000, seed=number)
    pair = save_pair(tmp_path / "sidon", Vocoder())
    made = []
    for device in (["--gpus", 0], ["--device", "cpu", "--workers", 1]):
        art = tmp_path / str(device[0])
        succeed("snac_cache.cli.manifest", tmp_path / "in", "--artifacts", art, "--val-ratio", 0)
        assert succeed("snac_cache.cli.upsample", "--artifacts", art, *pair, *device)["made"] == 12
        made.append([read_mono(file)[0] for file in sorted(art.rglob("*.flac"))])
    for there, here in zip(*made, strict=True):
        torch.testing.assert_close(there, here, rtol=0, atol=0.01)
