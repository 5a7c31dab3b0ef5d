"""Voice activity by Silero's network, and the end of an utterance.

An energy threshold would take a refrigerator or a radio for speech.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_tts.engine.contract import Engine
from edge_tts.recordings.mel import RATE
from edge_tts.values import FloatArray

BLOCK = 512
"""Samples at 16 kHz: 32 ms."""
BLOCK_S = BLOCK / RATE
_CONTEXT, _STATE = 64, 128
_ENTER, _LEAVE = 0.5, 0.35


class SpeechDetector:
    """16 kHz sound -> speech probability per block of 32 ms."""

    def __init__(self, *, engine: Engine) -> None:
        self._engine = engine
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        self._rest: FloatArray = np.zeros(0, np.float32)
        self._context: FloatArray = np.zeros(_CONTEXT, np.float32)
        self._hidden: FloatArray = np.zeros((1, 1, _STATE), np.float32)
        self._cell: FloatArray = np.zeros((1, 1, _STATE), np.float32)

    def push(self, samples: FloatArray) -> FloatArray:
        """float32 [blocks], of the blocks that `samples` completes; keeps the rest and the state for the next call."""
        pending = np.concatenate([self._rest, samples])
        count = len(pending) // BLOCK
        self._rest = pending[count * BLOCK :]
        if count == 0:
            return np.zeros(0, np.float32)
        blocks = pending[: count * BLOCK].reshape(count, BLOCK)
        tails = np.concatenate([self._context[None], blocks[:-1, -_CONTEXT:]])
        feeds = {"input": np.concatenate([tails, blocks], axis=1), "h": self._hidden, "c": self._cell}
        results = self._engine.run(feeds)
        self._context, self._hidden, self._cell = blocks[-1, -_CONTEXT:], results["hn"], results["cn"]
        probabilities: FloatArray = results["speech_probs"].reshape(-1)
        return probabilities

    def probabilities(self, samples: FloatArray) -> FloatArray:
        """float32 [ceil(samples / 512)], of a whole recording; resets the stream before and after."""
        self.reset()
        result = self.push(np.pad(samples, (0, -len(samples) % BLOCK)))
        self.reset()
        return result


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """Speech without a longer pause, seconds from the beginning."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


def speech_spans(
    probabilities: FloatArray, *, pause_s: float = 0.25, shortest_s: float = 0.1
) -> tuple[SpeechSpan, ...]:
    """Bridges pauses under `pause_s`, then drops spans under `shortest_s`."""
    speaking, marks = False, []
    for probability in probabilities:
        speaking = probability >= (_LEAVE if speaking else _ENTER)
        marks.append(speaking)
    edges = np.flatnonzero(np.diff(np.array([False, *marks, False]).astype(np.int8)))
    spans: list[SpeechSpan] = []
    for start, end in zip(edges[::2] * BLOCK_S, edges[1::2] * BLOCK_S, strict=True):
        if spans and start - spans[-1].end_s < pause_s:
            start = spans.pop().start_s
        spans.append(SpeechSpan(float(start), float(end)))
    return tuple(span for span in spans if span.length_s >= shortest_s)


class Utterance:
    """The end of an utterance in a stream of blocks.

    A silence of `silence_s` ends it; twice as long before `whole_s` seconds of speech, where it may part two sentences.
    """

    def __init__(self, *, silence_s: float, whole_s: float = 0.0) -> None:
        self._silence_s, self._whole_s = silence_s, whole_s
        self.speech_s = 0.0
        self.quiet_s = 0.0
        """Since the last speech, or since the beginning."""

    def push(self, probabilities: FloatArray) -> None:
        for probability in probabilities:
            if probability >= _ENTER:
                self.speech_s += BLOCK_S
                self.quiet_s = 0.0
            else:
                self.quiet_s += BLOCK_S

    @property
    def finished(self) -> bool:
        enough_s = self._silence_s * (2 if self.speech_s < self._whole_s else 1)
        return self.speech_s >= 0.3 and self.quiet_s >= enough_s
