"""The v2 phoneme symbols and their ids."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import numpy as np

from edge_tts.values import IntArray

UNKNOWN = "UNK"
PUNCTUATION = frozenset("!?…,.-")
"""Marks that are phonemes of their own: the pauses of the model."""


@cache
def symbols() -> tuple[str, ...]:
    """The 732 symbols; the position is the id."""
    table = json.loads((files("edge_tts.text") / "data" / "symbols_v2.json").read_text(encoding="utf-8"))
    return tuple(table["symbols"])


@cache
def symbol_ids() -> dict[str, int]:
    """Symbol -> id."""
    return {symbol: i for i, symbol in enumerate(symbols())}


@cache
def pinyin_symbols() -> dict[str, tuple[str, str]]:
    """Toneless pinyin syllable -> initial and final symbol; a tone digit is appended to the final."""
    table = json.loads((files("edge_tts.text") / "data" / "zh_syllables.json").read_text(encoding="utf-8"))
    return {syllable: (initial, final) for syllable, (initial, final) in table.items()}


def to_ids(phonemes: Iterable[str]) -> IntArray:
    """Ids of `phonemes`, int64 [phonemes]; that of `UNK` for what is no symbol."""
    ids = symbol_ids()
    unknown = ids[UNKNOWN]
    return np.array([ids.get(p, unknown) for p in phonemes], dtype=np.int64)
