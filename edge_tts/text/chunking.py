"""Cuts long text into pieces for speech: a short first one so that sound starts early, longer ones after it.

Sentences stay whole where they fit; a longer one is cut at clause marks, then at blanks, then anywhere. Sizes are
counted in ideographs, a syllable each; a Latin letter is about a third of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from edge_tts.text.scripts import HAN, HANGUL, KANA

SIZES = (16.0, 28.0, 40.0)
"""Target size of the first, the second and all later pieces."""
FEWEST = 4.0
"""Smaller pieces join their neighbour: models speak them badly."""
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
_CLAUSE = re.compile(r".*?(?:[，,、：:；;—](?!//)|[~～](?![$£€¥]))(?=\D|$)[”’」』）)\"']*\s*|.+", re.DOTALL)
_WORD = re.compile(rf"[{HAN}{KANA}{HANGUL}]|[^\s{HAN}{KANA}{HANGUL}]+\s*|\s+")


def size(text: str) -> float:
    """Spoken length in ideographs, roughly."""
    wide = len(_WIDE.findall(text))
    return wide + _LETTER * (len(text) - wide)


def chunks(text: str, *, join: bool = True) -> list[str]:
    """The pieces of `text`, in order; joined they are `text` without its line breaks.

    `join`: sentences share a piece while they fit, and short ones join their neighbour; else no sentence shares one.
    """
    pieces: list[str] = []
    for line in text.split("\n"):
        for sentence in _SENTENCE.findall(line.strip()):
            if join:
                _add_sentence(pieces, sentence)
            else:
                pieces += _sentence_pieces(sentence, len(pieces))
        if join and pieces and line.strip():
            pieces.append("")  # a line break ends a piece
    return _without_short_pieces([piece for piece in pieces if piece.strip()]) if join else pieces


def whole_sentences(text: str) -> tuple[str, str]:
    """Of a text that is still being written: the sentences that have ended whatever follows, and the rest."""
    lines, line_break, last = text.rpartition("\n")
    *ended, unended = _SENTENCE.findall(f"{last}X")
    return lines + line_break + "".join(ended), unended[:-1]


def _sentence_pieces(sentence: str, before: int) -> list[str]:
    """`before`: how many pieces precede it, which decides the target size."""
    pieces = [""]
    _add_sentence(pieces, sentence, before=before)
    return _without_short_pieces([piece for piece in pieces if piece.strip()])


def _target_size(index: int) -> float:
    return SIZES[min(max(index, 0), len(SIZES) - 1)]


def _add_sentence(pieces: list[str], sentence: str, *, before: int = 0) -> None:
    """Joins the sentence to the last piece if both fit; else appends it, cut where needed."""
    if not pieces:
        pieces.append("")
    last = before + len(pieces) - 1
    if not pieces[-1] or size(pieces[-1]) + size(sentence) <= _target_size(last):
        if size(sentence) <= _target_size(last) * 1.5:
            pieces[-1] += sentence
            return
    elif size(sentence) <= _target_size(last + 1) * 1.5:
        pieces.append(sentence)
        return
    if pieces[-1]:
        pieces.append("")
    for part in _parts(sentence):
        if pieces[-1] and size(pieces[-1]) + size(part) > _target_size(before + len(pieces) - 1):
            pieces.append("")
        pieces[-1] += part


def _parts(sentence: str) -> Iterator[str]:
    for clause in _CLAUSE.findall(sentence):
        if size(clause) <= SIZES[-1]:
            yield clause
        else:
            for word in _WORD.findall(clause):
                yield from (word[i : i + 100] for i in range(0, len(word), 100))


def _without_short_pieces(pieces: list[str]) -> list[str]:
    """Joins short pieces to the next one, the last to the one before."""
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
    """With a blank between words that a line break separated."""
    return f"{a} {b}" if a[-1].isascii() and not a[-1].isspace() else a + b
