"""Shared layers and the log-mel front end. Shapes are [batch, time, channels] unless said otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

MELS = 80
FLOOR = 1e-4


def mel_filters(
    bins: int, spacing: float, mels: int = MELS, low: float = 20.0, high: float = 7600.0
) -> npt.NDArray[np.float32]:
    """Triangular filters on the 2595 log10(1 + f / 700) scale, float32 [mels, bins]; `spacing` is Hz per bin."""
    top = 2595 * np.log10(1 + high / 700)
    bottom = 2595 * np.log10(1 + low / 700)
    edges = 700 * (10 ** (np.linspace(bottom, top, mels + 2) / 2595) - 1)
    frequency = np.arange(bins) * spacing
    rise = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    filters: npt.NDArray[np.float32] = np.maximum(0, np.minimum(rise, fall)).astype(np.float32)
    return filters


class LogMel(nn.Module):
    """Wave [batch, n] at `rate` -> log-mel [batch, mels, 100 a second]: 40 ms windows, the level of 16 kHz.

    At any rate the bins are 25 Hz apart and, below 8 kHz, the same."""

    filters: Tensor
    window: Tensor

    def __init__(self, rate: int, mels: int = MELS, high: float = 7600.0) -> None:
        super().__init__()
        self.size, self.hop, self.scale = rate // 25, rate // 100, 16000 / rate
        filters = mel_filters(self.size // 2 + 1, 25.0, mels, high=high)
        self.register_buffer("filters", torch.tensor(filters), persistent=False)
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        pad = (self.size - self.hop) // 2
        spectrum = torch.stft(
            F.pad(wave, (pad, pad)), self.size, self.hop, self.size, self.window, center=False, return_complex=True
        )
        magnitude = torch.view_as_real(spectrum).square().sum(-1).clamp(min=1e-12).sqrt() * self.scale
        return torch.log((self.filters @ magnitude).clamp(min=FLOOR))


def speech_level(mel: Tensor) -> Tensor:
    """Mean log-mel over the frames that hold speech, [batch, 80, 1]: silence at the ends does not move it."""
    energy = mel.mean(1, keepdim=True)
    weight = torch.sigmoid(2 * (energy - energy.amax(2, keepdim=True) + 3.5))
    return (mel * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True)


class StyleNorm(nn.Module):
    """LayerNorm whose scale and shift come from a style vector, or plain when `style` is 0."""

    def __init__(self, width: int, style: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=style == 0)
        self.affine = nn.Linear(style, 2 * width) if style else None
        if self.affine is not None:
            nn.init.zeros_(self.affine.weight)
            nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, style: Tensor | None) -> Tensor:
        x = self.norm(x)
        if self.affine is None or style is None:
            return x
        scale, shift = self.affine(style)[:, None].chunk(2, -1)
        steered: Tensor = x * (1 + scale) + shift
        return steered


class Block(nn.Module):
    """ConvNeXt block: depthwise convolution, norm, two linear layers, scaled residual."""

    def __init__(self, width: int, *, kernel: int = 7, expand: int = 3, style: int = 0) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = StyleNorm(width, style)
        self.up = nn.Linear(width, width * expand)
        self.down = nn.Linear(width * expand, width)
        self.scale = nn.Parameter(torch.full((width,), 0.3))

    def forward(self, x: Tensor, style: Tensor | None = None) -> Tensor:
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        y = self.norm(y, style)
        added: Tensor = x + self.scale * self.down(F.gelu(self.up(y)))
        return added


def along_time(layer: nn.Module, x: Tensor) -> Tensor:
    """Applies a channels-first convolution to [batch, time, channels]."""
    moved: Tensor = layer(x.transpose(1, 2)).transpose(1, 2)
    return moved
