"""Long text to pieces for speech: a short first one so that sound starts early, longer ones after it. Knows no sounds.

Sentences are kept whole where they fit; a longer one is cut at clause marks, then at blanks, then anywhere. Whether
short sentences share a piece is the model set's choice. Sizes are counted in ideographs: a syllable each, and about a
third of one per Latin letter.
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
_NEVER_LAST = "Mr Mrs Ms Dr St Prof Gen Capt Sgt Lt Col Gov Sen Rev Hon Mt Apt Fig Vol vs approx incl ext".split()
_SELDOM_LAST = "Jr Sr etc Ave Rd Blvd Hwy Inc Ltd Co Corp Dept hr hrs sec min oz lb lbs ft Jan Feb Aug Sept Oct Nov Dec"
_BY_LETTER = "Plan Option Room Gate Exit Block Hall Wing Zone Section Terminal Platform Track Line Row Group Team"
_INITIAL = "".join(
    [
        r"(?:(?<![.\s(][A-Za-z])(?<!^[A-Za-z])",  # U.S., p.m., J. Smith
        *(rf"|(?<=\b{word}\s[A-Z])" for word in _BY_LETTER.split()),
        ")",
    ]
)
_NO_END = "".join(
    [
        _INITIAL,
        *(rf"(?<!\b{word})" for word in _NEVER_LAST),
        *(rf"(?!(?<=\b{word})\.\s*[a-z0-9])" for word in _SELDOM_LAST.split()),
        r"(?!(?<=\b[Nn]o)\.\s*\d)",
    ]
)
_CLOSING = "[”’」』）)\"'*]*"
_SENTENCE = re.compile(
    rf".*?(?:[。！？!?…]+(?![A-Za-z0-9_]{{1,40}}=)|{_NO_END}\.+(?={_CLOSING}(?:\s|$|[{HAN}]))|[；;](?=\D)){_CLOSING}\s*|.+",
    re.DOTALL,
)
"""A sentence with its closing quotes; no abbreviation (U.S., p.m., Dr., No. 5), number or query (?id=7) ends it."""
_CLAUSE = re.compile(r".*?[，,、：:；;—~～](?=\D|$)[”’」』）)\"']*\s*|.+", re.DOTALL)
_WORD = re.compile(rf"[{HAN}{KANA}{HANGUL}]|[^\s{HAN}{KANA}{HANGUL}]+\s*|\s+")


def size(text: str) -> float:
    """Spoken length in ideographs, roughly."""
    wide = len(_WIDE.findall(text))
    return wide + _LETTER * (len(text) - wide)


def chunks(text: str, *, join: bool = True) -> list[str]:
    """The pieces of `text`, in order; joined they are `text` without its line breaks.

    `join`: sentences share a piece while they fit into it, and what is very small joins its neighbour. Else each
    sentence has pieces of its own, however short it is.
    """
    pieces: list[str] = []
    for line in text.split("\n"):
        for sentence in _SENTENCE.findall(line.strip()):
            if join:
                _add_sentence(pieces, sentence)
            else:
                pieces += _alone(sentence, len(pieces))
        if join and pieces and line.strip():
            pieces.append("")  # a line break is a border
    return _without_short_pieces([piece for piece in pieces if piece.strip()]) if join else pieces


def _alone(sentence: str, before: int) -> list[str]:
    """The pieces of a sentence that shares none, behind so many pieces."""
    pieces = [""]
    _add_sentence(pieces, sentence, before=before)
    return _without_short_pieces([piece for piece in pieces if piece.strip()])


def _wanted(index: int) -> float:
    return SIZES[min(max(index, 0), len(SIZES) - 1)]


def _add_sentence(pieces: list[str], sentence: str, *, before: int = 0) -> None:
    """Joins the sentence to the last piece if both fit; else puts it, cut as far as needed, behind. There are `before`
    pieces more in front of them."""
    if not pieces:
        pieces.append("")
    last = before + len(pieces) - 1
    if not pieces[-1] or size(pieces[-1]) + size(sentence) <= _wanted(last):
        if size(sentence) <= _wanted(last) * 1.5:
            pieces[-1] += sentence
            return
    elif size(sentence) <= _wanted(last + 1) * 1.5:
        pieces.append(sentence)
        return
    if pieces[-1]:
        pieces.append("")
    for part in _parts(sentence):
        if pieces[-1] and size(pieces[-1]) + size(part) > _wanted(before + len(pieces) - 1):
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


def _without_short_pieces(pieces: list[str]) -> list[str]:
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
