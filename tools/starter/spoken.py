"""Recorded sentences as a row of phonemes and one of tokens. Knows nothing about sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_tts.text.symbols import to_ids

from .labels import sounding, symbol_labels
from .library import Item

IntArray = npt.NDArray[np.int64]
TOKEN_RATE = 25
UNTAUGHT = -1


@dataclass(frozen=True)
class Spoken:
    """One sentence: phoneme ids [P], tokens [N], which phoneme sounds in each token [N], its label [N]."""

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


def spoken(items: Sequence[Item], tokens: Sequence[IntArray]) -> list[Spoken]:
    """The sentences of a library with their tokens, in its order."""
    made = []
    for item, row in zip(items, tokens, strict=True):
        which = sounding(item.row.ends, len(row), TOKEN_RATE)
        phone, _ = symbol_labels(item.row.phonemes)
        made.append(Spoken(to_ids(item.row.phonemes), row, which, phone[which]))
    return made
