"""Checkpoints of earlier scripts: every form that loads, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from models import NARROW, TouchWhenUnpickled, seeded

from snac_common.errors import Failure
from snac_model import DualHeadSNAC, load
from snac_model.codec.dual_head import double_rate
from snac_model.codec.snac import SNAC
from snac_model.shapes.config import SNAC_24KHZ

State = dict[str, torch.Tensor]

CONFIG = NARROW["24k"]
TRAINING = {"train_data": "/data/train", "batch_size": 48, "n_ffts": [1024, 2048]}


@cache
def single() -> SNAC:
    return seeded(CONFIG)


@cache
def dual() -> SNAC:
    return DualHeadSNAC.from_base(single())


@cache
def single_48k() -> SNAC:
    return double_rate(single())


def assert_same(model: SNAC, expected: SNAC) -> None:
    assert type(model) is type(expected)
    assert model.config == expected.config
    assert not model.training
    state = model.state_dict()
    assert state.keys() == expected.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in expected.state_dict().items())


def save_old(path: Path, state: Any, key: str | None = "model_state_dict", **others: Any) -> Path:
    """Save a checkpoint with what else scripts put there, or a bare state dict."""
    around = {"epoch": 7, "optimizer_state_dict": {"state": {0: {"step": torch.ones(())}}}}
    around |= {"scheduler": None, "best_val_loss": 0.22, "config": CONFIG.to_dict()}
    torch.save({**around, **others, key: state} if key else state, path)
    return path


def renamed(rename: Callable[[str], str]) -> Callable[[State], State]:
    return lambda state: {rename(name): value for name, value in state.items()}


def old_weight_norm(name: str) -> str:
    ends = {"original0": "weight_g", "original1": "weight_v"}
    head, _, last = name.rpartition(".")
    return f"{head.removesuffix('.parametrizations.weight')}.{ends[last]}" if last in ends else name


def sequential_head(prefix: str) -> Callable[[str], str]:
    """Name the second head as one nn.Sequential: block, Snake, convolution, tanh."""
    numbers = {"head_48k.block.": "0.", "head_48k.final.0.": "1.", "head_48k.final.1.": "2."}

    def rename(name: str) -> str:
        for own, number in numbers.items():
            name = prefix + number + name.removeprefix(own) if name.startswith(own) else name
        return name

    return rename


NAMINGS = {
    "own": renamed(lambda name: name),
    "data parallel": renamed(lambda name: f"module.{name}"),
    "compiled": renamed(lambda name: f"_orig_mod.{name}"),
    "both": renamed(lambda name: f"module._orig_mod.{name}"),
    "decoder compiled": renamed(lambda name: name.replace("decoder.", "decoder._orig_mod.")),
    "old weight norm": renamed(old_weight_norm),
    "half of it old": lambda state: {
        old_weight_norm(name) if name.startswith("decoder") else name: value
        for name, value in state.items()
    },
}


@pytest.mark.parametrize(
    ("make", "naming"),
    [
        *[(single, naming) for naming in NAMINGS],
        *[(make, naming) for make in (dual, single_48k) for naming in ("own", "old weight norm")],
    ],
)
def test_every_naming_loads(tmp_path: Path, make: Callable[[], SNAC], naming: str) -> None:
    model = make()
    path = save_old(tmp_path / "old.pt", NAMINGS[naming](model.state_dict()))
    assert_same(load(path), model)


@pytest.mark.parametrize(
    ("make", "key", "suffix"),
    [
        (single, "model_state_dict", ".pt"),
        (single, "model_state_dict", ".pth"),
        (single, "model", ".ckpt"),
        (dual, "model", ".pt"),
    ],
)
def test_every_container_loads(
    tmp_path: Path, make: Callable[[], SNAC], key: str, suffix: str
) -> None:
    path = save_old(tmp_path / f"old{suffix}", make().state_dict(), key)
    assert_same(load(path), make())


@pytest.mark.parametrize("prefix", ["head_48k.", "decoder_48k."])
def test_a_second_head_that_was_one_sequential_loads(tmp_path: Path, prefix: str) -> None:
    naming = renamed(lambda name: f"module.{old_weight_norm(sequential_head(prefix)(name))}")
    state = naming(dual().state_dict())
    assert f"module.{prefix}2.weight_g" in state
    assert_same(load(save_old(tmp_path / "old.pt", state)), dual())


@pytest.mark.parametrize(
    ("make", "key", "config"),
    [
        (lambda base: base, "model", TRAINING),
        (lambda base: base, None, None),
        (double_rate, "model", None),
        (DualHeadSNAC.from_base, "model_state_dict", TRAINING),
    ],
)
def test_without_a_codecs_config_it_is_snac_24khz(
    tmp_path: Path, make: Callable[[SNAC], SNAC], key: str | None, config: dict[str, Any] | None
) -> None:
    torch.manual_seed(0)
    base = SNAC(**SNAC_24KHZ.to_dict()).eval()
    model = make(base)
    path = save_old(tmp_path / "old.pt", model.state_dict(), key, config=config)
    assert_same(load(path), model)


def test_the_format_before_torch_1_6_loads(tmp_path: Path) -> None:
    content = {"model": single().state_dict(), "config": CONFIG.to_dict()}
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert_same(load(tmp_path / "old.pt"), single())


def test_half_precision_becomes_float32(tmp_path: Path) -> None:
    halves = {name: value.half() for name, value in single().state_dict().items()}
    loaded = load(save_old(tmp_path / "old.pt", halves)).state_dict()
    assert all(torch.equal(loaded[name], value.float()) for name, value in halves.items())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["model_state_dict", "config", "args"])
def test_code_is_refused_and_never_run(tmp_path: Path, place: str, zipped: bool) -> None:
    marker = tmp_path / "executed"
    content = {"model_state_dict": single().state_dict(), "config": CONFIG.to_dict()}
    content[place] = TouchWhenUnpickled(marker)  # type: ignore[assignment]
    path = tmp_path / "old.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(Failure, match=r"is refused.*no code in it is run") as caught:
        load(path)
    assert "weights_only" not in str(caught.value)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the file would have run its code"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: {**state, "final_conv_48k.weight": torch.ones(1)}, "final_conv_48k.weight"),
        (lambda state: {f"snac.{name}": value for name, value in state.items()}, "snac.encoder"),
        (lambda state: dict(list(state.items())[:-1]), "Missing key"),
        (lambda state: {name: value[..., :1] for name, value in state.items()}, "size mismatch"),
        (lambda state: {**state, "module.decoder.model.6.alpha": torch.ones(1)}, "under two names"),
    ],
)
@pytest.mark.parametrize("make", [single, dual])
def test_what_does_not_fit_is_named_and_never_half_loaded(
    tmp_path: Path, make: Callable[[], SNAC], change: Callable[[State], State], said: str
) -> None:
    path = save_old(tmp_path / "old.pt", change(make().state_dict()))
    with pytest.raises(Failure, match=rf"old\.pt .*{said}"):
        load(path)


def test_another_codec_without_its_config_is_refused(tmp_path: Path) -> None:
    path = save_old(tmp_path / "old.pt", single().state_dict(), config=TRAINING)
    with pytest.raises(Failure, match=r"does not fit SNAC 24 kHz, as no codec's config.*mismatch"):
        load(path)


def test_a_config_that_says_two_heads_is_believed(tmp_path: Path) -> None:
    config = replace(CONFIG, dual_head=True).to_dict()
    path = save_old(tmp_path / "old.pt", single().state_dict(), config=config)
    with pytest.raises(Failure, match=r"Missing key.*head_48k"):
        load(path)


@pytest.mark.parametrize("content", [[], {}, {"model": {}}, {"model": 1}, {"epoch": 3}])
def test_a_file_without_a_state_dict_is_named(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "old.pt")
    with pytest.raises(Failure, match=r"old\.pt holds no state dict.*model_state_dict or model"):
        load(tmp_path / "old.pt")


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_named(tmp_path: Path, kept: float) -> None:
    path = save_old(tmp_path / "old.pt", single().state_dict())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(Failure, match=r"old\.pt"):
        load(path)


@pytest.mark.parametrize("where", ["old.pt", "runs/old.pt", "/no/such/old.pth"])
def test_a_file_that_is_not_there_is_named_and_not_sought_on_the_hub(where: str) -> None:
    with pytest.raises(Failure, match=r"no such file.*older checkpoint"):
        load(where)
