"""Stage `gpt`: trains phonemes + prompt -> tokens on all speakers, as runs of one, two or three sentences of one.

A run of sentences, in either language, is the same thing as a prompt with its text followed by the text to speak."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import stage_tokenizer
from .labels import phones
from .library import Library
from .loop import Schedule, load, steps_of, train
from .spoken import IntArray, Spoken, spoken
from .t2s import Batch, Sizes, Teaching

PLACES = 3000
"""Phonemes and tokens of one batch, padding included."""
SHARES = (0.25, 0.55, 0.2)
"""How many examples are one, two or three sentences."""
RESTS = 0.2
"""Share of sentences within a run that end in a longer silence."""
FEW = 8
"""Sentences of a speaker from which runs are made; of fewer, a run would often repeat itself."""
EXAMINED = 20
"""Held-out pairs that are examined."""
ROUND = 16
"""Padded lengths are multiples of this."""
WRONG = 0.1
"""Share of heard tokens that are replaced, so that the network learns to recover from its own slips."""


class Sentences:
    """Sentences by speaker, for examples of one, two or three of the same speaker in either language."""

    def __init__(self, sentences: Sequence[Spoken], speakers: Sequence[str], rng: random.Random) -> None:
        self._random = rng
        self._peers: defaultdict[str, list[Spoken]] = defaultdict(list)
        for sentence, speaker in zip(sentences, speakers, strict=True):
            self._peers[speaker].append(sentence)
        self._speakers = list(speakers)

    def draw(self, count: int) -> Spoken:
        """Speakers as often as they speak; of one who has said little, one sentence alone."""
        peers = self._peers[self._random.choice(self._speakers)]
        example = self._random.choice(peers)
        for _ in range(count - 1 if len(peers) >= FEW else 0):
            if self._random.random() < RESTS:
                example = example.resting(self._random.randint(3, 16))
            example = example + self._random.choice(peers)
        return example


def batches(sentences: Sentences, rng: random.Random, device: str) -> Iterator[Batch]:
    """Endless batches of examples of like length."""
    while True:
        pool = sorted((sentences.draw(count) for count in rng.choices((1, 2, 3), SHARES, k=400)), key=len)
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
    model = Teaching(Sizes(), len(phones())).to(device)
    model.load_state_dict(load(folder / "gpt.pt", device)["model"])
    return model.eval()


def unseen(library: Library, sentences: Sequence[Spoken]) -> list[Spoken]:
    """Pairs of held-out sentences, each of one speaker; single ones where there are no pairs."""
    last: dict[str, Spoken] = {}
    pairs: list[Spoken] = []
    for index in library.split[1]:
        speaker, sentence = library.items[index].row.speaker, sentences[index]
        if speaker in last and len(pairs) < EXAMINED:
            pairs.append(last.pop(speaker) + sentence)
        else:
            last[speaker] = sentence
    return pairs or [sentences[index] for index in library.split[1][:EXAMINED]]


def run(folder: Path, *, minutes: float, seed: int, device: str) -> None:
    """Trains `gpt.pt`; now and then it prints how well it foretells held-out sentences."""
    checkpoint = folder / "gpt.pt"
    steps = steps_of(checkpoint)
    torch.manual_seed(seed + steps)
    rng = random.Random(seed + steps)
    library = Library.read(folder / "speech")
    sentences = spoken(library.items, stage_tokenizer.read(library.items))
    taught = library.split[0]
    speakers = [library.items[index].row.speaker for index in taught]
    source = batches(Sentences([sentences[index] for index in taught], speakers, rng), rng, device)
    model = Teaching(Sizes(), len(phones())).to(device)
    examined = collate(unseen(library, sentences), random.Random(0), device)

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
    train(model, step, schedule, checkpoint=checkpoint, device=device)
