"""Tokens, phonemes and a speaker vector -> wave: a source-filter decoder behind the contract of the SoVITS graphs.

`Style` is the graph `conditioning`, `Encoder` the graph `encoder`, `Flow` `flow`, `Voice` `wave`. Shapes are
[batch, time, channels]. Latent frames are 50 Hz; the voice works in two halves of each, 100 Hz."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import MELS, Block, along_time, mel_filters, speech_level
from .shapes import BINS, BODY, BREATH_LEVEL, CENTRE_HZ, CODES, GE, HOP, LOWEST_HZ, RATE, SEEDS, WIDTH, WINDOW
from .t2s import PHONEMES

PITCHED, TURNED = slice(SEEDS, SEEDS + 2), slice(SEEDS + 2, SEEDS + 4)
"""Latent channels of the pitch (units of 100 Hz, 0 = unvoiced) and of the phase (cycles), one per half frame."""


class Style(nn.Module):
    """Magnitude spectrogram [B, bins, F] (hop 20 ms, 15.625 Hz a bin) -> speaker vector [B, GE]."""

    filters: Tensor

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.register_buffer("filters", torch.tensor(mel_filters(513, 15.625)), persistent=False)
        self.entry = nn.Conv1d(MELS, width, 5, padding=2)
        self.blocks = nn.ModuleList([Block(width) for _ in range(2)])
        self.norm = nn.LayerNorm(2 * width)
        self.out = nn.Linear(2 * width, GE)

    def forward(self, spectrogram: Tensor) -> Tensor:
        mel = torch.log((self.filters @ spectrogram[:, :513]).clamp(min=1e-3))
        x = self.entry(mel - speech_level(mel).mean(1, keepdim=True)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        vector: Tensor = self.out(self.norm(torch.cat([x.mean(1), x.std(1, unbiased=False)], -1)))
        return vector


class Encoder(nn.Module):
    """Codes [B, N], phonemes [B, P] and ge [B, GE] -> features [B, 2N, WIDTH]; tokens look up their phoneme."""

    def __init__(self, phoneme_width: int = 128) -> None:
        super().__init__()
        self.code = nn.Embedding(CODES, WIDTH)
        self.up = nn.ConvTranspose1d(WIDTH, WIDTH, 4, stride=2, padding=1)
        self.first = nn.ModuleList([Block(WIDTH, style=GE) for _ in range(2)])
        self.phoneme = nn.Embedding(PHONEMES, phoneme_width)
        self.context = nn.ModuleList([Block(phoneme_width, kernel=5) for _ in range(2)])
        self.query = nn.Linear(WIDTH, phoneme_width)
        self.key = nn.Linear(phoneme_width, phoneme_width)
        self.value = nn.Linear(phoneme_width, WIDTH)
        self.second = nn.ModuleList([Block(WIDTH, style=GE) for _ in range(3)])
        self.norm = nn.LayerNorm(WIDTH)
        nn.init.normal_(self.code.weight, std=0.5)
        nn.init.normal_(self.phoneme.weight, std=0.5)

    def forward(self, codes: Tensor, phonemes: Tensor, counts: Tensor, ge: Tensor) -> tuple[Tensor, Tensor]:
        """Also returns the attention's log shares [B, 2N, P]; `counts` are the real phonemes of each row."""
        x = along_time(self.up, self.code(codes))
        for block in self.first:
            x = block(x, ge)
        real = torch.arange(phonemes.shape[1], device=codes.device)[None] < counts[:, None]
        text = self.phoneme(phonemes) * real[..., None]
        for block in self.context:
            text = block(text) * real[..., None]
        scores = self.query(x) @ self.key(text).transpose(1, 2) / math.sqrt(text.shape[-1])
        shares = scores.float().masked_fill(~real[:, None], -1e9).log_softmax(-1)
        x = x + shares.exp().to(x.dtype) @ self.value(text)
        for block in self.second:
            x = block(x, ge)
        return self.norm(x), shares


class Flow(nn.Module):
    """Features [B, F, WIDTH], ge and noise [B, F, WIDTH] -> pitch and the latent."""

    scramble: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(WIDTH, BODY)
        self.pitch = nn.Linear(WIDTH, 2)
        self.base = nn.Linear(GE, 1)
        self.voiced = nn.Linear(WIDTH, 2)
        generator = torch.Generator().manual_seed(5)
        self.register_buffer("scramble", torch.randn(WIDTH, SEEDS, generator=generator) * 3)

    def heads(self, features: Tensor, ge: Tensor) -> tuple[Tensor, Tensor]:
        """Log pitch and voicing logit per half frame, [B, 2F] each."""
        pitch = 0.3 * (self.pitch(features) + self.base(ge)[:, None]) + math.log(CENTRE_HZ)
        return pitch.flatten(1).float(), self.voiced(features).flatten(1).float()

    def latent(self, features: Tensor, pitch_hz: Tensor, noise: Tensor, scale: float) -> Tensor:
        """Latent [B, F, WIDTH] for a pitch [B, 2F] in Hz, 0 where unvoiced.

        Seeds differ from frame to frame even without noise: a hash of the features is their mean. No gradient goes
        through it: it would be noise, and so large that nothing else is learned."""
        batch, frames, _ = features.shape
        seeds = 1.5 * torch.sin(features.detach().float() @ self.scramble) + noise[..., :SEEDS] * scale
        turned = running_phase(pitch_hz).view(batch, frames, 2)
        return torch.cat([seeds, pitch_hz.view(batch, frames, 2) / 100, turned, self.body(features).float()], -1)


def following(pitch_hz: Tensor) -> Tensor:
    """The pitch at the end of each half frame: the next one's, or its own before silence."""
    after = torch.cat([pitch_hz[:, 1:], pitch_hz[:, -1:]], 1)
    return torch.where(after > 0, after, pitch_hz)


def running_phase(pitch_hz: Tensor) -> Tensor:
    """Phase in cycles, 0 to 1, at the start of each half frame; it rests where there is no voice."""
    turn = (pitch_hz + following(pitch_hz)) / 2 * (HOP / RATE) * (pitch_hz > 0)
    turn = turn - torch.floor(turn)
    phase = torch.cumsum(turn, 1) - turn
    return phase - torch.floor(phase)


class Voice(nn.Module):
    """Latent [B, F, WIDTH] and ge -> wave [B, FRAME F] at `RATE`."""

    breath: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(BODY, WIDTH, 4, stride=2, padding=1)
        self.tone = nn.Linear(2, WIDTH)
        self.blocks = nn.ModuleList([Block(WIDTH, style=GE) for _ in range(3)])
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, 2 * BINS)
        generator = torch.Generator().manual_seed(6)
        self.register_buffer("breath", torch.randn(SEEDS, 2 * BINS, generator=generator) * 8)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)

    @torch.no_grad()
    def calibrate(self, wave: Tensor) -> None:
        """Starts at the mean spectrum of recordings [B, n], so that the layers below need not first learn its level.

        Without this the residual stream grows one large constant that drowns what varies."""
        spectrum = torch.stft(wave, WINDOW, HOP, WINDOW, self.window, return_complex=True).abs()
        level = torch.log(spectrum.clamp(min=1e-3)).mean((0, 2)) - math.log(BREATH_LEVEL)
        self.out.bias.copy_(torch.cat([level, level - 1]))
        self.out.weight.mul_(0.3)

    def amplitudes(self, latent: Tensor, ge: Tensor) -> tuple[Tensor, Tensor]:
        """Log amplitudes of tone and breath, [B, 2F, BINS] each."""
        x = along_time(self.up, latent[..., SEEDS + 4 :])
        pitch = latent[..., PITCHED].flatten(1)[..., None]
        x = x + self.tone(torch.cat([torch.log(pitch.clamp(min=0.5)), (pitch > 0).float()], -1))
        for block in self.blocks:
            x = block(x, ge)
        tone, breath = self.out(self.norm(x)).float().clamp(-12, 3).split(BINS, -1)
        return tone, breath

    def forward(self, latent: Tensor, ge: Tensor) -> Tensor:
        tone, breath = self.amplitudes(latent, ge)
        with torch.autocast(latent.device.type, enabled=False):
            # Pitch, phase and seeds are given, not learned through the sound: no gradient, and half the time of a step.
            given = latent[..., : SEEDS + 4].detach()
            source = pulses(given[..., PITCHED].flatten(1) * 100, given[..., TURNED].flatten(1))
            pad = (WINDOW - HOP) // 2
            padded = F.pad(source, (pad, pad))
            spectrum = torch.stft(padded, WINDOW, HOP, WINDOW, self.window, center=False, return_complex=True)
            angle = (given[..., :SEEDS] @ self.breath).reshape(latent.shape[0], -1, BINS)
            breathed = torch.polar(torch.exp(breath) * BREATH_LEVEL, angle)
            frames = (
                torch.fft.irfft((spectrum.transpose(1, 2) * torch.exp(tone) + breathed), n=WINDOW, dim=2) * self.window
            )
            length = (frames.shape[1] - 1) * HOP + WINDOW
            wave = F.fold(frames.transpose(1, 2), (1, length), (1, WINDOW), stride=(1, HOP))[:, 0, 0] / 1.5
            return wave[:, pad : length - pad]


def pulses(pitch_hz: Tensor, phase: Tensor) -> Tensor:
    """Band-limited pulse train of unit variance [B, HOP T] from pitch and phase (cycles) at frame starts [B, T].

    A closed form of the sum of all cosines below the Nyquist rate (Dirichlet's kernel) needs no loop over harmonics."""
    step = torch.arange(HOP, device=pitch_hz.device) / HOP
    slope = following(pitch_hz) - pitch_hz
    pitch = (pitch_hz[..., None] + slope[..., None] * step).flatten(1)
    turned = phase[..., None] + (pitch_hz[..., None] * step + slope[..., None] * step * step / 2) * (HOP / RATE)
    turned = turned.flatten(1)
    angle = (turned - torch.floor(turned)) * (2 * math.pi)
    harmonics = torch.floor(0.49 * RATE / pitch.clamp(min=LOWEST_HZ))
    below = torch.sin(angle / 2)
    close = below.abs() < 1e-3
    kernel = torch.sin((harmonics + 0.5) * angle) / torch.where(close, torch.ones_like(below), below)
    kernel = torch.where(close, 2 * harmonics + 1, kernel) - 1
    return kernel / torch.sqrt(2 * harmonics) * (pitch_hz > 0).repeat_interleave(HOP, 1)


class Decoder(nn.Module):
    """All parts together."""

    def __init__(self) -> None:
        super().__init__()
        self.style, self.encoder, self.flow, self.voice = Style(), Encoder(), Flow(), Voice()


def power(wave: Tensor, size: int) -> Tensor:
    """Power spectrogram with three quarters of overlap. Written out: the derivative of a complex magnitude is slow."""
    window = torch.hann_window(size, device=wave.device)
    spectrum = torch.view_as_real(torch.stft(wave, size, size // 4, size, window, return_complex=True))
    squared: Tensor = spectrum.square().sum(-1)
    return squared.clamp(min=1e-8)


SIZES = (384, 768, 1536)
"""Windows of the spectral distance, in samples."""


def spectral_distance(made: Tensor, wanted: Tensor, size: int) -> Tensor:
    """Log distance plus spectral convergence at one window size; a trainer draws the size anew in each step."""
    with torch.no_grad():
        aim = power(wanted, size)
        loud, aim_log = aim.sqrt(), aim.log()
    found = power(made, size)
    convergence: Tensor = (found.sqrt() - loud).norm() / (loud.norm() + 1e-3)
    return 0.5 * (found.log() - aim_log).abs().mean() + convergence
