"""Weights: every form they come in, and every way they can be wrong."""

import json
import pickle
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from models import NARROW, TouchWhenUnpickled, seeded
from safetensors.torch import save_file

from snac_common.errors import Failure
from snac_model import load, save
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256

CONFIG = NARROW["24k"]


def official_folder(folder: Path, model: SNAC) -> Path:
    """Write the official package's form: config.json and pytorch_model.bin."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(model.config.to_dict()))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def own_folder(folder: Path, model: SNAC) -> Path:
    save(model, folder)
    return folder


def assert_same_weights(model: SNAC, other: SNAC) -> None:
    state, expected = model.state_dict(), other.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], value) for name, value in expected.items())


@pytest.mark.parametrize("write", [official_folder, own_folder])
def test_both_forms_of_folder_load(tmp_path: Path, write: Any) -> None:
    model = seeded(CONFIG)
    loaded = load(write(tmp_path, model))
    assert not loaded.training
    assert loaded.config == model.config
    assert_same_weights(loaded, model)


def test_a_run_folder_stands_for_its_best(tmp_path: Path) -> None:
    model = seeded(CONFIG)
    save(model, tmp_path / "best")
    assert_same_weights(load(tmp_path), model)


def test_safetensors_come_before_the_pickle(tmp_path: Path) -> None:
    official_folder(tmp_path, seeded(CONFIG, 1))
    save(seeded(CONFIG, 2), tmp_path)
    assert_same_weights(load(tmp_path), seeded(CONFIG, 2))


def test_half_precision_loads_as_float32(tmp_path: Path) -> None:
    model = seeded(CONFIG)
    save(model, tmp_path)
    halves = {name: value.half() for name, value in model.state_dict().items()}
    save_file(halves, tmp_path / "model.safetensors")
    loaded = load(tmp_path).state_dict()
    assert {value.dtype for value in loaded.values()} == {torch.float32}
    assert all(torch.equal(loaded[name], value.float()) for name, value in halves.items())


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_refused_and_never_run(tmp_path: Path, zipped: bool) -> None:
    marker = tmp_path / "executed"
    folder = official_folder(tmp_path / "model", seeded(CONFIG))
    weights = folder / "pytorch_model.bin"
    torch.save(
        {"weights": TouchWhenUnpickled(marker)}, weights, _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(Failure, match=r"is refused.*no code in it is run") as caught:
        load(folder)
    assert "weights_only" not in str(caught.value)
    assert not marker.exists()
    torch.load(weights, weights_only=False)
    assert marker.exists(), "the file would have run its code"


def test_a_bare_pickle_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    folder = official_folder(tmp_path / "model", seeded(CONFIG))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(TouchWhenUnpickled(marker), protocol=2))
    with pytest.raises(Failure, match="is refused"):
        load(folder)
    assert not marker.exists()


@pytest.mark.parametrize("write", [official_folder, own_folder])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.999])
def test_truncated_weights_are_named(tmp_path: Path, write: Any, kept: float) -> None:
    folder = write(tmp_path, seeded(CONFIG))
    weights = next(path for path in folder.iterdir() if path.name != "config.json")
    content = weights.read_bytes()
    weights.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(Failure, match=weights.name):
        load(folder)


@pytest.mark.parametrize("write", [official_folder, own_folder])
def test_a_flipped_byte_never_makes_another_model(tmp_path: Path, write: Any) -> None:
    """Few bytes mean nothing, as the time of writing in a zip; the others are a Failure."""
    model = seeded(CONFIG)
    weights = model_file(write(tmp_path, model))
    content, random, refused = weights.read_bytes(), Random(0), 0
    header = 8 + int.from_bytes(content[:8], "little")  # of safetensors
    places = [*range(0, min(header, 400), 7), *(random.randrange(len(content)) for _ in range(60))]
    for place in places:
        weights.write_bytes(flipped(content, place, 1 << random.randrange(8)))
        try:
            loaded = load(tmp_path)
        except Failure as failure:
            refused += weights.name in str(failure)
        else:
            assert_same_weights(loaded, model)
    assert refused > 0.8 * len(places)


def test_a_flipped_weight_is_named(tmp_path: Path) -> None:
    for write in (official_folder, own_folder):
        weights = model_file(write(tmp_path / write.__name__, seeded(CONFIG)))
        content = weights.read_bytes()
        weights.write_bytes(flipped(content, len(content) // 2, 1))
        with pytest.raises(Failure, match=rf"weights in .*{weights.name} are damaged"):
            load(weights.parent)


@pytest.mark.parametrize("place", [2, 12])
def test_damage_to_what_holds_the_hash_is_seen(tmp_path: Path, place: int) -> None:
    """Of the name, as of the hash itself."""
    weights = model_file(own_folder(tmp_path, seeded(CONFIG)))
    content = weights.read_bytes()
    weights.write_bytes(flipped(content, content.index(b'"sha256"') + place, 1))
    with pytest.raises(Failure, match="damaged"):
        load(tmp_path)


def test_equal_models_are_equal_files(tmp_path: Path) -> None:
    written = set()
    for number in range(8):
        save(seeded(CONFIG), tmp_path / str(number))
        written.add((tmp_path / str(number) / "model.safetensors").read_bytes())
    assert len(written) == 1


def test_weights_without_a_hash_load(tmp_path: Path) -> None:
    model = seeded(CONFIG)
    save(model, tmp_path)
    for metadata in (None, {"format": "pt"}, {"made by": "somebody"}):
        save_file(model.state_dict(), tmp_path / "model.safetensors", metadata=metadata)
        assert_same_weights(load(tmp_path), model)


def model_file(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.name != "config.json")


def flipped(content: bytes, place: int, bits: int) -> bytes:
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_text_in_place_of_weights_is_named(tmp_path: Path, name: str) -> None:
    official_folder(tmp_path, seeded(CONFIG))
    (tmp_path / name).write_text("<html>404 not found</html>")
    with pytest.raises(Failure, match=name):
        load(tmp_path)


@pytest.mark.parametrize("content", [[torch.ones(2)], {"state_dict": {"a": torch.ones(2)}}])
def test_a_pickle_that_is_no_state_dict_is_named(tmp_path: Path, content: Any) -> None:
    official_folder(tmp_path, seeded(CONFIG))
    torch.save(content, tmp_path / "pytorch_model.bin")
    with pytest.raises(Failure, match="no state dict"):
        load(tmp_path)


def test_weights_that_do_not_fit_the_config_are_refused(tmp_path: Path) -> None:
    model = seeded(CONFIG)
    save(model, tmp_path)
    weights = tmp_path / "model.safetensors"
    state = model.state_dict()
    alpha = "decoder.model.6.alpha"
    for damaged, said in (
        ({name: value for name, value in state.items() if name != alpha}, "Missing key"),
        ({**state, "surplus": torch.ones(1)}, "Unexpected key"),
        ({**state, alpha: state[alpha][:, :2].clone()}, "size mismatch"),
    ):
        save_file(damaged, weights)
        with pytest.raises(Failure, match=f"does not fit.*{said}"):
            load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"decoder_dims": 64}, "unknown field 'decoder_dims'.*did you mean 'decoder_dim'"),
        ({"vq_strides": [4, 3, 1]}, "vq_strides"),
        ({"encoder_dim": "48"}, "'encoder_dim' in the model's config.json is '48'"),
        ({"encoder_rates": 8}, "'encoder_rates' in the model's config.json is 8"),
    ],
)
def test_a_config_that_makes_no_sense_is_named(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    save(seeded(CONFIG), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG.to_dict(), **change}))
    with pytest.raises(Failure, match=said):
        load(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1, 2]", "\x00"])
def test_a_config_that_is_no_config_is_named(tmp_path: Path, content: str) -> None:
    save(seeded(CONFIG), tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(Failure, match=r"config\.json"):
        load(tmp_path)


def test_the_hash_is_of_the_content_whatever_the_form(tmp_path: Path) -> None:
    model = seeded(CONFIG)
    expected = weights_sha256([model])
    for write in (official_folder, own_folder):
        assert weights_sha256([load(write(tmp_path / write.__name__, model))]) == expected


def test_the_hash_sees_a_single_weight() -> None:
    model = seeded(CONFIG)
    whole, tokenizer = weights_sha256([model]), weights_sha256(model.tokenizer_modules())
    with torch.no_grad():
        next(model.decoder.parameters()).flatten()[0] += 1e-3
    assert weights_sha256([model]) != whole
    assert weights_sha256(model.tokenizer_modules()) == tokenizer
    with torch.no_grad():
        next(model.encoder.parameters()).flatten()[0] += 1e-3
    assert weights_sha256(model.tokenizer_modules()) != tokenizer
    assert len({weights_sha256([model.bfloat16()]), whole, tokenizer}) == 3
