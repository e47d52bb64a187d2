"""A model put together of another's tokenizer and its own decoder."""

from pathlib import Path

from models import NARROW, seeded
from workplace import run

from snac_model import load, save
from snac_model.codec.weights import weights_sha256


def test_it_has_the_tokens_of_one_and_the_decoder_of_the_other(tmp_path: Path) -> None:
    for name, seed in (("tokenizer", 1), ("decoder", 2)):
        save(seeded(NARROW["24k"], seed), tmp_path / name)
    done = run(
        "tools.with_tokenizer",
        tmp_path / "tokenizer",
        tmp_path / "decoder",
        "-o",
        tmp_path / "both",
    )
    assert done.exit_code == 0, done.stderr
    both, one, other = (load(tmp_path / name) for name in ("both", "tokenizer", "decoder"))
    assert weights_sha256(both.tokenizer_modules()) == weights_sha256(one.tokenizer_modules())
    assert weights_sha256([both.decoder]) == weights_sha256([other.decoder])
    assert weights_sha256(both.tokenizer_modules()) != weights_sha256(other.tokenizer_modules())


def test_another_shape_is_refused(tmp_path: Path) -> None:
    save(seeded(NARROW["24k"]), tmp_path / "narrow")
    done = run(
        "tools.with_tokenizer", "builtin:speech-small", tmp_path / "narrow", "-o", tmp_path / "both"
    )
    assert done.exit_code == 1
    assert "differ in shape" in done.stderr
    assert not (tmp_path / "both").exists()
