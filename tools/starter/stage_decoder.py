"""Stage `decoder`: trains tokens + phonemes + speaker vector -> wave on the teacher and on the warped speakers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from . import stage_phonemes
from .clips import Clips
from .decoder import SIZES, Decoder, spectral_distance
from .layers import LogMel
from .loop import Schedule, load, train
from .pitch import track
from .stage_gpt import Spoken, read
from .stage_tokenizer import split

CROP, REFERENCE = 50, 160
"""Tokens of a training crop; 20 ms frames of the reference the speaker vector comes from."""
TEACHER_CLIPS = 3000
WRONG = 0.06
"""Share of codes that are replaced."""


def spectrogram(wave: Tensor) -> Tensor:
    """The lower half of the product's 32 kHz magnitude spectrogram, from 16 kHz: [B, 513, n // 320]."""
    padded = F.pad(wave, (352, 352))
    window = torch.hann_window(1024, device=wave.device)
    return torch.stft(padded, 1024, 320, 1024, window, center=False, return_complex=True).abs() * 2


def pitches(clips: Clips, indices: list[int], path: Path) -> list[npt.NDArray[np.float32]]:
    """Pitch per 10 ms of the chosen clips, kept in `path` between runs."""
    if not path.exists():
        rows = [track(clips.wave(index)) for index in indices]
        np.savez(path, lengths=[len(row) for row in rows], pitch=np.concatenate(rows))
    with np.load(path) as file:
        return np.split(file["pitch"], np.cumsum(file["lengths"])[:-1])


@dataclass(frozen=True)
class Example:
    """A clip with what its decoder needs to know."""

    index: int
    spoken: Spoken
    pitch: npt.NDArray[np.float32]


class Crops:
    """Random stretches with a reference of the same speaker."""

    def __init__(self, sets: list[tuple[Clips, list[Example], int]], seed: int, device: str) -> None:
        self._sets, self._random, self._device = sets, random.Random(seed), device
        self._peers = [
            {
                speaker: [e for e in examples if clips.clips[e.index].speaker == speaker]
                for speaker in {clips.clips[e.index].speaker for e in examples}
            }
            for clips, examples, _ in sets
        ]

    def draw(self) -> dict[str, Tensor]:
        """codes, sounding [B, 50], phonemes [B, P], counts [B], wave [B, 32000], pitch [B, 200], reference [B, n]."""
        rows: dict[str, list[npt.NDArray[np.generic]]] = {}
        for (clips, examples, count), peers in zip(self._sets, self._peers, strict=True):
            for example in self._random.choices(examples, k=count):
                peer = self._random.choice(peers[clips.clips[example.index].speaker])
                for name, row in self._one(clips, example, peer).items():
                    rows.setdefault(name, []).append(row)
        counts = torch.tensor([len(row) for row in rows["phonemes"]])
        rows["phonemes"] = [np.pad(row, (0, int(counts.max()) - len(row))) for row in rows["phonemes"]]
        made = {name: torch.from_numpy(np.stack(row)) for name, row in rows.items()}
        return {name: tensor.to(self._device) for name, tensor in {**made, "counts": counts}.items()}

    def _one(self, clips: Clips, example: Example, peer: Example) -> dict[str, npt.NDArray[np.generic]]:
        tokens = len(example.spoken.tokens)
        start = self._random.randrange(max(1, tokens - CROP + 1))
        end = min(tokens, start + CROP)
        wave = clips.wave(example.index)[start * 640 : end * 640]
        pitch = example.pitch[start * 4 : end * 4]
        reference = clips.wave(peer.index)
        begin = self._random.randrange(max(1, len(reference) - REFERENCE * 320))
        reference = np.resize(reference[begin : begin + REFERENCE * 320], REFERENCE * 320)
        return {
            "codes": np.pad(example.spoken.tokens[start:end], (0, CROP - end + start), mode="edge"),
            "sounding": np.pad(example.spoken.sounding[start:end], (0, CROP - end + start), constant_values=-1),
            "phonemes": example.spoken.phonemes,
            "wave": np.pad(wave, (0, CROP * 640 - len(wave))),
            "pitch": np.pad(pitch, (0, CROP * 4 - len(pitch))),
            "reference": reference,
        }


def loss(model: Decoder, mel: LogMel, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
    """Spectral distance plus pitch, voicing and the guided look-up of phonemes."""
    with torch.no_grad():
        reference = spectrogram(batch["reference"])
    ge = model.style(reference)
    # Some codes are wrong, as some of the GPT's will be: the phonemes and the neighbours must do.
    codes = batch["codes"]
    swapped = codes.flatten()[torch.randint(codes.numel(), codes.shape, device=codes.device)]
    codes = torch.where(torch.rand(codes.shape, device=codes.device) < WRONG, swapped, codes)
    features, shares = model.encoder(codes, batch["phonemes"], batch["counts"], ge)
    pitch, voiced = model.flow.heads(features, ge)
    wanted = batch["pitch"]
    noise = torch.randn(features.shape, device=features.device)
    wave = model.voice(model.flow.latent(features, wanted, noise, 0.5), ge)
    with torch.autocast(wave.device.type, enabled=False):
        with torch.no_grad():
            aim = mel(batch["wave"])
        distance = spectral_distance(wave, batch["wave"], random.choice(SIZES)) + (mel(wave) - aim).abs().mean()
    sung = (wanted > 0).float()
    off = ((pitch - torch.log(wanted.clamp(min=40))).abs() * sung).sum() / sung.sum()
    switch = F.binary_cross_entropy_with_logits(voiced, sung)
    aim = batch["sounding"].repeat_interleave(2, 1)
    seen = shares.gather(2, aim.clamp(min=0)[..., None])[..., 0].clamp(min=-8) * (aim >= 0)
    look = -seen.sum() / (aim >= 0).sum()
    total = distance + 2 * off + switch + 0.4 * look
    return total, {"spectrum": distance.item(), "pitch": off.item(), "voiced": switch.item(), "look": look.item()}


def restore(folder: Path, device: str) -> Decoder:
    """The trained decoder in evaluation mode."""
    model = Decoder().to(device)
    model.load_state_dict(load(folder / "decoder.pt", device)["model"])
    return model.eval()


def run(folder: Path, *, minutes: float, seed: int, device: str) -> None:
    """Trains `decoder.pt`."""
    torch.manual_seed(seed)
    random.seed(seed)
    stage_phonemes.run(folder)
    sets: list[tuple[Clips, list[Example], int]] = []
    for name, count in (("teacher", 4), ("speakers", 8)):
        clips = Clips.read(folder / name)
        indices = list(range(TEACHER_CLIPS)) if name == "teacher" else split(clips)[0]
        tracks = pitches(clips, indices, folder / f"{name}.pitch.npz")
        spoken = read(folder, name)
        examples = [Example(i, spoken[i], pitch) for i, pitch in zip(indices, tracks, strict=True)]
        sets.append((clips, examples, count))
    crops = Crops(sets, seed, device)
    model, mel = Decoder().to(device), LogMel().to(device)
    model.voice.calibrate(crops.draw()["wave"])
    schedule = Schedule(minutes, 1e-3, warmup=200)
    train(model, lambda: loss(model, mel, crops.draw()), schedule, checkpoint=folder / "decoder.pt", device=device)
