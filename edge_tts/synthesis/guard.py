"""Faults of a segment while it is decoded: it ends too early, goes round in a loop, or falls silent and stays so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edge_tts.values import Fault, FloatArray, IntArray, ModelSet, Voice

SLACK = 16
"""Tokens that a segment may have besides those of its phonemes: pauses around the speech."""
INSISTS = 8
"""Steps in a row, a third of a second, in which the end is refused: then the network has nothing more to say."""
_LOOP_TOKENS = 32
_LOOP_TURNS = 3
_LONGEST_TURN = 25  # tokens; a longer one reaches the most tokens of a segment as soon
_SILENCE_S = 1.5
_KEPT_SILENCE_S = 0.3
_PAUSE_S = 0.1
_FRAME_S = 0.02
_QUIET = 0.01  # of the loudest sample so far
_LEAST_PEAK = 0.05  # before anything loud was heard
_FASTER, _SLOWER = 0.75, 1.5
"""By so much a voice may speak faster or slower than in its own prompt."""
_USUAL_S, _TOKENS_PER_S = 0.085, 25
_PROMPT_SILENCE = 15  # tokens of the silence that an encoded prompt ends with


@dataclass(frozen=True, slots=True)
class Bounds:
    """Tokens of a segment."""

    fewest: int
    """Before, the end token does not win."""
    most: int


class Broken(NamedTuple):
    """A fault, and how many of the tokens before it are good."""

    fault: Fault
    good: int


def bounds_of(model: ModelSet, voice: Voice, phonemes: int) -> Bounds:
    """The set's pace times the phonemes, widened for a voice whose prompt is faster or slower."""
    slowest, fastest = model.max_tokens_per_phoneme, model.min_tokens_per_phoneme
    if len(voice.prompt_phoneme_ids) and len(voice.prompt_tokens) > _PROMPT_SILENCE:
        pace = (len(voice.prompt_tokens) - _PROMPT_SILENCE) / len(voice.prompt_phoneme_ids)
        slowest = None if slowest is None else max(slowest, _SLOWER * pace)
        fastest = min(fastest, _FASTER * pace)
    longest = model.sizes.limits.most_tokens
    most = longest if slowest is None else min(longest, int(slowest * phonemes) + SLACK)
    return Bounds(min(int(fastest * phonemes), most), most)


def seconds_per_phoneme(voice: Voice) -> float:
    """In its own prompt, or as most speak."""
    tokens = len(voice.prompt_tokens) - _PROMPT_SILENCE
    if tokens <= 0 or not len(voice.prompt_phoneme_ids):
        return _USUAL_S
    return tokens / len(voice.prompt_phoneme_ids) / _TOKENS_PER_S


def turns_of(phoneme_ids: IntArray) -> int:
    """How often a part of the text repeats itself in a row: `ha ha ha` gives 3."""
    most = 1
    for period in range(1, min(_LONGEST_TURN, len(phoneme_ids) // 2) + 1):
        same = np.concatenate([[False], phoneme_ids[period:] == phoneme_ids[:-period], [False]])
        edges = np.flatnonzero(np.diff(same.astype(np.int8)))
        longest = int((edges[1::2] - edges[::2]).max(initial=0))
        most = max(most, (longest + period) // period)
    return most


class LoopWatch:
    """Finds a token held too long, and a sequence of tokens that repeats itself more often than the text does."""

    def __init__(self, *, turns: int) -> None:
        """`turns` as `turns_of` the text."""
        self._turns = max(_LOOP_TURNS, turns + 2)
        self._periods = np.arange(1, _LONGEST_TURN + 1)
        self._recent = np.full(_LONGEST_TURN, -1, np.int64)  # newest first
        self._repeated = np.zeros(_LONGEST_TURN, np.int64)  # tokens in a row that equal the one a period before
        self._count = 0

    def add(self, token: int) -> int | None:
        """Takes the next token. Returns how many tokens precede the first repetition, once there is a loop."""
        self._repeated = (self._repeated + 1) * (self._recent == token)
        self._recent[1:] = self._recent[:-1]
        self._recent[0] = token
        self._count += 1
        spans = self._repeated + self._periods
        loops = (self._repeated > 0) & (spans >= _LOOP_TOKENS) & (spans >= self._turns * self._periods)
        return self._count - int(self._repeated[loops].max()) if loops.any() else None


class SilenceWatch:
    """Counts the silence at the end of a waveform that comes in pieces."""

    def __init__(self, sample_rate: int) -> None:
        self._rate, self._frame = sample_rate, max(1, round(_FRAME_S * sample_rate))
        self._peak = _LEAST_PEAK
        self.quiet = 0
        """Samples of silence at the end."""
        self.heard = False
        """Whether anything but silence came."""

    def add(self, samples: FloatArray) -> None:
        """Takes the next float32 samples."""
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0.0)))
        frames = [samples[start : start + self._frame] for start in range(0, len(samples), self._frame)]
        loud = [index for index, frame in enumerate(frames) if np.sqrt(np.mean(frame**2)) > _QUIET * self._peak]
        if loud:
            self.heard = True
            self.quiet = len(samples) - min(len(samples), (loud[-1] + 1) * self._frame)
        else:
            self.quiet += len(samples)

    @property
    def endless(self) -> bool:
        return self.quiet >= _SILENCE_S * self._rate

    @property
    def pausing(self) -> bool:
        return self.quiet >= _PAUSE_S * self._rate

    @property
    def surplus(self) -> int:
        """Samples to take away from an endless silence, so that a pause is left."""
        return self.quiet - round(_KEPT_SILENCE_S * self._rate) if self.endless else 0
