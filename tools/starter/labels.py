"""What sounds in every 10 ms of a recorded utterance: phone, tone and pitch, of both languages. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from edge_tts.text.symbols import PUNCTUATION, pinyin_symbols, symbols

from .recorded import Recorded
from .teachers.teacher import FloatArray
from .tones import semitones

IntArray = npt.NDArray[np.int64]
SECOND = 100
"""Labels of a second."""
PAUSE, TONES = 0, 6
"""The phone of silence and marks; no tone and the five of Mandarin."""
UNTAUGHT = -1
"""The tone of English."""
QUIET = 0.02
"""A frame is silent below this share of the loudest frame's amplitude."""


@cache
def phones() -> tuple[str, ...]:
    """Names of the phones: Mandarin initials and finals with a dash where the other half goes, English in capitals."""
    pairs = set(pinyin_symbols().values())
    mandarin = sorted({f"{initial}-" for initial, _ in pairs} | {f"-{final}" for _, final in pairs})
    english = sorted({name.rstrip("012") for name in symbols() if name.isascii() and name.rstrip("012").isupper()})
    return ("pause", *mandarin, *english)


@cache
def _known() -> dict[str, tuple[int, int]]:
    """Symbol of the front end -> phone and tone."""
    index = {name: at for at, name in enumerate(phones())}
    found = {name: (index[name.rstrip("012")], UNTAUGHT) for name in symbols() if name.rstrip("012") in index}
    for initial, final in pinyin_symbols().values():
        found[initial] = (index[f"{initial}-"], 0)
        found |= {f"{final}{tone}": (index[f"-{final}"], tone) for tone in range(1, TONES)}
    return found | dict.fromkeys(PUNCTUATION, (PAUSE, 0))


def sounding(ends: tuple[float, ...], count: int, rate: float) -> IntArray:
    """Which phoneme sounds in the middle of each of `count` frames, `rate` a second."""
    middles = (np.arange(count) + 0.5) / rate
    found: IntArray = np.searchsorted(np.array(ends), middles).clip(max=len(ends) - 1).astype(np.int64)
    return found


def symbol_labels(phonemes: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Phone and tone of each symbol, int64 [P]. Raises KeyError for one of another language."""
    pairs = np.array([_known()[name] for name in phonemes], np.int64)
    return pairs[:, 0], pairs[:, 1]


def labels(row: Recorded, wave: FloatArray, rate: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Of its wave [samples] at a `rate`: phone and tone int64 [T], pitch float32 [T].

    The tone is 0 without one and `UNTAUGHT` in English; the pitch is in octaves about the line on which the sentence
    falls, NaN where unvoiced."""
    size = rate // SECOND
    count = len(wave) // size
    which = sounding(row.ends, count, SECOND)
    phone, tone = (values[which] for values in symbol_labels(row.phonemes))
    level = np.sqrt(np.mean(np.square(wave[: count * size].reshape(count, size)), axis=1))
    silent = level < QUIET * level.max(initial=0.0)
    phone, tone = np.where(silent, PAUSE, phone), np.where(silent & (tone > 0), 0, tone)
    return phone, tone, semitones(pitch(row, count)) / np.float32(12)


def pitch(row: Recorded, count: int) -> FloatArray:
    """Hz of the first `count` frames, float32, 0 where unvoiced."""
    curve = np.array(row.pitch[:count], np.float32)
    return np.pad(curve, (0, count - len(curve)))
