"""A model that was damaged on purpose is found out, on real speech, with an interval without 0."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch
from evaluation import Lines, Workplace, cache, manifest_row, read_differences

from snac_eval.measuring.measure_utterance import Job, UtteranceMeasurer
from snac_eval.models.evaluated import ModelSource
from snac_eval.statistics.summary import Key, Summary
from snac_model import DualHeadSNAC, save
from snac_model.audio.reading import read_mono, resample
from snac_model.codec.loading import load
from snac_model.layers.noise import no_noise

pytestmark = pytest.mark.speech


def zero_the_second_head(model: DualHeadSNAC) -> None:
    convolution = model.head_48k.final[1]
    convolution.bias.zero_()  # type: ignore[operator]
    convolution.parametrizations.weight.original0.zero_()  # type: ignore[operator, union-attr]


def scale_the_weights(model: DualHeadSNAC) -> None:
    """Make the last convolutions, and with them the output before its tanh, half as loud again."""
    for final in (model.decoder.head[1], model.head_48k.final[1]):
        final.parametrizations.weight.original0.mul_(1.5)  # type: ignore[operator, union-attr]


class OneSampleLate(torch.nn.Module):
    """Gives everything a sample later, and loses the last."""

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(audio, (1, -1))


def sentences(speech: Path) -> list[Path]:
    """Return the eight shortest."""
    return sorted((speech / "kerstin" / "val").glob("*.flac"), key=os.path.getsize)[:8]


@pytest.fixture(scope="module")
def spoken(speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Eight sentences, and the small trained codec that the project brings along."""
    root = tmp_path_factory.mktemp("spoken")
    save(load("builtin:speech-small"), root / "models" / "base")
    cache(
        [manifest_row(file) for file in sentences(speech)], root / "models" / "base", root / "codes"
    )
    return Workplace(root, root / "models" / "base")


@pytest.fixture(scope="module")
def differences(spoken: Workplace) -> Lines:
    """Models whose weights were damaged, against the whole one."""
    whole = spoken.save_model("whole", lambda model: None)
    damages = (zero_the_second_head, scale_the_weights)
    damaged = [spoken.save_model(damage.__name__, damage) for damage in damages]
    return read_differences(spoken.evaluate(*damaged, "--base", whole))


@pytest.mark.parametrize(
    ("damage", "rate", "metric"),
    [
        (zero_the_second_head, 48000, "loss"),
        (zero_the_second_head, 48000, "lsd"),
        (scale_the_weights, 24000, "loss"),
    ],
)
def test_a_damaged_model_is_worse(
    differences: Lines,
    damage: Callable[[DualHeadSNAC], None],
    rate: int,
    metric: str,
) -> None:
    line = differences[damage.__name__, rate, metric]
    assert line["n"] == 8
    assert 0 < line["ci_low"] < line["mean"] < line["ci_high"]


def test_what_was_not_damaged_is_as_good_as_before(differences: Lines) -> None:
    line = differences["zero_the_second_head", 24000, "loss"]
    assert (line["mean"], line["ci_low"], line["ci_high"]) == (0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def followed(spoken: Workplace, speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Codes whose targets are what the codec makes of them, so that it follows to the sample.

    Its tokens hold no phase, so no recording would do.
    """
    folder = tmp_path_factory.mktemp("followed")
    model = load(spoken.base)
    rows = []
    for file in sentences(speech):
        audio, rate = read_mono(file)
        with torch.inference_mode():
            codes = model.encode(resample(audio, rate, 24_000)[None, None])
            made = model.decode_by_rate(codes, no_noise)[24_000][0, 0]
        target = resample(made, 24_000, rate)[: len(audio)]
        soundfile.write(folder / file.name, target.numpy(), rate, "PCM_24")
        rows.append(manifest_row(file, target_path=str(folder / file.name)))
    cache(rows, spoken.base, folder / "codes")
    return folder / "codes"


def test_a_model_that_is_a_sample_late_is_worse(spoken: Workplace, followed: Path) -> None:
    places = [ModelSource("whole", str(spoken.base)), ModelSource("late", str(spoken.base))]
    job = Job(
        places, followed, "val", followed / "plan", 0, None, (), two_sample=False, ceiling=False
    )
    judge, summary = UtteranceMeasurer(job, "cpu"), Summary("whole", 0)
    layers = judge.decoder.models["late"].decoder.model
    layers[-1] = torch.nn.Sequential(layers[-1], OneSampleLate())
    for index in range(8):
        summary.add(judge.measure(index).rows)
    means = {mean.key: mean for mean in summary.means()}
    late = means[Key("late", 24000, "si_sdr")].difference
    assert late.ci_low is not None
    assert late.ci_high is not None
    assert late.ci_low < late.ci_high < 0
