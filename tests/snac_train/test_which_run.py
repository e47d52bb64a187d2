"""Which run is meant: names, what --resume may be given, and what is said of runs that are gone."""

import json
from pathlib import Path

import pytest
from runs import write_run
from workplace import run, succeed

TRAIN, STATUS, STOP = (f"snac_train.cli.{name}" for name in ("train", "status", "stop"))
STEP = "step-00000002"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An artifact root with two runs; the newer one has a checkpoint and best models."""
    for name in ("older", "first"):
        folder = write_run(tmp_path, name)
        for part in (f"checkpoints/{STEP}", "best", "best_48k"):
            (folder / part).mkdir(parents=True)
            (folder / part / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def said(module: str, *words: object) -> str:
    """Return the message of a command that must end as one that was written wrongly."""
    result = run(module, *words)
    assert result.exit_code == 2, (result.exit_code, result.stderr, result.exception)
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


def resume(root: Path, *words: object) -> str:
    return said(TRAIN, "--artifacts", root, "--device", "cpu", "--resume", *words)


@pytest.mark.parametrize("what", ["best", "best/model.safetensors", "best_48k"])
def test_best_models_are_weights_alone(root: Path, what: str) -> None:
    message = resume(root, root / "runs/first" / what)
    assert "weights alone" in message
    assert "--run first --resume" in message
    assert f"--base {root}/runs/first/best" in message


@pytest.mark.parametrize("name", ["old.pt", "old.pth", "old.ckpt"])
def test_an_older_checkpoint_is_weights_alone(root: Path, name: str) -> None:
    (root / name).write_bytes(b"pickle")
    message = resume(root, root / name)
    assert "weights alone" in message
    assert f"--base {root / name}" in message


def test_a_checkpoint_that_is_gone_names_those_that_are_there(root: Path) -> None:
    message = resume(root, root / "runs/first/checkpoints/step-00000009")
    assert "there is no checkpoint" in message
    assert STEP in message


def test_a_name_that_is_gone_names_the_nearest_and_those_that_are_there(root: Path) -> None:
    messages = [
        resume(root, "frist"),
        resume(root, root / "runs/frist"),
        resume(root, "--run", "frist"),
        said(STATUS, "--artifacts", root, "--run", "frist"),
        said(STOP, "--artifacts", root, "frist"),
    ]
    expected = f"there is no run frist in {root}/runs. Did you mean first? Runs there: "
    for message in messages:
        assert expected in message, message
        assert "first, older" in message


def test_where_there_are_no_runs_it_says_so(tmp_path: Path) -> None:
    for message in (
        resume(tmp_path, "--run", "first"),
        said(STATUS, "--artifacts", tmp_path, "--run", "first"),
        said(STOP, "--artifacts", tmp_path, "first"),
    ):
        assert f"there is no run first in {tmp_path}/runs. Runs there: none yet" in message


def test_a_checkpoint_of_another_run_is_refused(root: Path) -> None:
    path = root / "runs/first/checkpoints" / STEP
    message = resume(root, path, "--run", "older")
    assert "of the run first" in message
    assert f"--base {path}" in message


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *[(name, ["--phase", 12]) for name in ("../evil", "a/b", "/tmp/evil", ".", "..", "")],
        ("../evil", ["--resume"]),
        ("../evil", ["--phase", 12, "--preflight"]),
    ],
)
def test_a_run_has_a_name_and_no_path(tmp_path: Path, name: str, more: list[object]) -> None:
    message = said(TRAIN, "--artifacts", tmp_path / "artifacts", "--run", name, *more)
    assert f"--run {name}" in message
    assert "a name, not a path" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["größer", "second run", "🎤", "v1.2", "-x"])
def test_any_other_name_is_taken(tmp_path: Path, name: str) -> None:
    result = run(TRAIN, "--artifacts", tmp_path, f"--run={name}", "--phase", 12, "--show-recipe")
    assert result.exit_code == 0, result.stderr


def test_the_run_of_every_form_is_shown_its_recipe(tmp_path: Path) -> None:
    """--show-recipe stops once the run is found and its recipe is read."""
    toml = run(TRAIN, "--phase", 12, "--set", "data.seed=7", "--show-recipe").stdout
    folder = write_run(tmp_path, "first")
    (folder / "recipe.toml").write_text(toml)
    checkpoint = folder / "checkpoints" / STEP
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").touch()
    forms = ["first", folder, f"{folder}/", folder / "checkpoints", checkpoint]
    for form in [*forms, checkpoint / "model.safetensors"]:
        result = run(TRAIN, "--artifacts", tmp_path, "--resume", form, "--show-recipe")
        assert result.exit_code == 0, (form, result.stderr)
        assert result.stdout == toml, form


def test_a_run_stays_where_it_is_asked_for(root: Path) -> None:
    assert succeed(STATUS, "--artifacts", root, "--run", "first")["runs"] == 1
    assert json.loads((root / "runs/first/run.json").read_text())["state"] == "finished"
