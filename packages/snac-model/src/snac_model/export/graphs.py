"""The codec as graphs of tensors, and those graphs as ONNX files.

Written with torch's TorchScript exporter. ``torch.export`` (``dynamo=True``) gives graphs of the
same outputs and speed, but takes twenty times as long, makes larger files and needs onnxscript.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from snac_model.codec.snac import SNAC
from snac_model.layers.noise import NoiseSource, Position, RandomNoise

OPSET = 18


class KeptNoise:
    """Noise ``[B, 1, T]`` a block, the same each time, that can be looked at afterwards."""

    def __init__(self) -> None:
        self.blocks: list[torch.Tensor] = []
        self.source = RandomNoise(torch.Generator().manual_seed(0))

    def __call__(self, features: torch.Tensor, block: int, start: Position = 0) -> torch.Tensor:
        """Draw ``[B, 1, T]``."""
        self.blocks.append(self.source(features, block, start))
        return self.blocks[-1]


class GivenNoise:
    """Noise from tensors, ``[B, 1, T]`` a block; none where there are none."""

    def __init__(self, blocks: Sequence[torch.Tensor]) -> None:
        self.blocks = blocks

    def __call__(
        self, features: torch.Tensor, block: int, start: Position = 0
    ) -> torch.Tensor | None:
        """Return the noise of a block."""
        return self.blocks[block] if self.blocks else None


class EncoderGraph(nn.Module):
    """Audio ``[B, 1, T]`` of any length to codes ``[B, tokens]`` a level, as ``SNAC.encode``."""

    def __init__(self, model: SNAC) -> None:
        super().__init__()
        self.encoder, self.quantizer = model.encoder, model.quantizer
        self.unit = model.geometry.padded_samples(1)

    def forward(self, audio: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Pad within the graph, where the length is not known yet, and encode."""
        padded = F.pad(audio, (0, -audio.shape[-1] % self.unit))
        return tuple(self.quantizer(self.encoder(padded))[1])


class DecoderGraph(nn.Module):
    """Codes ``[B, tokens]`` a level, then noise ``[B, 1, T]`` a block, to audio ``[B, 1, T]``."""

    def __init__(self, model: SNAC, rate: int) -> None:
        super().__init__()
        self.model, self.rate = model, rate
        self.levels = model.geometry.levels

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Decode with the noise that is given, or without any."""
        return self.decode(inputs[: self.levels], GivenNoise(inputs[self.levels :]))

    def decode(self, codes: Sequence[torch.Tensor], noise: NoiseSource) -> torch.Tensor:
        """Return the audio of one head."""
        decoder = self.model.synthesizer
        features = decoder.features(self.model.quantizer.from_codes(codes), noise)
        return decoder.heads[self.rate](features.values, noise)


def write_graph(
    graph: nn.Module, inputs: dict[str, torch.Tensor], outputs: Sequence[str], path: Path
) -> None:
    """Write a graph as ONNX, any batch size and length, with the names of inputs and outputs."""
    named = [*inputs, *outputs]
    axes = {name: {0: "batch", (1 if "codes" in name else 2): f"{name}_length"} for name in named}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's own deprecation; torch is pinned
        torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
