"""Somebody who reads the consent sentence so slowly that it does not fit: real recordings, stretched, with pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from edge_tts.values import FloatArray

RATE = 16000
RECORDINGS = Path(__file__).resolve().parent / "spoken"
BREATHS: Mapping[str, Sequence[float]] = {
    "rms": (0.53, 1.05, 1.99, 2.5, 3.27, 4.25),
    "slt": (0.53, 0.92, 1.6, 1.99, 2.38, 3.17),
    "awb": (0.53, 0.89, 1.55, 2.05, 3.25),
    "kal16": (0.56, 0.96, 1.62, 2.03, 2.42, 3.33, 4.0),
}
"""Where the consent recordings have quiet places, in seconds; SENTENCE_ENDS is one of them."""
SENTENCE_ENDS: Mapping[str, float] = {"rms": 3.27, "slt": 3.17, "awb": 3.25, "kal16": 3.33}
"""After "... with my voice."."""


def slow_reader(voice: str, *, chunks: Sequence[float] | None = None, times: float = 1.6) -> FloatArray:
    """The consent sentence at 16 kHz, read `times` slower, with a pause of 0.8 s at each of `breaths`: over 10 s."""
    return read_slowly(consent_of(voice), BREATHS[voice] if chunks is None else chunks, times=times)


def between_sentences(voice: str, *, times: float = 1.6) -> tuple[int, int]:
    """First and last sample of the pause after "... with my voice." in `slow_reader(voice)`."""
    end = SENTENCE_ENDS[voice]
    before = [at for at in BREATHS[voice] if at < end]
    start_s = 0.5 + 0.8 * len(before) + times * end
    return int(start_s * RATE), int((start_s + 0.8) * RATE)


def consent_of(voice: str) -> FloatArray:
    """The consent recording of that voice, float32 [samples]."""
    samples, rate = soundfile.read(RECORDINGS / f"consent-{voice}.flac", dtype="float32")
    assert rate == RATE
    found: FloatArray = samples
    return found


def read_slowly(samples: FloatArray, chunks: Sequence[float], *, times: float) -> FloatArray:
    """What is said, slower, with a pause at each of `breaths` (s); half a second of quiet before, a second after."""
    pieces = [_quiet(0.5)]
    for piece in np.split(samples, [int(at * RATE) for at in chunks]):
        pieces += [_slower(piece, times), _quiet(0.8)]
    whole = np.concatenate([*pieces, _quiet(0.2)])
    result: FloatArray = whole + np.random.default_rng(7).normal(0, 1e-4, len(whole)).astype(np.float32)
    return result


def _quiet(seconds: float) -> FloatArray:
    return np.zeros(int(seconds * RATE), np.float32)


def _slower(samples: FloatArray, times: float) -> FloatArray:
    """Longer at the same pitch: frames of 40 ms, each taken where it goes on from the one before (WSOLA)."""
    frame, hop, reach = 640, 320, 160
    window = np.hanning(frame + 1)[:-1].astype(np.float32)
    said = np.pad(samples, (reach, frame + reach + hop))
    length = int(len(samples) * times)
    result, at = np.zeros(length + frame, np.float32), reach
    for start in range(0, length, hop):
        near, wanted = reach + int(start / times), said[at + hop : at + hop + frame]
        if start:
            at = max(range(near - reach, near + reach), key=lambda n: float(said[n : n + frame] @ wanted))
        result[start : start + frame] += window * said[at : at + frame]
    return result
