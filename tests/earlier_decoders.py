"""Networks of an earlier system's 48 kHz phases, by what is known of their checkpoints."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from snac_model.codec.snac import SNAC
from snac_model.layers.convolutions import DecoderBlock, Snake
from snac_model.layers.noise import RandomNoise

NEW_LAYERS = 3  # Snake, convolution and tanh, which the trunk does without


class Earlier48kHz(nn.Module):
    """Phase 11 of the earlier system: a decoder without its head, and wide layers to 48 kHz."""

    def __init__(self, base: SNAC) -> None:
        super().__init__()
        layers = list(base.decoder.model)
        self.pretrained_decoder_upsamp = nn.Sequential(*layers[:-NEW_LAYERS])
        snake = layers[-NEW_LAYERS]
        assert isinstance(snake, Snake)
        channels = snake.alpha.shape[1]
        self.snake1d = Snake(channels)
        self.upsampler2x = DecoderBlock(channels, channels, 2, noise=False, depthwise=False)
        self.final_conv = nn.Conv1d(channels, 1, 7, padding=3)

    def features(self, z: torch.Tensor) -> torch.Tensor:
        noise, index = RandomNoise(), 0
        for layer in self.pretrained_decoder_upsamp:
            if isinstance(layer, DecoderBlock):
                z, index = layer(z, noise, index), index + 1
            else:
                z = layer(z)
        return z


class EarlierDualHead(Earlier48kHz):
    """Phase 12 of the earlier system: a 24 kHz head too, a convolution without Snake."""

    def __init__(self, base: SNAC) -> None:
        super().__init__(base)
        self.final_conv_24k = nn.Conv1d(self.final_conv.in_channels, 1, 7, padding=3)
        self.final_conv_48k = self.final_conv
        del self.final_conv

    def at_24k(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.final_conv_24k(self.features(z)))


class EarlierWhole(nn.Module):
    """An older phase 11: the whole pretrained codec, and the new layers beside it."""

    def __init__(self, base: SNAC) -> None:
        super().__init__()
        beside = Earlier48kHz(base)
        self.encoder, self.quantizer = base.encoder, base.quantizer
        self.pretrained_decoder = base.decoder
        self.upsampler2x, self.final_conv = beside.upsampler2x, beside.final_conv
        self.snake1d = beside.snake1d


def save_earlier(path: Path, network: nn.Module, **others: Any) -> Path:
    """Save a checkpoint as those scripts did."""
    around = {"epoch": 3, "batch_idx": 5000, "optimizer_state_dict": None, "loss_48k": 0.7}
    torch.save({**around, **others, "model_state_dict": network.state_dict()}, path)
    return path
