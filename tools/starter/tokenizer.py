"""Recording -> 25 Hz tokens: ConvNeXt over log-mel, finite scalar quantisation, taught by the teachers' phone labels.

Finite scalar quantisation after Mentzer et al., 2023: each of a few bounded channels is rounded to a level."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .clips import PHONES
from .layers import MELS, Block, LogMel, along_time, speech_level
from .shapes import LEVELS


class Tokenizer(nn.Module):
    """`features` is the graph `ssl`, `codes` the graph `quantizer`; the rest only teaches."""

    levels: Tensor
    bases: Tensor

    def __init__(self, width: int = 192) -> None:
        super().__init__()
        self.mel = LogMel()
        self.entry = nn.Conv1d(MELS, width, 7, stride=2, padding=3)
        self.encoder = nn.ModuleList([Block(width) for _ in range(5)])
        self.norm = nn.LayerNorm(width)
        self.down = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.squeeze = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Linear(width, len(LEVELS)))
        self.spread = nn.Linear(len(LEVELS), width)
        self.up = nn.ConvTranspose1d(width, width, 4, stride=2, padding=1)
        self.decoder = nn.ModuleList([Block(width) for _ in range(2)])
        self.phones = nn.Linear(width, 2 * len(PHONES))
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

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-mel [B, 80, 4N] -> phone logits [B, 4N, phones], level-free mel [B, 4N, 80], codes [B, N]."""
        level = self.levels_of(self.features(mel)).float()
        rounded = torch.round(level)
        codes = (rounded * self.bases).sum(-1).long()
        passed = level + (rounded - level).detach()
        x = along_time(self.up, self.spread(passed / (self.levels - 1) * 2 - 1))
        for block in self.decoder:
            x = block(x)
        batch, frames, _ = x.shape
        phones = self.phones(x).reshape(batch, 2 * frames, len(PHONES))
        speaker = speech_level(mel).transpose(1, 2).expand(-1, frames, -1)
        sound = self.sound(torch.cat([x, speaker], -1)).reshape(batch, 2 * frames, MELS)
        return phones, sound, codes


def loss(model: Tokenizer, mel: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Phone cross entropy and mel distance for log-mel [B, 80, 4N], disturbed on the way in, and labels [B, 4N]."""
    batch = mel.shape[0]
    tilt = torch.randn(batch, 1, 1, device=mel.device) * 0.4 * torch.linspace(-1, 1, MELS, device=mel.device)[:, None]
    gain = torch.randn(batch, 1, 1, device=mel.device) * 0.5
    heard = mel + gain + tilt + torch.randn_like(mel) * 0.1
    phones, sound, _ = model(heard)
    phones, sound = phones.float(), sound.float()
    wrong = F.cross_entropy(phones.transpose(1, 2), labels)
    distance = (sound + speech_level(heard).transpose(1, 2) - heard.transpose(1, 2)).abs().mean()
    hit = (phones.argmax(-1) == labels).float().mean()
    return wrong + 0.25 * distance, {"phones": wrong.item(), "mel": distance.item(), "accuracy": hit.item()}
