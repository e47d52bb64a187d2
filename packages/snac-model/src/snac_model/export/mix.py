"""Mixing decoders: the weights between those of several runs that started from one model."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from snac_common.artifacts import Artifacts
from snac_common.errors import BadInput, Failure
from snac_model.codec.loading import load
from snac_model.codec.snac import SNAC
from snac_model.codec.weights import weights_sha256
from snac_model.export.run import Run, read_run


def parse_mix(text: str) -> dict[str, float]:
    """Read ``first=0.3,refined=0.7``.

    Raises:
        BadInput: if it is not of that form, names fewer than two runs, or does not add up to 1.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.strip().rpartition("=")
        try:
            share = float(number)
        except ValueError:
            share = -1.0
        if not equals or not name or name in shares or not 0 <= share <= 1:
            raise BadInput(f"--mix {text}: write it as first=0.3,refined=0.7, each run once")
        shares[name] = share
    if len(shares) < 2 or abs(sum(shares.values()) - 1) > 1e-6:
        raise BadInput(f"--mix {text}: name two runs or more, with shares that add up to 1")
    return shares


def read_mix(shares: Mapping[str, float], artifacts: Artifacts, best: str) -> tuple[Run, SNAC]:
    """Return the run with the largest share, and the model between all of them.

    A decoder that was trained on losses alone and one that was refined from it are the ends of a
    line on which fidelity is exchanged for realism.

    Args:
        best: the score by which each run's model is the best.

    Raises:
        Failure: if they are not all of one architecture and one tokenizer.
    """
    runs = {name: read_run(name, artifacts, best) for name in shares}
    models = {name: load(run.model) for name, run in runs.items()}
    first = next(iter(models))
    for name, model in models.items():
        if model.config != models[first].config:
            raise Failure(f"{first} and {name} cannot be mixed: their architectures differ")
        if _tokenizer(model) != _tokenizer(models[first]):
            raise Failure(
                f"{first} and {name} cannot be mixed: their tokens differ, so they have no common "
                "start"
            )
    largest = max(shares, key=lambda name: shares[name])
    mixed_run = replace(
        runs[largest],
        name="-".join(f"{runs[name].name}-{share:g}" for name, share in shares.items()),
        mix={runs[name].name: share for name, share in shares.items()},
    )
    return mixed_run, interpolated({name: models[name] for name in shares}, shares)


def interpolated(models: Mapping[str, SNAC], shares: Mapping[str, float]) -> SNAC:
    """Return a model whose every weight is the weighted mean of the models' own.

    Encoder and quantizer are alike in all of them, and stay so bit for bit.
    """
    states = {name: model.state_dict() for name, model in models.items()}
    first = next(iter(models))
    mean: dict[str, torch.Tensor] = {}
    for key, value in states[first].items():
        if all(torch.equal(state[key], value) for state in states.values()):
            mean[key] = value
        else:
            mean[key] = sum(
                (shares[name] * state[key] for name, state in states.items()),
                start=torch.zeros_like(value),
            )
    model = models[first]
    model.load_state_dict(mean)
    return model


def _tokenizer(model: SNAC) -> str:
    return weights_sha256(model.tokenizer_modules())
