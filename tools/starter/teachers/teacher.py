"""What a teacher is to the rest of the training: text and a speaker in; sound, our phonemes and their times out."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
QUIET = 0.01
"""A frame is silent below this share of the loudest frame's amplitude."""
BEFORE_S, AFTER_S = 0.04, 0.15


@dataclass(frozen=True)
class Job:
    """One sentence for one speaker; `language` is an option of our front end (`en`, `zh`)."""

    text: str
    language: str
    speaker: str


@dataclass(frozen=True)
class Utterance:
    """What was said: samples within -1 to 1 at the teacher's rate, and our front end's phonemes on its clock."""

    wave: FloatArray
    phonemes: tuple[str, ...]
    ends: tuple[float, ...]
    """When each phoneme ends, in seconds, ascending; the first begins with the sound."""
    pitch: FloatArray
    """Hz per 10 ms, 0 where unvoiced, float32."""

    def trimmed(self, rate: int) -> Utterance:
        """The same without the silence around it, but for `BEFORE_S` and `AFTER_S` of it."""
        size = rate // 100
        frames = self.wave[: len(self.wave) // size * size].reshape(-1, size)
        level = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
        loud = np.flatnonzero(level > QUIET * level.max(initial=0.0))
        if not len(loud):
            return self
        first, last = max(0, int(loud[0]) - round(BEFORE_S * 100)), int(loud[-1]) + 1 + round(AFTER_S * 100)
        wave, pitch = self.wave[first * size : last * size], self.pitch[first:last]
        ends = tuple(round(min(max(end - first / 100, 0.0), len(wave) / rate), 4) for end in self.ends)
        return Utterance(wave, self.phonemes, ends, pitch)


class Teacher(Protocol):
    """A synthesiser. Its constructor raises RuntimeError that names the packages it lacks."""

    rate: int
    languages: tuple[str, ...]
    voices: tuple[str, ...]
    """The speakers that become built-in voices."""

    def crowd(self, rng: random.Random) -> str:
        """Another speaker, for a tokenizer and a speaker vector that know more than the voices."""

    def say(self, jobs: Sequence[Job]) -> Iterator[Utterance | None]:
        """An utterance a job, in order; None for a text that this teacher cannot read."""
