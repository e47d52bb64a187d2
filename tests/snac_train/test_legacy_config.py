"""JSON configurations of earlier scripts, through the command, as a person gives them."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from snac_train.cli.train import main
from snac_train.legacy.config import KEYS, read_config
from snac_train.legacy.curriculum import read_entries
from snac_train.recipe.load import load_recipe, recipe_of
from snac_train.training.optimization import peak_rates

EXAMPLES = Path(__file__).parent / "legacy"
SINGLE_24K = {
    "data.seed": 42,
    "data.codes": "encoded",
    "curriculum.epochs": 8,
    "curriculum.batch_size": 40,
    "curriculum.epoch_ranges": ["1-2", "3-3", "4", "5-8"],
    "curriculum.segment_s": [0.5, 1.5, 2.0, 3.5],
    "curriculum.batch_multiplier": [2.5, 1.5, 1.0, 0.5],
    "model.base": "checkpoints/earlier/best_model.pt",
    "model.freeze_encoder": False,
    "model.freeze_vq": False,
    "optimizer.main_lr": 2e-5,
    "optimizer.tokenizer_lr": 2e-5,
    "optimizer.weight_decay": 1e-3,
    "optimizer.clip": 0.5,
    "schedule.shape": "cosine",
    "schedule.floor": 0.05,
    "loss.l1_weight": 2.0,
    "loss.stft_weight": 3.0,
    "loss.fft_sizes_24k": [512, 1024, 2048],
    "loss.fft_sizes_48k": [512, 1024, 2048],
    "validation.batch_size": 24,
    "checkpoint.every_steps": 500,
    "checkpoint.every_minutes": 15.0,
}
SINGLE_48K = {
    "data.seed": 7,
    "curriculum.epochs": 12,
    "curriculum.warmup_epochs": 3,
    "curriculum.batch_size": 24,
    "curriculum.epoch_ranges": ["1-12"],
    "curriculum.segment_s": [4.0],
    "curriculum.batch_multiplier": [1.0],
    "model.base": "checkpoints/phase10_speech/best_model.pt",
    "optimizer.warmup_lr": 6e-5,
    "optimizer.main_lr": 1e-5,
    "optimizer.tokenizer_lr": 1e-5,
    "optimizer.weight_decay": 0.01,
    "optimizer.clip": 2.0,
    "schedule.shape": "cosine",
    "schedule.floor": 0.2,
    "loss.l1_weight": 0.5,
    "loss.stft_weight": 1.5,
    "loss.fft_sizes_24k": [1024, 8192],
    "loss.fft_sizes_48k": [1024, 8192],
    "checkpoint.every_minutes": 20.0,
}
DUAL_HEAD = {
    "data.seed": 1,
    "data.limit": 5000,
    "curriculum.epochs": 9,
    "curriculum.warmup_epochs": 2,
    "curriculum.batch_size": 64,
    "curriculum.epoch_ranges": ["1-3", "4-5", "6-9"],
    "curriculum.segment_s": [1.0, 2.5, 4.0],
    "curriculum.batch_multiplier": [2.0, 1.0, 0.5],
    "model.base": "hubertsiuzdak/snac_24khz",
    "optimizer.warmup_lr": 1e-4,
    "optimizer.main_lr": 2e-5,
    "optimizer.head_24k_lr": 5e-6,
    "loss.weight_24k": 0.4,
    "loss.weight_48k": 0.9,
    "loss.fft_sizes_24k": [2048, 4096],
    "loss.fft_sizes_48k": [2048, 4096],
    "validation.limit": 500,
}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def shown(phase: int, config: Path, *arguments: object) -> dict[str, Any]:
    """Return the recipe that the command shows."""
    result = run("--phase", phase, "--config", config, *arguments, "--show-recipe")
    assert result.exit_code == 0, result.stderr
    return tomllib.loads(result.stdout)


def changed(phase: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the phase's packaged recipe with these settings in it, each of which changes it."""
    tables = tomllib.loads(load_recipe(phase).to_toml())
    for name, value in settings.items():
        table, field = name.split(".")
        tables[table][field] = value
    return tables


def write(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize(
    ("phase", "name", "settings"),
    [(10, "single_24k", SINGLE_24K), (11, "single_48k", SINGLE_48K), (12, "dual_head", DUAL_HEAD)],
)
def test_each_older_configuration_is_accepted_in_full(
    phase: int, name: str, settings: dict[str, Any]
) -> None:
    assert shown(phase, EXAMPLES / f"{name}.json") == changed(phase, settings)


def test_the_examples_hold_every_key() -> None:
    held = {key for path in EXAMPLES.glob("*.json") for key in json.loads(path.read_text())}
    assert held | {"main_lr"} == set(KEYS)


def test_the_page_for_people_names_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "legacy.md").read_text()
    page = page.partition("## Configurations")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert {key.strip(" `") for row in rows for key in row.split(",")} == set(KEYS)


def test_comments_are_no_settings(tmp_path: Path) -> None:
    """The earlier configurations describe themselves, at the top and in curriculum entries."""
    entry = {"epochs": [1, 10], "length": 1.5, "comment": "short first", "_why": ["memory"]}
    words = {"description": "speech, 24 kHz", "comment": {"any": "form"}, "_note": 1}
    plain = write(tmp_path, curriculum=[{"epochs": [1, 10], "length": 1.5}])
    expected = shown(10, plain)
    assert shown(10, write(tmp_path, curriculum=[entry], **words)) == expected


def test_one_learning_rate_is_that_of_all_that_it_was_for(tmp_path: Path) -> None:
    """With nothing frozen the earlier scripts trained encoder and projections at it too."""
    tables = shown(10, write(tmp_path, learning_rate=5e-5, freeze_encoder=False, freeze_vq=False))
    rates = {name: tables["optimizer"][name] for name in ("main_lr", "tokenizer_lr")}
    assert rates == {"main_lr": 5e-5, "tokenizer_lr": 5e-5}
    groups = ["trunk", "encoder", "projections", "codebooks"]
    assert set(peak_rates("main", groups, recipe_of(tables)).values()) == {5e-5}


@pytest.mark.parametrize("part", ["freeze_encoder", "freeze_vq"])
def test_codes_are_encoded_where_either_part_is_trained(tmp_path: Path, part: str) -> None:
    trained = changed(10, {f"model.{part}": False, "data.codes": "encoded"})
    assert shown(10, write(tmp_path, **{part: False})) == trained
    assert shown(10, write(tmp_path, **{part: True})) == changed(10, {})


def test_options_come_before_the_configuration() -> None:
    options = ("--main-lr", "3e-5", "--epochs", 5, "--set", "loss.l1_weight=7", "--base", "other")
    tables = shown(10, EXAMPLES / "single_24k.json", *options)
    assert tables["optimizer"]["main_lr"] == 3e-5
    assert tables["curriculum"]["epochs"] == 5
    assert tables["loss"]["l1_weight"] == 7.0
    assert tables["model"]["base"] == "other"
    assert tables["curriculum"]["batch_size"] == 40


def test_what_sets_nothing_is_said() -> None:
    result = run("--phase", 10, "--config", EXAMPLES / "single_24k.json", "--show-recipe")
    assert "save_every: there is a checkpoint after every epoch" in result.stderr
    assert "segment_length: the lengths are the curriculum's" in result.stderr
    result = run("--phase", 11, "--config", EXAMPLES / "single_48k.json", "--show-recipe")
    assert "snac-upsample --engine files --from train=DIR" in result.stderr


def test_the_run_and_its_workers_are_the_configurations() -> None:
    config = read_config(EXAMPLES / "single_24k.json")
    assert (config.run, config.workers) == ("phase10_speech", 8)
    assert read_config(EXAMPLES / "single_48k.json").run == "speech_48k"
    assert read_config(EXAMPLES / "dual_head.json").run == "phase12_dual_head"
    assert read_config(EXAMPLES / "dual_head.json").workers is None


@pytest.mark.parametrize(
    ("epochs", "total", "expected"),
    [
        ([[1, 2], [3, 10]], 10, ["1-2", "3-10"]),
        (["1-2", "3-10"], 10, ["1-2", "3-10"]),
        ([2, 2, 2, 4], 10, ["1-2", "3-4", "5-6", "7-10"]),
        ([1, 2, 3, 4], 10, ["1-1", "2-3", "4-6", "7-10"]),
        ([1, 2, 3, 4], 4, ["1", "2", "3", "4"]),
        ([1, [2, 3], 4], 4, ["1", "2-3", "4"]),
        ([3], 3, ["1-3"]),
    ],
)
def test_epochs_are_ranges_numbers_or_counts(
    epochs: list[Any], total: int, expected: list[str]
) -> None:
    entries = [{"epochs": entry, "length": 1.0} for entry in epochs]
    assert read_entries(entries, total)["epoch_ranges"] == expected


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_counts_cover_every_epoch_once(counts: list[int]) -> None:
    entries = [{"epochs": count, "length": 1.0} for count in counts]
    covered: list[int] = []
    for text in read_entries(entries, sum(counts))["epoch_ranges"]:
        first, _, last = text.partition("-")
        covered += range(int(first), int(last or first) + 1)
    assert covered == list(range(1, sum(counts) + 1))


def entry(**values: Any) -> list[dict[str, Any]]:
    return [{"epochs": [1, 10], "length": 1.0} | values]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"batchsize": 4}, "no key 'batchsize'; the nearest is 'batch_size'"),
        ({"n_fft": [512]}, "no key 'n_fft'; the nearest is 'n_ffts'"),
        ({"curriculum": entry(lenght=1)}, "entry 1 has no key 'lenght'; the nearest is 'length'"),
        ({"curriculum": [{"epochs": [1, 10]}]}, "entry 1 lacks length"),
        ({"curriculum": {"1-2": [1.0, 2.0]}}, "not a list of entries"),
        ({"curriculum": entry(epochs=[1, 5])}, "end at 5 of 10 epochs"),
        ({"curriculum": entry(epochs=[2, 10])}, "must begin at 1"),
        ({"curriculum": entry(epochs=4)}, "neither counts that add up to 10"),
        ({"curriculum": entry(epochs=[1, 2, 3])}, "not a range of epochs"),
        ({"curriculum": entry(length=24000)}, "in seconds, not in samples"),
        ({"segment_length": 96000}, "in seconds, not in samples"),
        ({"segment_length": [1.0, 2.0]}, "curriculum.segment_s cannot be"),
        ({"batch_size": "many"}, "curriculum.batch_size cannot be 'many'"),
        ({"learning_rate": 1e-5, "main_lr": 2e-5}, "learning_rate and main_lr both set"),
        ({"seed": 1, "random_seed": 2}, "seed and random_seed both set data.seed"),
        ({"num_workers": "8", "batch_size": 1}, "num_workers cannot be '8'"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(
    tmp_path: Path, values: dict[str, Any], said: str
) -> None:
    place = ("--artifacts", tmp_path, "--device", "cpu")
    result = run("--phase", 10, "--config", write(tmp_path, **values), *place)
    assert result.exit_code == 2, result.output
    assert "config.json: " in result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("content", ["{", "[1]", "\x00", None])
def test_a_file_that_is_no_configuration_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    result = run("--phase", 10, "--config", path)
    assert result.exit_code == 2
    assert "config.json" in result.stderr


def test_a_resumed_run_takes_no_configuration(tmp_path: Path) -> None:
    path = write(tmp_path, batch_size=4)
    (tmp_path / "runs/x").mkdir(parents=True)
    (tmp_path / "runs/x/recipe.toml").touch()
    result = run("--resume", "--run", "x", "--artifacts", tmp_path, "--config", path)
    assert result.exit_code == 2
    assert "has its own recipe" in result.stderr
