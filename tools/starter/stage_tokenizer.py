"""Stage `tokenizer`: trains on crops of the teacher and of warped speakers, then writes the tokens of every clip."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .clips import Clips
from .loop import Schedule, load, train
from .tokenizer import Tokenizer, loss

CROP = 2 * 16000
HELD_SPEAKERS = 8
"""The last warped speakers are never trained on: they are the unseen ones of the evaluation."""


def split(clips: Clips) -> tuple[list[int], list[int]]:
    """Indices of training and of held-out clips of the `speakers` set."""
    border = max(clip.speaker for clip in clips.clips) + 1 - HELD_SPEAKERS
    train = [index for index, clip in enumerate(clips.clips) if clip.speaker < border]
    held = [index for index, clip in enumerate(clips.clips) if clip.speaker >= border]
    return train, held


class Crops:
    """Random two-second stretches with their labels."""

    def __init__(self, sets: list[tuple[Clips, list[int], int]], seed: int, device: str) -> None:
        """`sets`: clips, indices to draw from, how many a batch."""
        self._sets = sets
        self._random = random.Random(seed)
        self._device = device

    def draw(self) -> tuple[Tensor, Tensor]:
        """float32 [B, 32000] and int64 [B, 200]."""
        waves, labels = [], []
        for clips, indices, count in self._sets:
            for index in self._random.choices(indices, k=count):
                wave, label = clips.wave(index), clips.clips[index].labels()
                start = self._random.randrange(max(1, (len(wave) - CROP) // 640 + 1))
                wave = wave[start * 640 : start * 640 + CROP]
                label = label[start * 4 : start * 4 + CROP // 160]
                waves.append(np.pad(wave, (0, CROP - len(wave))))
                labels.append(np.pad(label, (0, CROP // 160 - len(label))))
        heard = torch.from_numpy(np.stack(waves)) + 3e-4 * torch.randn(len(waves), CROP)
        return heard.to(self._device), torch.from_numpy(np.stack(labels)).to(self._device)


@torch.no_grad()
def tokens(model: Tokenizer, wave: npt.NDArray[np.float32], device: str) -> npt.NDArray[np.int16]:
    """Tokens of a 16 kHz recording, int16 [samples // 640]."""
    usable = len(wave) // 640 * 640
    mel = model.mel(torch.from_numpy(np.ascontiguousarray(wave[:usable]))[None].to(device))
    codes: npt.NDArray[np.int16] = model.codes(model.features(mel))[0].cpu().numpy().astype(np.int16)
    return codes


@torch.no_grad()
def accuracy(model: Tokenizer, clips: Clips, indices: list[int], device: str) -> tuple[float, int]:
    """Frame phone accuracy and number of codes in use over whole clips."""
    hit = frames = 0
    used: set[int] = set()
    for index in indices:
        wave = clips.wave(index)
        wave = wave[: len(wave) // 640 * 640]
        phones, _, codes = model(model.mel(torch.from_numpy(wave)[None].to(device)))
        truth = clips.clips[index].labels()[: phones.shape[1]]
        hit += int((phones[0].argmax(-1).cpu().numpy()[: len(truth)] == truth).sum())
        frames += len(truth)
        used.update(codes[0].tolist())
    return hit / frames, len(used)


def restore(folder: Path, device: str) -> Tokenizer:
    """The trained tokenizer in evaluation mode."""
    model = Tokenizer().to(device)
    model.load_state_dict(load(folder / "tokenizer.pt", device)["model"])
    return model.eval()


def run(folder: Path, *, minutes: float, seed: int, device: str) -> None:
    """Trains `tokenizer.pt` and writes `tokens.npz` (all tokens of a set in a row) for each clip set."""
    torch.manual_seed(seed)
    teacher, speakers = Clips.read(folder / "teacher"), Clips.read(folder / "speakers")
    seen, held = split(speakers)
    crops = Crops([(teacher, list(range(len(teacher.clips))), 12), (speakers, seen, 20)], seed, device)
    model = Tokenizer().to(device)

    def step() -> tuple[Tensor, dict[str, float]]:
        wave, labels = crops.draw()
        return loss(model, model.mel(wave), labels)

    train(model, step, Schedule(minutes, 2e-3, warmup=60), checkpoint=folder / "tokenizer.pt", device=device)
    model.eval()
    for name, clips, some in (("unseen", speakers, held[::3]), ("teacher", teacher, list(range(60)))):
        share, used = accuracy(model, clips, some, device)
        print(f"tokenizer: {name} speakers: frame phone accuracy {share:.3f}, {used} codes", flush=True)
    for name in ("test", "speakers", "teacher"):
        clips = Clips.read(folder / name)
        rows = [tokens(model, clips.wave(index), device) for index in range(len(clips.clips))]
        np.savez(folder / f"{name}.tokens.npz", lengths=[len(row) for row in rows], tokens=np.concatenate(rows))
