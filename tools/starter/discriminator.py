"""Small discriminators over spectrograms of several resolutions (after Jang et al., 2021, UnivNet), for short crops.

They teach the decoder and are never exported."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZES = (512, 1024, 2048)
CROP = 12000
"""Samples that are judged: half a second."""


class Resolution(nn.Module):
    """Wave [B, n] -> the maps of its layers; the last one is the verdict."""

    window: Tensor

    def __init__(self, size: int, width: int = 16) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        shapes = ((1, width, 2), (width, 2 * width, 2), (2 * width, 2 * width, 2), (2 * width, 2 * width, 1))
        self.layers = nn.ModuleList(
            [nn.Conv2d(a, b, (7, 3), stride=(stride, 1), padding=(3, 1)) for a, b, stride in shapes]
        )
        self.verdict = nn.Conv2d(2 * width, 1, 3, padding=1)

    def forward(self, wave: Tensor) -> list[Tensor]:
        with torch.autocast(wave.device.type, enabled=False):
            window = self.size, self.size // 4, self.size, self.window
            spectrum = torch.stft(wave.float(), *window, return_complex=True)
            power = torch.view_as_real(spectrum).square().sum(-1).clamp(min=1e-7)
        x, maps = torch.log(power)[:, None] * 0.25, list[Tensor]()
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            maps.append(x)
        return [*maps, self.verdict(x)]


class Discriminator(nn.Module):
    """All resolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.resolutions = nn.ModuleList([Resolution(size) for size in SIZES])

    def forward(self, wave: Tensor) -> list[list[Tensor]]:
        return [resolution(wave) for resolution in self.resolutions]


def losses(judge: Discriminator, made: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For the judge, for the decoder, and the distance of the maps: least squares, one backward pass for all three.

    `made` and `wanted` [B, n] are cut to the same random stretch of `CROP`."""
    start = int(torch.randint(max(1, made.shape[1] - CROP), ()))
    made, wanted = made[:, start : start + CROP], wanted[:, start : start + CROP]
    real, fake = judge(wanted), judge(made.detach())
    own = made.new_zeros(())
    for r, f in zip(real, fake, strict=True):
        own = own + ((r[-1].float() - 1) ** 2).mean() + (f[-1].float() ** 2).mean()
    judge.requires_grad_(False)
    heard = judge(made)
    judge.requires_grad_(True)
    fooled, apart = made.new_zeros(()), made.new_zeros(())
    for h, r in zip(heard, real, strict=True):
        fooled = fooled + ((h[-1].float() - 1) ** 2).mean()
        for a, b in zip(h[:-1], r[:-1], strict=True):
            apart = apart + (a.float() - b.detach().float()).abs().mean() / b.detach().float().abs().mean()
    return own, fooled, apart
