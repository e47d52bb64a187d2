"""Runs that begin with what people already have: older checkpoints and configurations."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner, Result
from models import TouchWhenUnpickled, liven
from training import SMALL_RECIPE
from workplace import succeed, write_tone

from snac_common.errors import Failure
from snac_model import DualHeadSNAC
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_train.cli.train import main
from snac_train.data.inputs import open_inputs
from snac_train.legacy.audio import check_audio
from snac_train.recipe.files import packaged_tables
from snac_train.recipe.load import load_recipe, recipe_of

CONFIG = {
    "num_epochs": 1,
    "batch_size": 4,
    "learning_rate": 2e-3,
    "n_ffts": [128, 256],
    "curriculum": [{"epochs": [1, 1], "length": 0.2}],
    "output_dir": "checkpoints/earlier_run",
    "num_workers": 0,
}
SHORT = ("--set", "validation.segment_s=0.5", "--set", "validation.curriculum=false")


def run(codes: Path, artifacts: Path, phase: int, *arguments: object) -> Result:
    """Run the command on the CPU."""
    place = ("--codes", codes, "--artifacts", artifacts, "--device", "cpu")
    return CliRunner().invoke(main, ["--phase", str(phase), *map(str, (*place, *arguments))])


def write(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**CONFIG, **values}))
    return path


def state_of(artifacts: Path, name: str) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((artifacts / "runs" / name / "run.json").read_text())
    return state


def save_old(path: Path, model: SNAC, key: str) -> Path:
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"epoch": 3, "config": model.config.to_dict(), key: state}, path)
    return path


def test_a_run_by_an_older_configuration_from_an_older_checkpoint(
    voices: Path, base: SNAC, tmp_path: Path
) -> None:
    old = save_old(tmp_path / "best_model.pt", base, "model")
    source = voices.parents[1] / "in"
    audio = {"train_data": str(source / "train"), "val_data": str(source / "val")}
    config = write(tmp_path, pretrained_model=str(old), **audio)
    result = run(voices, tmp_path, 10, "--config", config, *SHORT)
    assert result.exit_code == 0, result.stderr
    state = state_of(tmp_path, "earlier_run")
    assert state["base"] == str(old)
    assert state["base_sha256"] == weights_sha256([base])
    assert state["plan"]["epochs"] == 1


def test_a_dual_head_goes_on_from_an_older_dual_head(
    voices: Path, base: SNAC, tmp_path: Path
) -> None:
    model = DualHeadSNAC.from_base(base)
    liven(model.head_48k)
    old = save_old(tmp_path / "old.pt", model, "model_state_dict")
    settings = {**SMALL_RECIPE, "curriculum.epochs": "1"}
    options = [part for name, text in settings.items() for part in ("--set", f"{name}={text}")]
    result = run(voices, tmp_path, 12, "--base", old, "--run", "one", *options)
    assert result.exit_code == 0, result.stderr
    assert state_of(tmp_path, "one")["base_sha256"] == weights_sha256([model])


@pytest.mark.parametrize("key", ["train_data", "val_data"])
@pytest.mark.parametrize("codes", ["cached", "encoded"])
def test_audio_of_another_folder_is_refused(
    voices: Path, small_codec: Path, tmp_path: Path, key: str, codes: str
) -> None:
    config = write(tmp_path, pretrained_model=str(small_codec), **{key: str(tmp_path / "other")})
    place = ("--manifest", voices.parent / "manifests", "--set", f"data.codes={codes}")
    result = run(voices, tmp_path, 10, "--config", config, *place, *SHORT)
    assert result.exit_code == 1, result.output
    assert f"{key} is {tmp_path / 'other'}" in result.stderr
    assert "Run snac-manifest" in result.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("phase", "warned"), [(12, True), (10, False)])
def test_targets_that_hold_no_more_than_24_khz_are_told_of(
    voices: Path, tmp_path: Path, phase: int, warned: bool
) -> None:
    """As far as the manifest knows, and only where a 48 kHz output is trained."""
    for split in ("train", "val"):
        table = pq.read_table(voices.parent / "manifests" / f"{split}.parquet")
        bandwidths = pa.array([7250.0] * table.num_rows)
        for name, values in (("target_path", table["audio_path"]), ("bandwidth_hz", bandwidths)):
            table = table.set_column(table.schema.get_field_index(name), name, values)
        pq.write_table(table, tmp_path / f"{split}.parquet")
    said = open_inputs(load_recipe(phase), voices, str(tmp_path)).narrow_targets()
    assert (said is not None) == warned
    assert not said or "targets hold nothing above 7.5 kHz" in said


@pytest.mark.parametrize("given", ["links", "target"])
@pytest.mark.parametrize("linked", ["files", "folders"])
def test_linked_audio_is_that_of_its_links_and_of_what_they_lead_to(
    tmp_path: Path, given: str, linked: str
) -> None:
    """The earlier script that prepared a dataset filled it with links."""
    corpus, dataset = tmp_path / "corpus", tmp_path / "dataset"
    for split in ("train", "val"):
        for name in "ab":
            write_tone(corpus / split / f"{name}.wav", 1.1)
        if linked == "folders":
            dataset.mkdir(exist_ok=True)
            (dataset / split).symlink_to(corpus / split)
            continue
        (dataset / split).mkdir(parents=True)
        for name in "ab":
            (dataset / split / f"{name}.wav").symlink_to(corpus / split / f"{name}.wav")
    succeed("snac_cache.cli.manifest", dataset, "-o", tmp_path / "manifests")
    place = dataset if given == "links" else corpus
    recipe = recipe_of(packaged_tables(10), [("data.codes", "encoded")])
    audio = {"train_data": place / "train", "val_data": place / "val"}
    check_audio(audio, recipe, tmp_path / "codes", str(tmp_path / "manifests"))
    with pytest.raises(Failure, match="val_data is"):
        check_audio({"val_data": tmp_path / "other"}, recipe, tmp_path, str(tmp_path / "manifests"))


def test_a_base_that_would_run_code_is_refused(voices: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    torch.save({"model_state_dict": TouchWhenUnpickled(marker)}, tmp_path / "old.pt")
    result = run(voices, tmp_path, 10, "--base", tmp_path / "old.pt", "--run", "one", *SHORT)
    assert result.exit_code == 1
    assert "is refused" in result.stderr
    assert not marker.exists()
