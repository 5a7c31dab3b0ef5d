"""Stage `decoder`: trains tokens + phonemes + speaker vector -> wave on all speakers, against small discriminators."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import stage_tokenizer
from .decoder import SIZES, Decoder, spectral_distance
from .discriminator import Discriminator, losses
from .labels import pitch
from .layers import LogMel
from .library import Library
from .loop import Schedule, load, steps_of, train
from .shapes import FRAME, RATE, TOKEN
from .spoken import Spoken, spoken

CROP, REFERENCE, BATCH = 50, 160, 12
"""Tokens of a training crop; 20 ms frames of the reference the speaker vector comes from; crops of a step."""
WRONG = 0.06
"""Share of codes that are replaced."""
PITCH, VOICED, LOOK, FOOL, LIKE = 2.0, 1.0, 0.4, 0.1, 0.3
"""Weights beside the spectral distance."""
JUDGED_FROM = 8000
"""Steps before the discriminators join, which more than double the time of one: until then the sound is no match."""
MELS, HIGH = 100, 11900.0
"""Bands of the distance in log-mel, up to so many Hz."""


def spectrogram(wave: Tensor) -> Tensor:
    """The bins below 8 kHz of the product's 32 kHz magnitude spectrogram, from `RATE`: [B, 513, n // FRAME].

    Windows of 64 ms, 20 ms apart, so bins are 15.625 Hz apart at any rate."""
    size = RATE * 8 // 125
    margin = (size - FRAME) // 2
    window = torch.hann_window(size, device=wave.device)
    padded = F.pad(wave, (margin, margin))
    spectrum = torch.stft(padded, size, FRAME, size, window, center=False, return_complex=True)
    return spectrum.abs()[:, :513] * (2048 / size)


class Trained(nn.Module):
    """The decoder and its judge."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder, self.judge = Decoder(), Discriminator()


class Crops:
    """Random stretches with a reference of the same speaker."""

    def __init__(self, library: Library, sentences: list[Spoken], rng: random.Random, device: str) -> None:
        self._library, self._sentences, self._random, self._device = library, sentences, rng, device

    def draw(self) -> dict[str, Tensor]:
        """codes, sounding [B, 50], phonemes [B, P], counts [B], wave [B, 48000], pitch [B, 200], reference [B, n]."""
        rows = [self._one(index) for index in self._random.choices(self._library.split[0], k=BATCH)]
        counts = torch.tensor([len(row["phonemes"]) for row in rows])
        for row in rows:
            row["phonemes"] = np.pad(row["phonemes"], (0, int(counts.max()) - len(row["phonemes"])))
        made = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
        return {name: tensor.to(self._device) for name, tensor in {**made, "counts": counts}.items()}

    def _one(self, index: int) -> dict[str, npt.NDArray[np.generic]]:
        row, sentence = self._library.items[index].row, self._sentences[index]
        tokens = len(sentence.tokens)
        start = self._random.randrange(max(1, tokens - CROP + 1))
        end = min(tokens, start + CROP)
        rest = CROP - end + start
        wave = self._library.wave(index)[start * TOKEN : end * TOKEN]
        return {
            "codes": np.pad(sentence.tokens[start:end], (0, rest), mode="edge"),
            "sounding": np.pad(sentence.sounding[start:end], (0, rest), constant_values=-1),
            "phonemes": sentence.phonemes,
            "wave": np.pad(wave, (0, CROP * TOKEN - len(wave))),
            "pitch": np.pad(pitch(row, 4 * end)[4 * start :], (0, 4 * rest)),
            "reference": self._reference(row.speaker),
        }

    def _reference(self, speaker: str) -> npt.NDArray[np.float32]:
        wave = self._library.wave(self._random.choice(self._library.peers[speaker]))
        begin = self._random.randrange(max(1, len(wave) - REFERENCE * FRAME))
        return np.resize(wave[begin : begin + REFERENCE * FRAME], REFERENCE * FRAME)


def garbled(codes: Tensor) -> Tensor:
    """Some codes are wrong, as some of the GPT's will be: the phonemes and the neighbours must do."""
    swapped = codes.flatten()[torch.randint(codes.numel(), codes.shape, device=codes.device)]
    return torch.where(torch.rand(codes.shape, device=codes.device) < WRONG, swapped, codes)


def loss(model: Trained, mel: LogMel, batch: dict[str, Tensor], *, judged: bool) -> tuple[Tensor, dict[str, float]]:
    """Spectral distance, pitch, voicing and the guided look-up of phonemes; what the discriminators say if `judged`."""
    decoder, wanted, aim = model.decoder, batch["pitch"], batch["wave"]
    with torch.no_grad(), torch.autocast(aim.device.type, enabled=False):
        reference, mel_aim = spectrogram(batch["reference"]), mel(aim)
    ge = decoder.style(reference)
    features, shares = decoder.encoder(garbled(batch["codes"]), batch["phonemes"], batch["counts"], ge)
    tune, voiced = decoder.flow.heads(features, ge)
    noise = torch.randn(features.shape, device=features.device)
    wave = decoder.voice(decoder.flow.latent(features, wanted, noise, 0.5), ge)
    with torch.autocast(wave.device.type, enabled=False):
        distance = spectral_distance(wave, aim, random.choice(SIZES)) + (mel(wave) - mel_aim).abs().mean()
    sung = (wanted > 0).float()
    off = ((tune - torch.log(wanted.clamp(min=40))).abs() * sung).sum() / sung.sum().clamp(min=1)
    switch = F.binary_cross_entropy_with_logits(voiced, sung)
    which = batch["sounding"].repeat_interleave(2, 1)
    seen = shares.gather(2, which.clamp(min=0)[..., None])[..., 0].clamp(min=-8) * (which >= 0)
    look = -seen.sum() / (which >= 0).sum()
    total = distance + PITCH * off + VOICED * switch + LOOK * look
    figures = {"spectrum": distance, "pitch": off, "voiced": switch, "look": look}
    if judged:
        own, fooled, apart = losses(model.judge, wave, aim)
        total = total + own + FOOL * fooled + LIKE * apart
        figures |= {"judge": own, "fool": fooled, "maps": apart}
    return total, {key: value.item() for key, value in figures.items()}


def restore(folder: Path, device: str) -> Decoder:
    """The trained decoder in evaluation mode."""
    model = Trained().to(device)
    model.load_state_dict(load(folder / "decoder.pt", device)["model"])
    return model.decoder.eval()


def run(folder: Path, *, minutes: float, seed: int, device: str) -> None:
    """Trains `decoder.pt`."""
    checkpoint = folder / "decoder.pt"
    steps = steps_of(checkpoint)
    torch.manual_seed(seed + steps)
    random.seed(seed + steps)
    library = Library.read(folder / "speech")
    sentences = spoken(library.items, stage_tokenizer.read(library.items))
    crops = Crops(library, sentences, random.Random(seed + steps), device)
    model, mel = Trained().to(device), LogMel(RATE, MELS, HIGH).to(device)
    model.decoder.voice.calibrate(crops.draw()["wave"])

    def step() -> tuple[Tensor, dict[str, float]]:
        nonlocal steps
        steps += 1
        return loss(model, mel, crops.draw(), judged=steps > JUDGED_FROM)

    schedule = Schedule(minutes, 1e-3, warmup=200, shares={"judge": 0.3})
    train(model, step, schedule, checkpoint=checkpoint, device=device)
