"""Estimates the words between two pauses without speech recognition, by clauses and syllables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from edge_tts.recordings.vad import SpeechSpan

_CLAUSE = re.compile(r"[^,.;:!?，。；：！？、…]+[,.;:!?，。；：！？、…]*\s*")
_WORD = re.compile(r"[a-z]+|[^\W_]")
"""In lower case: a word, else a digit or a character."""
_VOWELS = re.compile(r"[aeiouy]+")
_SILENT_E = re.compile(r"[^aeiouyl]e$")
_TOLERANCE = 0.06
"""Share of all speech by which a clause's end may be off; four test voices stay within 0.03."""
_SLOW_HZ = 4.0
"""Syllables per second of speech; fluent readers say 4 to 6."""


def clause_marks(text: str, spans: Sequence[SpeechSpan]) -> Mapping[int, int]:
    """Pauses at which a clause of `text` ends -> offset in the text.

    A pause has the index of the span after it, 0 and len(spans) included. Of the pauses near a clause's estimated end
    the longest is taken; a clause may have none.
    """
    ends = [match.end() for match in _CLAUSE.finditer(text)][:-1]
    spoken_s = list(accumulate(span.length_s for span in spans))
    longest: dict[int, tuple[float, int]] = {}
    for pause, (before, after) in enumerate(pairwise(spans), start=1):
        share = spoken_s[pause - 1] / spoken_s[-1]
        misfit, end = min(((abs(_share(text, end) - share), end) for end in ends), default=(1.0, 0))
        if misfit <= _TOLERANCE:
            longest[end] = max(longest.get(end, (0.0, 0)), (after.start_s - before.end_s, pause))
    return {0: 0, **{pause: end for end, (_, pause) in longest.items()}, len(spans): len(text)}


def syllables(text: str) -> int:
    """Estimate: vowels in a row are one, so is a digit or a Chinese character."""
    return sum(_in_word(word) for word in _WORD.findall(text.casefold()))


def slow_reading_s(text: str) -> float:
    """Seconds of speech, pauses excluded, that a slow reader needs."""
    return syllables(text) / _SLOW_HZ


def _share(text: str, end: int) -> float:
    return syllables(text[:end]) / max(1, syllables(text))


def _in_word(word: str) -> int:
    return max(1, len(_VOWELS.findall(word)) - len(_SILENT_E.findall(word)))
