"""What commands say of names and files that are not there: alike, and without Python's numbers."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from workplace import run

COMPARE, EVAL = "snac_eval.cli.compare", "snac_eval.cli.evaluate"
STOP, STATUS = "snac_train.cli.stop", "snac_train.cli.status"
EXPORT, CACHE = "snac_model.cli.export", "snac_cache.cli.cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An artifact root with one run."""
    for name in ("recipe.toml", "metrics.jsonl"):
        (tmp_path / "runs/first").mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs/first" / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (COMPARE, ("frist",)),
        (EXPORT, ("frist",)),
        (STOP, ("frist",)),
        (STATUS, ("--run", "frist")),
    ],
)
def test_a_run_that_is_not_there_is_answered_alike(
    root: Path, module: str, arguments: tuple[str, ...]
) -> None:
    refused = run(module, *arguments, "--artifacts", root)
    assert refused.exit_code == 2
    said = f"error: there is no run frist in {root}/runs. Did you mean first? Runs there: first."
    assert said in refused.stderr


def test_a_name_that_is_neither_run_nor_model_is_answered_with_both(root: Path) -> None:
    from snac_common.artifacts import Artifacts
    from snac_common.errors import BadInput
    from snac_eval.models.evaluated import find_model

    with pytest.raises(BadInput, match=r"no run frist .*Runs there: first\. .*builtin:NAME"):
        find_model("frist", Artifacts(root))


def test_a_run_as_model_of_another_command_is_told_by_its_folder(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAC_ARTIFACTS", str(root))
    (root / "in.jsonl").touch()
    refused = run("snac_cache.cli.decode", root / "in.jsonl", "-o", root / "o", "--model", "first")
    assert refused.exit_code == 1
    assert f"the run {root}/runs/first has no best model yet" in refused.stderr


@pytest.mark.parametrize("name", ["none.parquet", "none.jsonl"])
def test_a_manifest_that_is_not_there_is_told_in_words(root: Path, name: str) -> None:
    refused = run(CACHE, "--manifest", root / name, "--artifacts", root)
    assert refused.stderr == (
        f"error: cannot read the manifest {root / name}: No such file or directory. "
        "Run snac-manifest.\n"
    )


@pytest.mark.parametrize("content", [{"a": 1}, [], {"listener": "x", "votes": [{"y": 1}]}])
def test_a_file_that_holds_no_votes_is_told_in_words(tmp_path: Path, content: object) -> None:
    (tmp_path / "votes.json").write_text(json.dumps(content))
    refused = run(EVAL, "--votes", tmp_path / "votes.json")
    assert refused.exit_code == 1
    assert "Error(" not in refused.stderr
    assert "holds no votes that a report's blind test saved" in refused.stderr


def test_another_codec_over_a_cache_is_told_by_what_differs(tmp_path: Path) -> None:
    from snac_cache.store.description import check_same_codes
    from snac_common.errors import Failure

    before: dict[str, Any] = {"tokenizer_sha256": "a" * 64, "config": {"rates": [2, 4], "dim": 48}}
    before |= {"precision": "fp32", "schema_version": 1}
    now = before | {"config": {"rates": [2, 4], "dim": 64}, "precision": "bf16"}
    with pytest.raises(Failure) as refused:
        check_same_codes(tmp_path, before, now)
    assert "It differs in config.dim: 48, now 64; precision: fp32, now bf16." in str(refused.value)


@pytest.mark.parametrize("module", [CACHE, EVAL])
def test_every_command_takes_a_limit_of_0(module: str) -> None:
    """snac_cache's tests look at what it means."""
    command = import_module(module).main
    assert command.make_context("", ["--limit", "0"]).params["limit"] == 0
