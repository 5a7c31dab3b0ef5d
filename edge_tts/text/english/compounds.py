"""Splits run-together English words by word frequencies.

Peter Norvig's method ("Beautiful Data", chapter 14): the most probable word sequence under a bigram model that falls
back to unigrams; an unseen word costs a factor of ten per letter. Counts: the web corpus of 10^12 words of the
wordsegment package.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from math import log10

from edge_tts.text.sorted_table import SortedTable

LONGEST_WORD = 24
LONGEST_INPUT = 40
"""Longer strings are left alone: the search grows with the cube of the length."""
_SHORTEST_HALF = 3
_COMMON = 5.8
"""log10 of the count from which a word may be half of another: rarer ones are names and slips."""
_TOTAL = log10(1024908267229)


@cache
def _table(name: str) -> SortedTable:
    return SortedTable.load(name)


def _count(table: str, key: str) -> float | None:
    value = _table(table).get(key)
    return None if value is None else float(value)


@lru_cache(maxsize=4096)
def _alone(word: str) -> float:
    """log10 P(word)."""
    count = _count("en_unigrams.gz", word)
    return (1 - len(word) if count is None else count) - _TOTAL


@lru_cache(maxsize=4096)
def _is_known(word: str) -> bool:
    return _count("en_unigrams.gz", word) is not None


def _after(word: str, previous: str) -> float:
    """log10 P(word | previous)."""
    known = _is_known(previous) and _is_known(word)  # a pair was only counted if its words were
    pair = _count("en_bigrams.gz", f"{previous} {word}") if known else None
    return _alone(word) if pair is None else pair - _TOTAL - _alone(previous)


def split_compound(word: str) -> list[str]:
    """The most probable words in `word` (a to z); `[word]` when it is one or too long."""
    if len(word) > LONGEST_INPUT:
        return [word]
    # best[end][start]: the best reading of word[:end] that ends in word[start:end]: (score, start of the word before)
    best: list[dict[int, tuple[float, int]]] = [{} for _ in range(len(word) + 1)]
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - LONGEST_WORD), end):
            piece = word[start:end]
            if start == 0:
                best[end][0] = (_alone(piece), 0)
            else:
                best[end][start] = max(
                    (score + _after(piece, word[p:start]), p) for p, (score, _) in best[start].items()
                )
    return _trace(word, best)


def halves(word: str, known: Callable[[str], bool]) -> list[str]:
    """The two common words that make up `word`, of the most even lengths, then the likeliest; else `[word]`."""
    candidates = [
        (min(i, len(word) - i), _alone(word[:i]) + _alone(word[i:]), i)
        for i in range(_SHORTEST_HALF, len(word) - _SHORTEST_HALF + 1)
        if known(word[:i]) and known(word[i:]) and min(_alone(word[:i]), _alone(word[i:])) > _COMMON - _TOTAL
    ]
    if not candidates:
        return [word]
    border = max(candidates)[2]
    return [word[:border], word[border:]]


def _trace(word: str, best: list[dict[int, tuple[float, int]]]) -> list[str]:
    end, pieces = len(word), []
    start = max(best[end], key=lambda s: best[end][s][0])
    while end > 0:
        pieces.append(word[start:end])
        start, end = best[end][start][1], start
    return pieces[::-1]
