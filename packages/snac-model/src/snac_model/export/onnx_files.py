"""The ONNX files of a model, each compared with torch before it counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from snac_common.errors import BadInput, Failure
from snac_model.codec.snac import SNAC
from snac_model.export import half as half_weights
from snac_model.export.graphs import DecoderGraph, EncoderGraph, KeptNoise, write_graph

ENCODER = "encoder.onnx"
TOLERANCE = 1e-4
LEAST_EQUAL_TOKENS = 0.99
# batch size and coarse tokens of what is compared; other than those that the graph is written with
WRITTEN_WITH, COMPARED = (2, 3), ((1, 1), (2, 5), (3, 2), (1, 23))


@dataclass(frozen=True)
class OnnxReport:
    """How graphs compare with torch.

    Attributes:
        equal_tokens: share of the encoder's tokens that are equal; near ties may round otherwise.
        largest_error: of each decoder's audio, by its file's name; full scale is 1.
        noise_lengths: of each decoder's noise inputs, samples for one coarse token.
    """

    equal_tokens: float
    largest_error: dict[str, float]
    noise_lengths: dict[str, dict[str, int]]


def decoder_name(rate: int) -> str:
    """Return the file name of the decoder to a rate in Hz."""
    return f"decoder_{rate}.onnx"


def base_decoder_name(rate: int) -> str:
    """Return the file name of the base's decoder to a rate in Hz."""
    return f"base_{decoder_name(rate)}"


def check_onnx_installed() -> None:
    """Raise BadInput, saying what to install, if ONNX files cannot be made."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise BadInput(
            f"ONNX files need the package {error.name}. Run tools/setup.sh in a checkout of the "
            "project, or pip install onnx onnxruntime; or give --no-onnx."
        ) from error


def write_onnx(
    model: SNAC, folder: Path, *, noise: bool, half: bool, base: SNAC | None = None
) -> OnnxReport:
    """Write the encoder and a decoder for each rate, and compare each with torch.

    Args:
        model: with weight norms folded, which changes no output.
        noise: whether the noise is an input of the decoders; else there is none.
        half: store the decoders' weights as float16; they still compute in float32.
        base: another model of the same tokens, whose decoders are written beside the model's.

    Raises:
        Failure: if a graph does not agree with torch.
    """
    folder.mkdir()
    equal = _write_encoder(model, folder / ENCODER)
    errors, lengths = {}, {}
    for name, (owner, rate) in _decoders(model, base).items():
        graph = DecoderGraph(owner, rate)
        path = write_decoder(owner, graph, folder / name, noise=noise)
        tolerance = TOLERANCE
        if half:
            half_weights.store_as_half(path)
            tolerance = half_weights.TOLERANCE
        errors[name] = _compare_decoder(owner, graph, path, noise, tolerance)
        one_token = _decoder_inputs(owner, graph, 1, 1, noise)[0]
        lengths[name] = {
            name: value.shape[-1] for name, value in one_token.items() if name.startswith("noise")
        }
    return OnnxReport(equal, errors, lengths)


def _decoders(model: SNAC, base: SNAC | None) -> dict[str, tuple[SNAC, int]]:
    """Return whose decoder each file holds, and to which rate."""
    own = {decoder_name(rate): (model, rate) for rate in model.geometry.output_rates}
    if base is None:
        return own
    return own | {base_decoder_name(rate): (base, rate) for rate in base.geometry.output_rates}


def write_decoder(model: SNAC, graph: DecoderGraph, path: Path, *, noise: bool) -> Path:
    """Write one head's decoder, unchecked; return its path."""
    inputs = _decoder_inputs(model, graph, *WRITTEN_WITH, noise)[0]
    write_graph(graph, inputs, ["audio"], path)
    return path


def _write_encoder(model: SNAC, path: Path) -> float:
    """Write the encoder; return the share of tokens that are equal to torch's."""
    graph, levels = EncoderGraph(model), _level_names(model)
    write_graph(graph, {"audio": _audio(model, *WRITTEN_WITH, odd=1)}, levels, path)
    session = open_session(path)
    equal = total = 0
    for batch, tokens in COMPARED:
        audio = _audio(model, batch, tokens, odd=tokens)
        with torch.inference_mode():
            expected = model.encode(audio)
        for got, wanted in zip(_answer(session, {"audio": audio}), expected, strict=True):
            _check_shape(path, got, wanted)
            equal += int((got == wanted).sum())
            total += wanted.numel()
    if equal < LEAST_EQUAL_TOKENS * total:
        raise Failure(
            f"{path.name}: only {equal} of {total} tokens are torch's, fewer than "
            f"{LEAST_EQUAL_TOKENS:.0%}. Nothing was exported; --no-onnx leaves ONNX out."
        )
    return equal / total


def _compare_decoder(
    model: SNAC, graph: DecoderGraph, path: Path, noise: bool, tolerance: float
) -> float:
    """Return the largest error of a decoder's audio; raises Failure past the tolerance."""
    session, largest = open_session(path), 0.0
    for batch, tokens in COMPARED:
        inputs, expected = _decoder_inputs(model, graph, batch, tokens, noise)
        (got,) = _answer(session, inputs)
        _check_shape(path, got, expected)
        largest = max(largest, float((got - expected).abs().max()))
    if not largest <= tolerance:  # NaN is not either
        raise Failure(
            f"{path.name}: its audio lies up to {largest:.2g} from torch's, more than "
            f"{tolerance:g}. Nothing was exported; --no-onnx leaves ONNX out."
        )
    return largest


@torch.inference_mode()
def _decoder_inputs(
    model: SNAC, graph: DecoderGraph, batch: int, tokens: int, noise: bool
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return random codes and noise under their names, and the audio that torch makes of them."""
    codes = random_codes(model, batch, tokens)
    kept = KeptNoise()
    audio = graph.decode(codes, kept if noise else lambda *_: None)
    inputs = dict(zip(_level_names(model), codes, strict=True))
    return inputs | {f"noise_{n}": drawn for n, drawn in enumerate(kept.blocks)}, audio


def random_codes(model: SNAC, batch: int, tokens: int) -> list[torch.Tensor]:
    """Return codes of so many coarse tokens, int64 ``[batch, tokens of the level]`` a level."""
    size = model.config.codebook_size
    generator = torch.Generator().manual_seed(tokens)
    return [
        torch.randint(size, (batch, tokens * count), generator=generator)
        for count in model.geometry.tokens_per_coarse
    ]


def open_session(path: Path) -> Any:
    """Open a graph in onnxruntime, on the CPU."""
    import onnxruntime

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _answer(session: Any, inputs: dict[str, torch.Tensor]) -> Iterator[torch.Tensor]:
    outputs = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    return map(torch.from_numpy, outputs)


def _audio(model: SNAC, batch: int, tokens: int, odd: int) -> torch.Tensor:
    """Return noise ``[B, 1, T]`` some samples shorter than so many coarse tokens."""
    generator = torch.Generator().manual_seed(tokens)
    samples = model.geometry.sample_span(model.geometry.sample_rate, 0, tokens).stop - odd
    return 0.1 * torch.randn(batch, 1, samples, generator=generator)


def _level_names(model: SNAC) -> list[str]:
    return [f"codes_{level}" for level in range(model.geometry.levels)]


def _check_shape(path: Path, got: torch.Tensor, wanted: torch.Tensor) -> None:
    shapes: Sequence[tuple[int, ...]] = (tuple(got.shape), tuple(wanted.shape))
    if shapes[0] != shapes[1]:
        raise Failure(f"{path.name} gives {shapes[0]} where torch gives {shapes[1]}")
