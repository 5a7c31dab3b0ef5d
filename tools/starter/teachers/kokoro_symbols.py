"""Phonemes of our front end as symbols of Kokoro: one IPA-like character a token. Pure functions, no wheel.

English after the symbols of its American voices, Mandarin after those of its Mandarin ones: the tone is an arrow behind
the nucleus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

ARPABET = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ", "D": "d", "DH": "ð",
    "EH": "ɛ", "ER": "ɜɹ", "EY": "A", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t",
    "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
REDUCED = {"AH0": "ə", "ER0": "əɹ"}
STRESS = {"1": "ˈ", "2": "ˌ"}
INITIALS = {
    "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l", "g": "k", "k": "kʰ", "h": "x",
    "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
    "w": "w", "y": "j", "AA": "", "EE": "", "OO": "",
}  # fmt: skip
FINALS = {
    "a": "aT", "o": "woT", "e": "ɤT", "ai": "aɪT", "ei": "eɪT", "ao": "aʊT", "ou": "oʊT", "an": "aTn", "en": "əTn",
    "ang": "aTŋ", "eng": "əTŋ", "er": "ɚT", "ong": "ʊTŋ", "i": "iT", "ia": "jaT", "ie": "jeT", "iao": "jaʊT",
    "iu": "joʊT", "ian": "jɛTn", "in": "iTn", "iang": "jaTŋ", "ing": "iTŋ", "iong": "jʊTŋ", "u": "uT", "ua": "waT",
    "uo": "woT", "uai": "waɪT", "ui": "weɪT", "uan": "waTn", "un": "wəTn", "uang": "waTŋ", "v": "yT", "ve": "ɥeT",
    "van": "ɥɛTn", "vn": "yTn", "ir": "ɨT", "i0": "ɨT", "E": "eT", "En": "ɛTn",
}  # fmt: skip
"""`T` is where the tone goes."""
BARE = {"yi", "yin", "ying", "yv", "yve", "yvan", "yvn", "wu"}
"""Syllables whose glide is part of the vowel."""
OWN = {"wo": "oT", "OOo": "ɔT"}
TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
MARKS = {"-": "—"}
"""Marks that Kokoro writes otherwise."""
PAUSES = frozenset("!?…,.-")
WEAK = frozenset(
    "a an the of to for and or nor but in on at by as if than from with into is are was were be been am 's has have "
    "had do does did can could will would shall should may might must it its he she they we you i'm i've i'll you're "
    "we're they're it's he's she's me him her us them my your his our their that this there so some not".split()
)
"""Words that carry no stress in a sentence."""
VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())


@dataclass(frozen=True)
class Word:
    """One word of either language, or one mark, and its phonemes in our front end's symbols."""

    text: str
    phonemes: tuple[str, ...]
    language: str


@dataclass(frozen=True)
class Spelling:
    """Symbols for Kokoro, and for each one the index of the phoneme that it belongs to."""

    symbols: str
    owners: tuple[int, ...]


def spell(words: Sequence[Word]) -> Spelling:
    """The symbols of a sentence: words apart, marks at the word before. A space belongs to the phoneme before it.

    Raises ValueError for a phoneme that Kokoro has no symbol for."""
    symbols, owners = "", list[int]()
    count = 0
    for place, word in enumerate(words):
        if place and not is_mark(word):
            symbols += " "
            owners.append(max(0, count - 1))
        for part in _parts(word):
            symbols += part
            owners += [count] * len(part)
            count += 1
    return Spelling(symbols, tuple(owners))


def is_mark(word: Word) -> bool:
    """Whether it is a mark and no word."""
    return PAUSES.issuperset(word.phonemes)


def _parts(word: Word) -> list[str]:
    """The symbols of each phoneme of a word."""
    if is_mark(word):
        return [MARKS.get(mark, mark) for mark in word.phonemes]
    if all(p.rstrip("012") in ARPABET or p in PAUSES for p in word.phonemes):
        return _english(word.phonemes, stressed=word.text.lower() not in WEAK)
    return _mandarin(word.phonemes)


def _english(phonemes: Sequence[str], *, stressed: bool) -> list[str]:
    parts = []
    for at, phoneme in enumerate(phonemes):
        before, after = (phonemes[i] if 0 <= i < len(phonemes) else "" for i in (at - 1, at + 1))
        if phoneme in PAUSES:
            parts.append(MARKS.get(phoneme, phoneme))
        elif phoneme == "AH0" and after in ("L", "N") and before and not _is_vowel(before) and at > 1:
            parts.append("ᵊ")
        elif phoneme == "T" and (_is_vowel(before) or before == "R") and _is_vowel(after) and after[-1] == "0":
            parts.append("T")
        else:
            mark = STRESS.get(phoneme[-1], "") if stressed else ""
            parts.append(mark + REDUCED.get(phoneme, ARPABET[phoneme.rstrip("012")]))
    return parts


def _is_vowel(phoneme: str) -> bool:
    return phoneme.rstrip("012") in VOWELS


def _mandarin(phonemes: Sequence[str]) -> list[str]:
    if len(phonemes) % 2:
        raise ValueError(f"{' '.join(phonemes)}: initials and finals in turn are expected")
    parts = []
    for initial, final in zip(phonemes[::2], phonemes[1::2], strict=True):
        toneless, tone = final[:-1], final[-1]
        if initial not in INITIALS or toneless not in FINALS or tone not in TONES:
            raise ValueError(f"{initial} {final}: no Mandarin syllable that Kokoro knows")
        whole = initial + toneless
        pattern = OWN.get(whole) or (FINALS[toneless].replace("w", "") if initial in "bpmf" and toneless == "o" else "")
        parts += ["" if whole in BARE else INITIALS[initial], (pattern or FINALS[toneless]).replace("T", TONES[tone])]
    return parts


def ends(durations: Iterable[int], spelling: Spelling, count: int, unit_s: float) -> list[float]:
    """When each of `count` phonemes ends, in seconds; `durations` in units, one a symbol with one before and one after.

    A phoneme without a symbol ends when the one before it does."""
    first, *rest = durations
    found, clock = [0.0] * count, first * unit_s
    for owner, units in zip(spelling.owners, rest[:-1], strict=True):
        clock += units * unit_s
        found[owner] = clock
    return list(accumulate(found, max))
