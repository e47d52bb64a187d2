"""Where models are found: folders, the Hub's cache, and what is said when there is none."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from models import NARROW, seeded

from snac_common.errors import Failure
from snac_model import load, save
from snac_model.codec.dual_head import DualHeadSNAC
from snac_model.codec.snac import SNAC

MODEL = "owner/name"


def fill_hub_cache(cache: Path, files: dict[str, bytes]) -> None:
    """Lay files out as the Hub's client does: blobs, a snapshot that links to them, a ref."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = cache / "models--owner--name"
    snapshot = repository / "snapshots" / commit
    for folder in (repository / "refs", repository / "blobs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    for name, content in files.items():
        blob = hashlib.sha256(content).hexdigest()
        (repository / "blobs" / blob).write_bytes(content)
        link = snapshot / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(os.path.relpath(repository / "blobs" / blob, link.parent))


@pytest.fixture
def model() -> SNAC:
    return seeded(NARROW["24k"])


@pytest.fixture
def unreachable_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is there and refuses, so that the test does not depend on the real one."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")


def files_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("local_files_only", [True, False])
@pytest.mark.parametrize("form", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.usefixtures("unreachable_hub")
def test_the_hub_cache_serves_without_a_network(
    tmp_path: Path, model: SNAC, form: str, local_files_only: bool
) -> None:
    folder = tmp_path / "folder"
    save(model, folder)
    if form == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / form)
    fill_hub_cache(tmp_path / "hub", files_of(folder))
    loaded = SNAC.from_pretrained(
        MODEL, cache_dir=tmp_path / "hub", local_files_only=local_files_only
    )
    state = loaded.state_dict()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("local_files_only", [True, False])
@pytest.mark.usefixtures("unreachable_hub")
def test_without_network_and_cache_the_alternatives_are_named(
    tmp_path: Path, local_files_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    with pytest.raises(Failure) as caught:
        load(MODEL, cache_dir=tmp_path, local_files_only=local_files_only)
    for words in (MODEL, "no network", "config.json", "pytorch_model.bin", "builtin:NAME"):
        assert words in str(caught.value)
    assert not naps, "it must not wait and retry"


@pytest.mark.usefixtures("unreachable_hub")
def test_a_folder_of_a_repository_goes_by_its_name_unless_there_is_one_here(
    tmp_path: Path, model: SNAC, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(model, tmp_path / "export")
    save(DualHeadSNAC.from_base(model), tmp_path / "export/dual_head")
    fill_hub_cache(tmp_path / "hub", files_of(tmp_path / "export"))
    assert type(load(MODEL, cache_dir=tmp_path / "hub")) is SNAC
    assert type(load(f"{MODEL}/dual_head", cache_dir=tmp_path / "hub")) is DualHeadSNAC
    with pytest.raises(Failure, match="other holds no model"):
        load(f"{MODEL}/other", cache_dir=tmp_path / "hub")
    monkeypatch.chdir(tmp_path)
    save(model, tmp_path / MODEL / "dual_head")
    assert type(load(f"{MODEL}/dual_head", cache_dir=tmp_path / "hub")) is SNAC


@pytest.mark.usefixtures("unreachable_hub")
def test_a_cached_repository_that_holds_no_model_is_named(tmp_path: Path) -> None:
    fill_hub_cache(tmp_path, {"config.json": json.dumps(NARROW["24k"].to_dict()).encode()})
    with pytest.raises(Failure, match="holds no model"):
        load(MODEL, cache_dir=tmp_path)


@pytest.mark.parametrize("where", ["nowhere", "./no/where", "/no/such/folder", "~/x", "a/b/c/d"])
def test_a_folder_that_is_not_there_is_named(where: str) -> None:
    with pytest.raises(Failure, match=r"no such folder.*builtin:NAME"):
        load(where)


def test_an_invalid_hub_id_and_an_unknown_builtin_are_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot be downloaded"):
        load("owner/na me", cache_dir=tmp_path)
    with pytest.raises(Failure, match="there is no builtin:nothing"):
        load("builtin:nothing")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"holds no model.*config\.json"):
        load(tmp_path)
