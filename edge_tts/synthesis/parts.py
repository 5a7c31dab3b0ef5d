"""Cuts a segment into smaller parts, for a decoder that fails on the whole; closes those that end inside a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from edge_tts.text.symbols import PUNCTUATION, to_ids
from edge_tts.values import IntArray

_SENTENCE_ENDS = frozenset(to_ids(".!?").tolist())
_INNER_MARKS = frozenset(to_ids(PUNCTUATION).tolist()) - _SENTENCE_ENDS


def clauses(phonemes: Sequence[str]) -> list[slice]:
    """Where the parts of a segment lie that its inner marks separate, each with the marks behind it."""
    speech = [index for index, phoneme in enumerate(phonemes) if phoneme not in PUNCTUATION]
    cuts = [0, *(after for before, after in pairwise(speech) if after > before + 1), len(phonemes)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def halves(text: str) -> list[str]:
    """`text` cut at the blank nearest to its middle; nothing if there is none."""
    text = text.strip()
    blanks = [index for index, character in enumerate(text) if character == " "]
    if not blanks:
        return []
    middle = min(blanks, key=lambda index: abs(index - len(text) / 2))
    return [text[:middle], text[middle + 1 :]]


def closed(phoneme_ids: IntArray) -> IntArray:
    """With a full stop in place of a comma or another inner mark at the end."""
    if not len(phoneme_ids) or int(phoneme_ids[-1]) not in _INNER_MARKS:
        return phoneme_ids
    return np.concatenate([phoneme_ids[:-1], to_ids(".")])
