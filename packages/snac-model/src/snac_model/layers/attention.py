"""Local attention of the 32 and 44 kHz models, with rotary embeddings (Su et al., 2021)."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

HEAD_CHANNELS = 64


class RotaryAngles(nn.Module):
    """Angle of each position and channel; the frequencies are a buffer of the official files."""

    inv_freq: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        exponent = torch.arange(0, channels, 2).float() / channels
        self.register_buffer("inv_freq", 1.0 / (10000**exponent))

    def forward(self, length: int) -> torch.Tensor:
        """Return angles ``[length, channels]``, both halves of the channels alike."""
        position = torch.arange(length, device=self.inv_freq.device).type_as(self.inv_freq)
        angles = torch.outer(position, self.inv_freq)
        return torch.cat((angles, angles), dim=-1)


def rotate(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Rotate pairs of channels of ``[..., T, D]`` by ``angles`` ``[T, D]``."""
    first, second = x.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return x * angles.cos() + turned * angles.sin()


class LocalAttention(nn.Module):
    """Multi-head attention inside windows of ``window`` frames, around a shortcut.

    The input's length must be a multiple of ``window``; the codec's padding sees to that.
    """

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.heads = channels // HEAD_CHANNELS
        self.window = window
        self.to_qkv = nn.Linear(channels, channels * 3, bias=False)
        self.rel_pos = RotaryAngles(HEAD_CHANNELS)
        self.to_out = nn.Linear(channels, channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, C, T]`` to the same shape."""
        projected = self.to_qkv(self.norm(x.transpose(1, 2))).chunk(3, dim=-1)
        query, key, value = (
            rearrange(part, "b (w n) (h d) -> b h w n d", n=self.window, h=self.heads)
            for part in projected
        )
        angles = self.rel_pos(self.window)
        attended = F.scaled_dot_product_attention(rotate(query, angles), rotate(key, angles), value)
        merged = self.to_out(rearrange(attended, "b h w n d -> b (w n) (h d)"))
        return merged.transpose(1, 2) + x
