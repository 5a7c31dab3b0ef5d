"""Long text to pieces for speech: a short first one so that sound starts early, longer ones after it. Knows no sounds.

Sentences are kept whole where they fit; a longer one is cut at clause marks, then at blanks, then anywhere. Sizes are
counted in ideographs: a syllable each, and about a third of one per Latin letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from edge_tts.text.scripts import HAN, HANGUL, KANA

SIZES = (16.0, 28.0, 40.0)
"""Wanted size of the first, the second and all later pieces."""
FEWEST = 4.0
"""What is smaller joins its neighbour: very short pieces are spoken badly."""
_LETTER = 0.35
_WIDE = re.compile(f"[{HAN}{KANA}{HANGUL}0-9]")
_NO_END = "".join(
    rf"(?<!\b{word})" for word in "Mr Mrs Ms Dr St No vs Prof Jr Sr etc Apt Ave Mt ext incl approx".split()
)
_SENTENCE = re.compile(
    rf".*?(?:[。！？!?…]+(?![A-Za-z0-9_]{{1,40}}=)|(?<![.\s][A-Za-z]){_NO_END}\.+(?=\s|$|[{HAN}])|[；;](?=\D))[”’」』）)\"']*\s*|.+",
    re.DOTALL,
)
"""A sentence with its closing quotes; no abbreviation (U.S., p.m., Dr.), number or query (?id=7) ends it."""
_CLAUSE = re.compile(r".*?[，,、：:；;—~～](?=\D|$)[”’」』）)\"']*\s*|.+", re.DOTALL)
_WORD = re.compile(rf"[{HAN}{KANA}{HANGUL}]|[^\s{HAN}{KANA}{HANGUL}]+\s*|\s+")


def size(text: str) -> float:
    """Spoken length in ideographs, roughly."""
    wide = len(_WIDE.findall(text))
    return wide + _LETTER * (len(text) - wide)


def breaths(text: str) -> list[str]:
    """The pieces of `text`, in order; joined they are `text` without its line breaks."""
    pieces: list[str] = []
    for line in text.split("\n"):
        for sentence in _SENTENCE.findall(line.strip()):
            _add_sentence(pieces, sentence)
        if pieces and line.strip():
            pieces.append("")  # a line break is a border
    return _without_crumbs([p for p in pieces if p.strip()])


def _wanted(pieces: list[str]) -> float:
    return SIZES[min(max(len(pieces) - 1, 0), len(SIZES) - 1)]


def _add_sentence(pieces: list[str], sentence: str) -> None:
    """Joins the sentence to the last piece if both fit; else puts it, cut as far as needed, behind."""
    if not pieces:
        pieces.append("")
    if not pieces[-1] or size(pieces[-1]) + size(sentence) <= _wanted(pieces):
        if size(sentence) <= _wanted(pieces) * 1.5:
            pieces[-1] += sentence
            return
    elif size(sentence) <= _wanted([*pieces, ""]) * 1.5:
        pieces.append(sentence)
        return
    if pieces[-1]:
        pieces.append("")
    for part in _parts(sentence):
        if pieces[-1] and size(pieces[-1]) + size(part) > _wanted(pieces):
            pieces.append("")
        pieces[-1] += part


def _parts(sentence: str) -> Iterator[str]:
    """Clauses, and words of the clauses that are too long by themselves."""
    for clause in _CLAUSE.findall(sentence):
        if size(clause) <= SIZES[-1]:
            yield clause
        else:
            for word in _WORD.findall(clause):
                yield from (word[i : i + 100] for i in range(0, len(word), 100))


def _without_crumbs(pieces: list[str]) -> list[str]:
    """Joins pieces that are too small to the next one, the last to the one before."""
    kept: list[str] = []
    for piece in pieces:
        if kept and size(kept[-1]) < FEWEST:
            kept[-1] = _joined(kept[-1], piece)
        else:
            kept.append(piece)
    if len(kept) > 1 and size(kept[-1]) < FEWEST:
        last = kept.pop()
        kept[-1] = _joined(kept[-1], last)
    return kept


def _joined(a: str, b: str) -> str:
    """With a blank between words that had a line break between them."""
    return f"{a} {b}" if a[-1].isascii() and not a[-1].isspace() else a + b
