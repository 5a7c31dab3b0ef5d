"""Stage `gpt`: trains phonemes + prompt -> tokens on one teacher alone, as runs of one, two or three sentences.

A run of sentences is the same thing as a prompt with its text followed by the text to speak."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .clips import PHONES, Clips
from .loop import Schedule, load, train
from .t2s import Batch, Sizes, Teaching

IntArray = npt.NDArray[np.int64]
TOKEN_S = 0.04
PLACES = 3000
"""Phonemes and tokens of one batch, padding included."""
SHARES = (0.45, 0.43, 0.12)
"""How many examples are one, two or three sentences."""
ROUND = 16
"""Padded lengths are multiples of this."""
UNTAUGHT = -1
WRONG = 0.1
"""Share of heard tokens that are replaced, so that the network learns to recover from its own slips."""


@dataclass(frozen=True)
class Spoken:
    """One sentence: phoneme ids [P], tokens [N], which phoneme sounds in each token [N], the teacher's phone [N]."""

    phonemes: IntArray
    tokens: IntArray
    sounding: IntArray
    phones: IntArray

    def __add__(self, after: Spoken) -> Spoken:
        return Spoken(
            np.concatenate([self.phonemes, after.phonemes]),
            np.concatenate([self.tokens, after.tokens]),
            np.concatenate([self.sounding, after.sounding + len(self.phonemes)]),
            np.concatenate([self.phones, after.phones]),
        )

    def resting(self, tokens: int) -> Spoken:
        """The same with a longer silence at its end, as recordings for enrolment have.

        Its phones are `UNTAUGHT`: the network shall go on after a long silence and never make one, for in silence all
        tokens are alike and it would not find out again."""
        last = [np.full(tokens, value) for value in (self.tokens[-1], self.sounding[-1], UNTAUGHT)]
        rows = zip((self.tokens, self.sounding, self.phones), last, strict=True)
        return Spoken(self.phonemes, *(np.concatenate(pair) for pair in rows))

    def __len__(self) -> int:
        return len(self.phonemes) + len(self.tokens)


def read(folder: Path, name: str) -> list[Spoken]:
    """All sentences of a clip set, in its order; ValueError for one without phonemes."""
    clips = Clips.read(folder / name).clips
    with np.load(folder / f"{name}.tokens.npz") as file:
        tokens = np.split(file["tokens"].astype(np.int64), np.cumsum(file["lengths"])[:-1])
    with np.load(folder / f"{name}.phonemes.npz") as file:
        borders = np.cumsum(file["counts"])[:-1]
        ids, ends = np.split(file["ids"].astype(np.int64), borders), np.split(file["ends"], borders)
    made = []
    for clip, row, phonemes, end in zip(clips, tokens, ids, ends, strict=True):
        if len(phonemes) == 0:
            raise ValueError(f"the front end has no phonemes for {clip.text!r}")
        middles = (np.arange(len(row)) + 0.5) * TOKEN_S
        sounding = np.searchsorted(end, middles).clip(max=len(end) - 1)
        phones = clip.labels()[(middles * 100).astype(int).clip(max=clip.samples // 160 - 1)]
        made.append(Spoken(phonemes, row, sounding.astype(np.int64), phones))
    return made


def batches(sentences: list[Spoken], rng: random.Random, device: str) -> Iterator[Batch]:
    """Endless batches of examples of like length."""
    while True:
        pool: list[Spoken] = []
        for count in rng.choices((1, 2, 3), SHARES, k=400):
            example = rng.choice(sentences)
            for _ in range(count - 1):
                if rng.random() < 0.2:
                    example = example.resting(rng.randint(3, 16))
                example = example + rng.choice(sentences)
            pool.append(example)
        pool.sort(key=len)
        groups: list[list[Spoken]] = [[]]
        for example in pool:
            if (len(groups[-1]) + 1) * len(example) > PLACES:
                groups.append([])
            groups[-1].append(example)
        rng.shuffle(groups)
        for group in groups:
            yield collate(group, rng, device)


def collate(group: list[Spoken], rng: random.Random, device: str) -> Batch:
    """Pads a group of examples and garbles what is heard."""

    def padded(rows: list[IntArray], value: int) -> Tensor:
        # Few different shapes: each new one costs the matrix library a new kernel, and memory that it keeps.
        longest = -(-max(map(len, rows)) // ROUND) * ROUND
        made = np.full((len(rows), longest), value, np.int64)
        for index, row in enumerate(rows):
            made[index, : len(row)] = row
        return torch.from_numpy(made).to(device)

    noise = np.random.default_rng(rng.getrandbits(32))
    pool = np.concatenate([example.tokens for example in group])
    heard = [np.where(noise.random(len(e.tokens)) < WRONG, noise.choice(pool, len(e.tokens)), e.tokens) for e in group]
    return Batch(
        phonemes=padded([example.phonemes for example in group], 0),
        phoneme_counts=torch.tensor([len(example.phonemes) for example in group], device=device),
        tokens=padded([example.tokens for example in group], 0),
        token_counts=torch.tensor([len(example.tokens) for example in group], device=device),
        heard=padded(heard, 0),
        spoken=padded([example.sounding for example in group], -1),
        phones=padded([example.phones for example in group], -1),
    )


def restore(folder: Path, device: str) -> Teaching:
    """The trained network in evaluation mode."""
    model = Teaching(Sizes(), len(PHONES)).to(device)
    model.load_state_dict(load(folder / "gpt.pt", device)["model"])
    return model.eval()


def run(folder: Path, *, minutes: float, seed: int, device: str) -> None:
    """Trains `gpt.pt`; the last line compares the test sentences, which it has not seen."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    source = batches(read(folder, "teacher"), rng, device)
    model = Teaching(Sizes(), len(PHONES)).to(device)
    unseen = read(folder, "test")
    examined = collate([a + b for a, b in zip(unseen[::2], unseen[1::2], strict=True)], random.Random(0), device)
    steps = 0

    def step() -> tuple[Tensor, dict[str, float]]:
        nonlocal steps
        steps += 1
        if steps % 500 == 0:
            model.eval()
            with torch.no_grad():
                figures = model.loss(examined)[1]
            print("gpt unseen: " + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()), flush=True)
            model.train()
        return model.loss(next(source))

    schedule = Schedule(minutes, 1e-3, warmup=600, decay=0.02)
    train(model, step, schedule, checkpoint=folder / "gpt.pt", device=device)
