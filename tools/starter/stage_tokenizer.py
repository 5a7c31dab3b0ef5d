"""Stage `tokenizer`: trains on crops of all speakers, says what its tokens tell, writes those of every utterance."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge_tts.durable.atomic import replacing

from .labels import labels
from .layers import LogMel
from .library import Item, Library
from .loop import Schedule, load, steps_of, train
from .shapes import RATE, TOKEN
from .teachers.teacher import FloatArray
from .tokenizer import Tokenizer, loss

LENGTH = 50
"""Tokens of a crop."""
BATCH = 24
EXAMINED = 200
"""Utterances that are held out and examined, at most."""


def whole_tokens(wave: FloatArray) -> FloatArray:
    """A wave at `RATE` without what is too short for a token."""
    return wave[: len(wave) // TOKEN * TOKEN]


class Crops:
    """Random two-second stretches with their labels."""

    def __init__(self, library: Library, rng: random.Random, device: str) -> None:
        self._library, self._random, self._device = library, rng, device

    def draw(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """float32 [B, 48000]; phone and tone int64, pitch float32 [B, 200]."""
        rows = [self._one(index) for index in self._random.choices(self._library.split[0], k=BATCH)]
        wave, phone, tone, pitch = (torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))
        heard = wave + 3e-4 * torch.randn(wave.shape)
        return (
            heard.to(self._device),
            phone.to(self._device),
            tone.to(self._device),
            pitch.to(self._device),
        )

    def _one(self, index: int) -> tuple[npt.NDArray[np.generic], ...]:
        wave = self._library.wave(index)
        start = self._random.randrange(max(1, len(wave) // TOKEN - LENGTH + 1))
        stretch = wave[start * TOKEN : (start + LENGTH) * TOKEN]
        made: list[npt.NDArray[np.generic]] = [np.pad(stretch, (0, LENGTH * TOKEN - len(stretch)))]
        for values, rest in zip(labels(self._library.items[index].row, wave, RATE), (0, 0, np.nan), strict=True):
            some = values[4 * start : 4 * (start + LENGTH)]
            made.append(np.pad(some, (0, 4 * LENGTH - len(some)), constant_values=rest))
        return tuple(made)


@torch.no_grad()
def tokens(model: Tokenizer, mel: LogMel, wave: FloatArray, device: str) -> npt.NDArray[np.int64]:
    """Tokens of a wave at the rate of `mel`, int64, 25 a second."""
    usable = np.ascontiguousarray(wave[: len(wave) // (4 * mel.hop) * (4 * mel.hop)])
    codes: npt.NDArray[np.int64] = (
        model.codes(model.features(mel(torch.from_numpy(usable)[None].to(device))))[0].cpu().numpy()
    )
    return codes


@torch.no_grad()
def examine(model: Tokenizer, mel: LogMel, library: Library, indices: Sequence[int], device: str) -> str:
    """What can be read from the tokens of whole utterances: shares of frames of phones and of Mandarin tones that are
    right, and how many semitones the pitch is off."""
    found: defaultdict[str, list[npt.NDArray[np.generic]]] = defaultdict(list)
    for index in indices:
        wave, row = whole_tokens(library.wave(index)), library.items[index].row
        read = model(mel(torch.from_numpy(wave)[None].to(device)))
        phone, tone, pitch = labels(row, wave, RATE)
        sung, toned = ~np.isnan(pitch), (tone > 0) & (tone < 5)
        found[f"phones ({row.language})"].append(read.phones[0].argmax(-1).cpu().numpy() == phone)
        found["tones"].append((read.tones[0].argmax(-1).cpu().numpy() == tone)[toned])
        found["pitch"].append(12 * np.abs(read.pitch[0].cpu().numpy() - pitch)[sung])
        found["codes"].append(read.codes[0].cpu().numpy())
    used = len(np.unique(np.concatenate(found.pop("codes"))))
    off = float(np.mean(np.concatenate(found.pop("pitch"))))
    shares = {name: np.concatenate(rows) for name, rows in found.items()}
    right = ", ".join(f"{name} {hits.mean():.1%}" for name, hits in shares.items() if len(hits))
    return f"{right}, pitch {off:.2f} semitones off, {used} codes in {len(indices)} utterances"


def restore(folder: Path, device: str) -> Tokenizer:
    """The trained tokenizer in evaluation mode."""
    model = Tokenizer().to(device)
    model.load_state_dict(load(folder / "tokenizer.pt", device)["model"])
    return model.eval()


def written(labels: Path) -> Path:
    """Where the tokens of a part's kept utterances are."""
    return labels.with_suffix(".tokens.npz")


def write(model: Tokenizer, library: Library, step: int, device: str) -> None:
    """The tokens of each part, unless they are there from the same step of training."""
    mel, groups = LogMel(RATE).to(device), defaultdict[Path, list[int]](list)
    for index, item in enumerate(library.items):
        groups[item.labels].append(index)
    for path, indices in groups.items():
        if not up_to_date(written(path), step):
            rows = [tokens(model, mel, library.wave(index), device) for index in indices]
            with replacing(written(path)) as beside:
                np.savez(beside, step=step, lengths=[len(row) for row in rows], tokens=np.concatenate(rows))


def up_to_date(path: Path, step: int) -> bool:
    """Whether tokens are those of this step of training."""
    if not path.exists():
        return False
    with np.load(path) as file:
        return int(file["step"]) == step


def read(items: Sequence[Item]) -> list[npt.NDArray[np.int64]]:
    """The tokens of a library's items in their order. Raises FileNotFoundError where they are not written."""
    found: list[npt.NDArray[np.int64]] = []
    for path in dict.fromkeys(item.labels for item in items):
        if not written(path).exists():
            raise FileNotFoundError(f"{path}: has no tokens yet; run the stage tokenizer")
        with np.load(written(path)) as file:
            found += np.split(file["tokens"].astype(np.int64), np.cumsum(file["lengths"])[:-1])
    return found


def run(folder: Path, *, minutes: float, seed: int, device: str) -> None:
    """Trains `tokenizer.pt` and writes the tokens of the recordings and of the test."""
    checkpoint = folder / "tokenizer.pt"
    begun = steps_of(checkpoint)
    torch.manual_seed(seed + begun)
    library, test = Library.read(folder / "speech"), Library.read(folder / "test")
    crops = Crops(library, random.Random(seed + begun), device)
    model, mel = Tokenizer().to(device), LogMel(RATE).to(device)

    def step() -> tuple[Tensor, dict[str, float]]:
        wave, phone, tone, pitch = crops.draw()
        with torch.autocast(torch.device(device).type, enabled=False):
            heard = mel(wave)
        return loss(model, heard, phone, tone, pitch)

    train(model, step, Schedule(minutes, 2e-3, warmup=60), checkpoint=checkpoint, device=device)
    model.eval()
    print(f"tokenizer: held out: {examine(model, mel, library, library.split[1][:EXAMINED], device)}", flush=True)
    for each in (library, test):
        write(model, each, steps_of(checkpoint), device)
