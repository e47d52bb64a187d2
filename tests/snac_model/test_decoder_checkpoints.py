"""Checkpoints of an earlier system's 48 kHz phases: a decoder beside layers of another shape."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from earlier_decoders import Earlier48kHz, EarlierDualHead, EarlierWhole, save_earlier
from models import NARROW, audio, codes, liven, seeded
from torch import nn
from workplace import succeed

from snac_common.errors import Failure
from snac_model import DualHeadSNAC, load, save
from snac_model.codec.snac import SNAC
from snac_model.files import model_files
from snac_model.layers.noise import RandomNoise


@cache
def base() -> SNAC:
    return seeded(NARROW["24k"])


def trained(kind: type[nn.Module], seed: int = 1) -> nn.Module:
    """Return a network of the earlier system with a decoder that was trained on."""
    torch.manual_seed(seed)
    network = kind(seeded(NARROW["24k"], seed))
    liven(network)
    return network.eval()


def state_of_numpy() -> Any:
    """Return what scripts keep of NumPy's generator: a name, an array of words, plain numbers."""
    return np.random.RandomState(3).get_state()


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the model whose codes the earlier decoders were trained on."""
    folder = tmp_path_factory.mktemp("tokenizer")
    save(base(), folder)
    return str(folder)


@pytest.fixture
def own_default(tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """That model in the place of the published one, which a test cannot download."""
    monkeypatch.setattr(model_files, "DEFAULT_MODEL", tokenizer)
    return tokenizer


def test_the_24_khz_side_of_phase_12_is_taken_over_exactly(tmp_path: Path, tokenizer: str) -> None:
    earlier = trained(EarlierDualHead)
    assert isinstance(earlier, EarlierDualHead)
    model = load(save_earlier(tmp_path / "best.pt", earlier), tokenizer=tokenizer)
    assert type(model) is SNAC
    given = codes(model, 6)
    torch.manual_seed(5)
    with torch.no_grad():
        expected = earlier.at_24k(base().quantizer.from_codes(given))
        torch.manual_seed(5)
        found = model.decode(given)
    assert (found - expected).abs().max().item() == 0.0
    assert expected.abs().max() > 0.01


def test_encoder_and_quantizer_are_those_that_made_the_codes(
    tmp_path: Path, tokenizer: str
) -> None:
    for kind in (EarlierDualHead, Earlier48kHz):
        path = save_earlier(tmp_path / f"{kind.__name__}.pt", trained(kind))
        model = load(path, tokenizer=tokenizer)
        sound = audio(9_000)
        assert all(
            torch.equal(own, expected)
            for own, expected in zip(model.encode(sound), base().encode(sound), strict=True)
        )


def test_of_phase_11_the_trunk_is_taken_over(
    tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = trained(Earlier48kHz)
    assert isinstance(earlier, Earlier48kHz)
    model = load(save_earlier(tmp_path / "best.pt", earlier), tokenizer=tokenizer)
    torch.manual_seed(5)
    z = torch.randn(1, model.config.latent_channels, 8)
    torch.manual_seed(6)
    with torch.no_grad():
        expected = earlier.features(z)
        torch.manual_seed(6)
        found = model.decoder.features(z, RandomNoise()).values
    assert torch.equal(found, expected)
    heads = [one.decoder.head[1].state_dict() for one in (model, base())]
    assert all(torch.equal(heads[0][name], heads[1][name]) for name in heads[1])
    said = capsys.readouterr().err
    assert "48 kHz layers" in said
    assert "left out" in said
    assert f"final 24 kHz layers are those of {tokenizer}" in said


def test_an_older_phase_11_has_all_of_the_codec(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = trained(EarlierWhole)
    config = NARROW["24k"].to_dict()
    model = load(save_earlier(tmp_path / "best.pt", earlier, config=config))
    assert isinstance(earlier, EarlierWhole)
    for part in ("encoder", "quantizer"):
        own, expected = getattr(model, part).state_dict(), getattr(earlier, part).state_dict()
        assert all(torch.equal(own[name], value) for name, value in expected.items())
    decoder = earlier.pretrained_decoder.state_dict()
    for name, value in model.decoder.state_dict().items():
        assert torch.equal(value, decoder[name])
    assert "left out" in capsys.readouterr().err


def test_what_is_left_out_is_said(
    tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save_earlier(tmp_path / "best.pt", trained(EarlierDualHead))
    load(path, tokenizer=tokenizer)
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("left out") == 1
    assert str(path) in said
    assert "24 kHz" in said
    assert "--phase 12 --base" in said


def test_names_of_data_parallel_training_make_no_difference(tmp_path: Path, tokenizer: str) -> None:
    network = trained(EarlierDualHead)
    alone = load(save_earlier(tmp_path / "alone.pt", network), tokenizer=tokenizer)
    wrapped = nn.Module()
    wrapped.module = network
    together = load(save_earlier(tmp_path / "together.pt", wrapped), tokenizer=tokenizer)
    for name, value in alone.state_dict().items():
        assert torch.equal(together.state_dict()[name], value)


def test_it_can_be_continued_with_a_48_khz_head(tmp_path: Path, tokenizer: str) -> None:
    model = load(save_earlier(tmp_path / "best.pt", trained(EarlierDualHead)), tokenizer=tokenizer)
    dual = DualHeadSNAC.from_base(model)
    given = codes(model, 4)
    outputs = []
    for each in (model, dual):
        torch.manual_seed(5)
        outputs.append(each.decode_by_rate(given)[24_000])
    assert torch.equal(*outputs)
    outputs[1].square().sum().backward()
    gradients = [value.grad for value in dual.decoder.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_the_published_model_is_the_tokenizer_where_no_other_is_named(
    tmp_path: Path, own_default: str
) -> None:
    path = save_earlier(tmp_path / "best.pt", trained(EarlierDualHead))
    assert load(path).config == base().config


def test_a_tokenizer_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    path = save_earlier(tmp_path / "best.pt", trained(EarlierDualHead))
    with pytest.raises(Failure, match=r"best\.pt holds a decoder alone.*no model /no/such"):
        load(path, tokenizer="/no/such")


def test_a_decoder_of_another_size_is_named(tmp_path: Path) -> None:
    path = save_earlier(tmp_path / "best.pt", trained(EarlierDualHead))
    with pytest.raises(Failure, match=r"best\.pt does not fit .*builtin:speech-small"):
        load(path, tokenizer="builtin:speech-small")


@pytest.mark.parametrize(
    "beside",
    [
        {"numpy_random_state": state_of_numpy()},
        {"rng": {"numpy": state_of_numpy(), "python": random.Random(1).getstate()}},
        {"best_val_loss": np.float64(0.25), "history": np.arange(3.0, dtype=np.float32)},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_numpys_arrays_beside_the_weights_are_read(
    tmp_path: Path, tokenizer: str, beside: dict[str, Any], zipped: bool
) -> None:
    state = trained(EarlierDualHead).state_dict()
    path = tmp_path / "best.pt"
    content = {"model_state_dict": state, **beside}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert type(load(path, tokenizer=tokenizer)) is SNAC


def test_arrays_that_numpy_1_pickled_are_read(tmp_path: Path, tokenizer: str) -> None:
    """Their functions had their place in another module then."""
    state = trained(EarlierDualHead).state_dict()
    path = tmp_path / "best.pt"
    content = {"model_state_dict": state, "numpy_random_state": state_of_numpy()}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    modern, earlier = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"
    assert modern in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(modern, earlier))
    assert type(load(path, tokenizer=tokenizer)) is SNAC


def test_what_may_be_code_is_named_and_the_file_not_called_damaged(tmp_path: Path) -> None:
    content = {"model_state_dict": base().state_dict(), "args": Path("/tmp")}
    torch.save(content, tmp_path / "old.pt")
    with pytest.raises(Failure, match=r"is refused.*pathlib.*no code in it is run") as caught:
        load(tmp_path / "old.pt")
    assert "damaged" not in str(caught.value)
    assert "torch.save" in str(caught.value)


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    content = {"model_state_dict": base().state_dict(), "names": np.array([{}, []], dtype=object)}
    torch.save(content, tmp_path / "old.pt")
    with pytest.raises(Failure, match="is refused"):
        load(tmp_path / "old.pt")


def test_the_commands_encode_and_decode_with_it(tmp_path: Path, own_default: str) -> None:
    network = trained(EarlierDualHead)
    path = save_earlier(tmp_path / "best.pt", network, numpy_random_state=state_of_numpy())
    soundfile.write(tmp_path / "in.wav", audio(9_000)[0, 0].numpy(), 24_000)
    own, others = tmp_path / "own.jsonl", tmp_path / "others.jsonl"
    for model, output in ((path, own), (own_default, others)):
        succeed("snac_cache.cli.encode", tmp_path / "in.wav", "-o", output, "--model", model)
    assert own.read_text() == others.read_text()
    succeed("snac_cache.cli.decode", own, "-o", tmp_path / "out.wav", "--model", path)
    assert soundfile.info(tmp_path / "out.wav").frames == 9_000
