"""The metrics of snac-eval's extras, on real speech."""

import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation import Workplace, read_rows

from snac_eval.cli.evaluate import PERCEPTUAL
from snac_eval.metrics import perceptual
from snac_eval.metrics.pairs import NoValue, Pair
from snac_model.audio.reading import read_mono

pytestmark = pytest.mark.skipif(
    any(
        importlib.util.find_spec(library) is None
        for libraries in perceptual.LIBRARIES.values()
        for library in libraries
    ),
    reason="the extras perceptual, pesq and visqol of snac-eval are not all installed",
)
CEILINGS = {"pesq": 4.64, "stoi": 1.0, "visqol_speech": 5.0, "visqol_audio": 4.73}


@pytest.fixture(scope="module")
def sentence(speech: Path) -> torch.Tensor:
    audio, rate = read_mono(sorted((speech / "nathalie" / "val").glob("*.flac"))[0])
    assert rate == 48000
    return audio


def score(name: str, output: torch.Tensor, reference: torch.Tensor) -> float:
    values = perceptual.METRICS[name].compute(Pair.of(output, reference, 48000))
    assert tuple(values) == perceptual.METRICS[name].names
    value = values[name]
    assert isinstance(value, float)
    return value


def with_noise(audio: torch.Tensor, level_db: float) -> torch.Tensor:
    noise = torch.randn(len(audio), generator=torch.Generator().manual_seed(0))
    return audio + noise * audio.square().mean().sqrt() * 10 ** (level_db / 20)


def test_the_command_offers_each_of_them() -> None:
    assert tuple(perceptual.METRICS) == PERCEPTUAL


SECONDS_EACH = {"dnsmos", "visqol_audio"}  # of each library, another test or metric stays


@pytest.mark.speech
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.campaign] if name in SECONDS_EACH else [])
        for name in perceptual.METRICS
    ],
)
def test_more_noise_is_worse(sentence: torch.Tensor, name: str) -> None:
    clean, noisy, noisier = (
        score(name, output, sentence)
        for output in (sentence, with_noise(sentence, -25), with_noise(sentence, -5))
    )
    assert clean > noisy > noisier
    if name in CEILINGS:
        assert clean == pytest.approx(CEILINGS[name], abs=0.01)


@pytest.mark.speech
def test_dnsmos_is_what_speechmos_says(sentence: torch.Tensor) -> None:
    """Values that speechmos 0.0.1.1 itself gave for this sentence, with librosa installed."""
    expected = {"dnsmos_speech": 3.462092, "dnsmos_background": 3.747329, "dnsmos": 3.049970}
    found = perceptual.dnsmos(Pair.of(sentence, sentence, 48000))
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.speech
def test_plcmos_is_what_speechmos_says_of_the_same_listeners(
    sentence: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    plcmos = importlib.import_module("speechmos.plcmos")
    listeners = iter(np.random.default_rng(0).standard_normal((15, 1, 64)))
    monkeypatch.setattr("numpy.random.normal", lambda size: next(listeners))
    pair = Pair.of(sentence, sentence, 48000).at(16000)
    expected = plcmos.PLCMOS().get_mos(pair.output.numpy())
    found = perceptual.plcmos(Pair.of(sentence, sentence, 48000))
    assert found["plcmos"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", perceptual.METRICS)
def test_silence_has_no_value(name: str) -> None:
    noise, silence = with_noise(torch.full((48000,), 0.1), -3), torch.zeros(48000)
    with pytest.raises(NoValue, match="the reference is silent"):
        score(name, noise, silence)
    with pytest.raises(NoValue, match="the output is silent"):
        score(name, silence, noise)


@pytest.mark.parametrize("name", ["pesq", "stoi", "visqol_speech"])
def test_what_is_too_short_has_no_value(name: str) -> None:
    noise = with_noise(torch.full((6000,), 0.1), -3)
    with pytest.raises(NoValue):
        score(name, noise, noise.flip(0))


def test_a_metric_without_a_value_changes_no_other(workplace: Workplace) -> None:
    short = ("--val-limit", 3, "--segment", 0.1)
    plain = read_rows(workplace.evaluate(workplace.base, *short))
    options = ("--perceptual", "pesq", "--perceptual", "stoi")
    rows = read_rows(workplace.evaluate(workplace.base, *short, *options))
    assert [row for row in rows if row["metric"] not in ("pesq", "stoi")] == plain
    added = [row for row in rows if row["metric"] in ("pesq", "stoi")]
    assert len(added) == 3 * 3 * 2
    assert all(row["value"] is None and row["reason"] for row in added)
