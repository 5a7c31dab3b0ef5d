"""Recording -> 25 Hz tokens: ConvNeXt over log-mel, finite scalar quantisation, taught phones, tones and pitch.

Finite scalar quantisation after Mentzer et al., 2023: each of a few bounded channels is rounded to a level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .labels import TONES, UNTAUGHT, phones
from .layers import MELS, Block, along_time, speech_level
from .shapes import LEVELS

TONE, PITCH, SOUND = 0.4, 1.0, 0.25
"""Weights of what is taught beside the phones."""


@dataclass(frozen=True)
class Read:
    """What the codes [B, N] tell: logits of phone and tone [B, 4N, .], pitch in octaves [B, 4N], level-free mel."""

    phones: Tensor
    tones: Tensor
    pitch: Tensor
    sound: Tensor
    codes: Tensor


class Tokenizer(nn.Module):
    """`features` is the graph `ssl`, `codes` the graph `quantizer`; the rest only teaches."""

    levels: Tensor
    bases: Tensor

    def __init__(self, width: int = 192) -> None:
        super().__init__()
        self.entry = nn.Conv1d(MELS, width, 7, stride=2, padding=3)
        self.encoder = nn.ModuleList([Block(width) for _ in range(5)])
        self.norm = nn.LayerNorm(width)
        self.down = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.squeeze = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Linear(width, len(LEVELS)))
        self.spread = nn.Linear(len(LEVELS), width)
        self.up = nn.ConvTranspose1d(width, width, 4, stride=2, padding=1)
        self.decoder = nn.ModuleList([Block(width) for _ in range(2)])
        self.phones = nn.Linear(width, 2 * len(phones()))
        self.tones = nn.Linear(width, 2 * TONES)
        self.pitch = nn.Linear(width, 2)
        self.sound = nn.Linear(width + MELS, 2 * MELS)
        self.register_buffer("levels", torch.tensor(LEVELS).float(), persistent=False)
        bases = [1]
        for level in LEVELS[:-1]:
            bases.append(bases[-1] * level)
        self.register_buffer("bases", torch.tensor(bases).float(), persistent=False)

    def features(self, mel: Tensor) -> Tensor:
        """Log-mel [B, 80, 2T] -> [B, T, width]."""
        x = self.entry(mel - speech_level(mel)).transpose(1, 2)
        for block in self.encoder:
            x = block(x)
        normed: Tensor = self.norm(x)
        return normed

    def levels_of(self, features: Tensor) -> Tensor:
        """[B, T, width] -> unrounded levels [B, T // 2, 5]."""
        return torch.sigmoid(self.squeeze(along_time(self.down, features))) * (self.levels - 1)

    def codes(self, features: Tensor) -> Tensor:
        """[B, T, width] -> int64 [B, T // 2]."""
        return (torch.round(self.levels_of(features)) * self.bases).sum(-1).long()

    def forward(self, mel: Tensor) -> Read:
        """Log-mel [B, 80, 4N]."""
        level = self.levels_of(self.features(mel)).float()
        rounded = torch.round(level)
        passed = level + (rounded - level).detach()
        x = along_time(self.up, self.spread(passed / (self.levels - 1) * 2 - 1))
        for block in self.decoder:
            x = block(x)
        batch, frames, _ = x.shape
        speaker = speech_level(mel).transpose(1, 2).expand(-1, frames, -1)
        phone, tone, sound = (
            rows.reshape(batch, 2 * frames, -1).float()
            for rows in (self.phones(x), self.tones(x), self.sound(torch.cat([x, speaker], -1)))
        )
        codes = (rounded * self.bases).sum(-1).long()
        return Read(phone, tone, self.pitch(x).flatten(1).float(), sound, codes)


def loss(model: Tokenizer, mel: Tensor, phone: Tensor, tone: Tensor, pitch: Tensor) -> tuple[Tensor, dict[str, float]]:
    """For log-mel [B, 80, 4N], disturbed on the way in, and labels [B, 4N]; `UNTAUGHT` tones and NaN are left out."""
    batch = mel.shape[0]
    tilt = torch.randn(batch, 1, 1, device=mel.device) * 0.4 * torch.linspace(-1, 1, MELS, device=mel.device)[:, None]
    gain = torch.randn(batch, 1, 1, device=mel.device) * 0.5
    heard = mel + gain + tilt + torch.randn_like(mel) * 0.1
    read = model(heard)
    wrong = F.cross_entropy(read.phones.transpose(1, 2), phone)
    off_tone = F.cross_entropy(read.tones.transpose(1, 2), tone, ignore_index=UNTAUGHT)
    off_pitch = (read.pitch - pitch)[~pitch.isnan()].abs().mean()
    distance = (read.sound + speech_level(heard).transpose(1, 2) - heard.transpose(1, 2)).abs().mean()
    total = wrong + TONE * off_tone.nan_to_num() + PITCH * off_pitch.nan_to_num() + SOUND * distance
    figures = {"phone": wrong, "tone": off_tone, "pitch": off_pitch, "mel": distance}
    return total, {key: value.item() for key, value in figures.items()}
