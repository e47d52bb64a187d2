"""What the tests of training share: a codec small enough to train, audio, and caches of it."""

from pathlib import Path

import numpy as np
import soundfile
import torch
from click.testing import CliRunner

from snac_cache.cli.cache import main as cache_command
from snac_cache.cli.manifest import main as manifest_command
from snac_model.codec.snac import SNAC
from snac_train.recipe.load import load_recipe
from snac_train.recipe.tables import Recipe

POSITIONS = 2**23
MULTIPLIER = 5_765_761  # odd, so that it has an inverse; large, so that the signal is like noise

# of the files that say where in them each sample is: whole tokens, odd ones, one short
LENGTHS = {"train": (9_001, 30_000, 48_000, 71_937), "val": (20_480, 4_100)}

SMALL_RECIPE = {
    "curriculum.epochs": "4",
    "curriculum.batch_size": "2",
    "curriculum.epoch_ranges": "1-2,3-4",
    "curriculum.segment_s": "0.2,0.4",
    "curriculum.batch_multiplier": "1,1.5",
    "optimizer.warmup_lr": "2e-3",
    "optimizer.main_lr": "2e-3",
    "optimizer.head_24k_lr": "4e-4",
    "loss.fft_sizes_24k": "128,256",
    "loss.fft_sizes_48k": "128,256,512",
    "validation.segment_s": "0.5",
    "validation.batch_size": "5",
    "tracking.log_every": "1",
}


def SMALL_CODEC(noise: bool = True) -> SNAC:  # noqa: N802
    """Return a seeded codec of 24 kHz whose coarse token covers 256 samples."""
    torch.manual_seed(0)
    return SNAC(
        sampling_rate=24_000,
        encoder_dim=4,
        encoder_rates=[8, 8],
        decoder_dim=32,
        decoder_rates=[8, 8],
        attn_window_size=None,
        codebook_size=256,
        codebook_dim=4,
        vq_strides=[4, 2, 1],
        noise=noise,
    ).eval()


def small_recipe(**overrides: str) -> Recipe:
    """Return phase 12 cut down to the small codec; keywords are ``table__field``."""
    named = {name.replace("__", "."): text for name, text in overrides.items()}
    return load_recipe(12, (SMALL_RECIPE | named).items())


SMALL_BASE = SMALL_RECIPE | {
    "curriculum.warmup_epochs": "1",
    "codebooks.revive_every": "1",
    "codebooks.vectors_per_code": "2",
}


def small_base(architecture: Path, **overrides: str) -> Recipe:
    """Return the recipe of a codec from nothing, cut down; keywords are ``table__field``."""
    named = {name.replace("__", "."): text for name, text in overrides.items()}
    start = {"model.base": str(architecture)}
    return load_recipe("base", (SMALL_BASE | start | named).items())


def write_position(path: Path, frames: int) -> None:
    """Write noise, 48 kHz and 24 bit, whose samples say where they are; see ``positions_of``."""
    numbers = np.arange(frames) * MULTIPLIER % POSITIONS - POSITIONS // 2
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, (numbers.astype(np.int32) << 8), 48_000, subtype="PCM_24")


def positions_of(samples: torch.Tensor) -> np.ndarray:
    """Return the frames of a file of ``write_position`` that have these samples."""
    numbers = np.round(samples.numpy().astype(np.float64) * POSITIONS).astype(np.int64)
    return (numbers + POSITIONS // 2) * pow(MULTIPLIER, -1, POSITIONS) % POSITIONS


def write_voice(path: Path, seconds: float, seed: int, rate: int = 48_000) -> None:
    """Write harmonics that rise and fall, with a little noise."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(150 + 40 * np.sin(2 * np.pi * 3 * time + seed)) / rate
    voice = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 40))
    audio = 0.1 * voice * np.sin(np.pi * time / seconds) + 0.005 * random.standard_normal(len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate)


def make_cache(source: Path, artifacts: Path, model: Path) -> Path:
    """Run snac-manifest and snac-cache; return the folder of the codes."""
    places = ["--artifacts", str(artifacts)]
    short = ["--min-duration", "0.01"]
    invoke(manifest_command, [str(source), *short, *places])
    invoke(cache_command, ["--model", str(model), "--device", "cpu", "--workers", "1", *places])
    return artifacts / "codes"


def manifest_of(codes: Path) -> str:
    """Return the folder of the manifests of codes that ``make_cache`` made."""
    return str(codes.parent / "manifests")


def invoke(command: object, arguments: list[str]) -> None:
    """Run a command in this process; it must succeed."""
    result = CliRunner().invoke(command, arguments)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
