"""The codec that ships with the project: its codes mean something, on speech it never heard."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import snac
import torch
from workplace import run, succeed

from snac_model import SNAC, load
from snac_model.files.places import find_model
from snac_model.shapes.config import SNAC_24KHZ
from snac_train.data.dataset import SegmentDataset
from snac_train.data.inputs import open_inputs
from snac_train.data.loading import Readers
from snac_train.data.slices import Window
from snac_train.distributed.processes import Processes
from snac_train.distributed.signals import Requests
from snac_train.recipe.load import load_recipe
from snac_train.training.objective import Objective
from snac_train.training.validation import Validators

NAME = "builtin:speech-small"
SOURCES = ("nathalie", "kerstin", "klettres")
# How much worse each control is at least. Kerstin holds nothing but faint noise above 8 kHz, and
# klettres was recorded everywhere: no codes tell much of either's noise, whichever they are.
WORSE = {"nathalie": 2.0, "kerstin": 1.5, "klettres": 1.2}


@pytest.fixture(scope="module")
def model() -> SNAC:
    return load(NAME)


@pytest.fixture(scope="module")
def cached(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Codes of the val parts: nothing of them was trained on."""
    root = tmp_path_factory.mktemp("cached")
    for source in SOURCES:
        for split in ("train", "val"):
            (root / "in" / split).mkdir(parents=True, exist_ok=True)
        (root / "in/val" / source).symlink_to(speech / source / "val")
    (root / "in/train/one").mkdir()
    first = min((speech / "nathalie/train").iterdir())
    (root / "in/train/one" / first.name).symlink_to(first)
    succeed("snac_cache.cli.manifest", root / "in", "--min-duration", "0.2", "--artifacts", root)
    succeed("snac_cache.cli.cache", "--model", NAME, "--artifacts", root, "--device", "cpu")
    return root


def test_it_has_the_geometry_of_the_published_model_and_fits_the_wheel(model: SNAC) -> None:
    own = model.config
    narrow = replace(SNAC_24KHZ, encoder_dim=own.encoder_dim, decoder_dim=own.decoder_dim)
    assert own == narrow
    assert sum(weight.numel() for weight in model.parameters()) <= 3_000_000
    folder = find_model(NAME).weights.parent
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 6_000_000
    card = (folder / "README.md").read_text()
    for said in ("CC0", "seed", "steps", "kerstin/val", "klettres/val", "Not for"):
        assert said in card, said


def test_the_official_class_gives_the_same_codes(model: SNAC) -> None:
    official = snac.SNAC(**model.config.to_dict()).eval()
    official.load_state_dict(model.state_dict())
    audio = 0.1 * torch.randn(1, 1, 30_001, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, theirs = model.encode(audio), official.encode(audio)
    assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


@pytest.mark.campaign
def test_its_codebooks_are_used(cached: Path) -> None:
    art = ["--artifacts", cached]
    checked = run("snac_cache.cli.check", *art, "--json")
    results = {one["check"]: one for one in json.loads(checked.stdout.splitlines()[-1])["checks"]}
    for name in ("codebook_use", "dead_codes", "dominant_codes"):
        assert results[name]["result"] == "pass", results[name]
    sql = ["--sql", "FROM codebooks ORDER BY level", "--format", "jsonl"]
    answer = run("snac_cache.cli.check", *art, *sql).stdout.splitlines()
    finest = json.loads(answer[2])
    assert finest["perplexity"] >= 1_000, finest


@pytest.mark.campaign
def test_it_says_the_speech_that_it_hears(speech: Path) -> None:
    folders = [speech / source / "val" for source in SOURCES]
    done = run("tools.codec_figures", NAME, *folders, "--limit", 4)
    assert done.exit_code == 0, done.stderr
    table = done.stdout
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len(rows) == 2 + 4 * len(folders)
    for folder in folders:
        stft, mel = (
            {row[1]: float(row[n]) for row in rows[2:] if str(folder) in row[0]} for n in (2, 3)
        )
        for control in ("random decoder", "white noise", "shuffled codes"):
            assert stft[control] > WORSE[folder.parent.name] * stft["codec"], (control, stft)
            assert mel[control] > WORSE[folder.parent.name] * mel["codec"], (control, mel)


@pytest.mark.campaign
def test_codes_of_the_token_before_are_worse(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shift of 85 ms between codes and audio shows in the loss that phase 12 validates with."""
    recipe = load_recipe(12, {"validation.segment_s": "1", "validation.limit": "16"}.items())
    inputs = open_inputs(recipe, cached / "codes", str(cached / "manifests"))
    processes = Processes("cpu")
    validators = Validators(
        recipe,
        inputs,
        Readers(inputs.source(recipe), 0),
        processes=processes,
        requests=Requests(),
        reject=print,
    )
    validator = validators.of(1.0)
    objective = Objective(inputs.model, recipe)
    right = validator.validate(objective)
    codes = SegmentDataset._codes

    def earlier(self: SegmentDataset, row: int, window: Window) -> list[torch.Tensor]:
        return [level.roll(level.numel() // window.size) for level in codes(self, row, window)]

    monkeypatch.setattr(SegmentDataset, "_codes", earlier)
    wrong = validator.validate(objective)
    assert wrong["24k/loss"] > 1.3 * right["24k/loss"], (wrong, right)
