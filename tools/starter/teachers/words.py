"""The words of a sentence with the phonemes that our front end gives them: teachers want to know where words are."""

from __future__ import annotations

import re
from functools import cache

from edge_tts.text.english.homographs import reading
from edge_tts.text.english.words import letter, pronounce
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.mandarin.tables import MandarinTables
from edge_tts.text.mandarin.words import MandarinWords
from edge_tts.values import Run

from .kokoro_symbols import PAUSES, Word

ENGLISH = re.compile(r"[A-Za-z][A-Za-z'\-]+[A-Za-z]|[A-Za-z]+|[.,?!…'\-]")
CLAUSE = re.compile(r"[^!?…,.\-]+|[!?…,.\-]")


def words(front_end: TextFrontEnd, text: str, language: str) -> list[Word]:
    """All words and marks of `text`, which is one segment. Raises ValueError where they do not give its phonemes."""
    made: list[Word] = []
    for segment in front_end.segments(text, language, split="cut0"):
        for run in segment.runs:
            made += _english(run) if run.language == "en" else _mandarin(run)
    return made


def _english(run: Run) -> list[Word]:
    texts = ENGLISH.findall(run.normalized)
    lower = [text.lower() for text in texts]
    made = []
    for at, text in enumerate(texts):
        if not text[0].isalpha():
            said = ["-" if text == "'" else text]
        else:
            said = letter(text) if len(text) == 1 else list(reading(lower, at) or pronounce(text))
        made.append(Word(text, tuple(said), "en"))
    if run.phonemes[:1] == (",",) and (not made or made[0].phonemes != (",",)):
        made.insert(0, Word(",", (",",), "en"))
    return _checked(run, made)


@cache
def _cutter() -> MandarinWords:
    return MandarinWords(MandarinTables())


def _mandarin(run: Run) -> list[Word]:
    counts = iter(run.word2ph or ())
    phonemes = iter(run.phonemes)
    made = []
    for clause in CLAUSE.findall(run.normalized):
        for word in [clause] if clause in PAUSES else [word.text for word in _cutter().cut(clause)]:
            said = tuple(next(phonemes) for _ in word for _ in range(next(counts)))
            if said:
                made.append(Word(word, said, "zh"))
    return _checked(run, made)


def _checked(run: Run, made: list[Word]) -> list[Word]:
    if tuple(p for word in made for p in word.phonemes) != run.phonemes:
        raise ValueError(f"{run.text!r}: its words do not give its phonemes")
    return made
