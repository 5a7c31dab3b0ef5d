"""Unknown English words derived from known ones: endings, prefixes, contractions, British spelling."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

Lookup = Callable[[str], Sequence[str] | None]
"""Word -> phonemes; None for an unknown one."""

_VOICELESS = frozenset({"P", "T", "K", "F", "TH", "HH"})
_SIBILANT = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
_STOPS = frozenset({"T", "D"})
_CONTRACTIONS = {"'ll": ("AH0", "L"), "'ve": ("AH0", "V"), "'re": ("ER0",), "'d": ("D",), "n't": ("AH0", "N", "T")}
_ENDINGS = {"ing": ("IH0", "NG"), "er": ("ER0",), "ers": ("ER0", "Z"), "ly": ("L", "IY0"), "ness": ("N", "AH0", "S")}
_PREFIXES = {
    "un": ("AH0", "N"),
    "re": ("R", "IY0"),
    "pre": ("P", "R", "IY0"),
    "non": ("N", "AA0", "N"),
    "mis": ("M", "IH0", "S"),
}
_SHORTEST_STEM = 3
_BRITISH = (
    (r"isation", "ization"),
    (r"is(e[drs]?|ing|ers)$", r"iz\1"),
    (r"ys(e[drs]?|ing)$", r"yz\1"),
    (r"our", "or"),
    (r"tre(s?)$", r"ter\1"),
    (r"enc(es?)$", r"ens\1"),
    (r"ogue", "og"),
    (r"ll(ed|ing|ers?|or)", r"l\1"),
    (r"mme(s?)$", r"m\1"),
    (r"ae|oe", "e"),
)


def plural(stem: Sequence[str]) -> tuple[str, ...]:
    """`stem` with the ending of a plural or possessive."""
    last = stem[-1] if stem else ""
    return (*stem, "S") if last in _VOICELESS else (*stem, "AH0", "Z") if last in _SIBILANT else (*stem, "Z")


def _past(stem: Sequence[str]) -> tuple[str, ...]:
    last = stem[-1] if stem else ""
    if last in _STOPS:
        return (*stem, "IH0", "D")
    return (*stem, "T") if last in _VOICELESS | _SIBILANT - {"Z", "ZH", "JH"} else (*stem, "D")


def _stems(word: str, ending: str) -> Iterator[str]:
    """Possible stems: as is, with a mute e, with one consonant for two, with y for i."""
    stem = word[: len(word) - len(ending)]
    if len(stem) >= _SHORTEST_STEM:
        yield stem
        yield f"{stem}e"
        if stem[-1] == stem[-2]:
            yield stem[:-1]
        if stem[-1] == "i":
            yield f"{stem[:-1]}y"


def explain(word: str, lookup: Lookup) -> tuple[str, ...] | None:
    """The phonemes of `word` (lower case) from a word that `lookup` knows; None when no rule applies."""
    for rule in (_contracted, _inflected, _prefixed):
        if (phonemes := rule(word, lookup)) is not None:
            return phonemes
    for written, american in _BRITISH:
        other = re.sub(written, american, word)
        if other != word and (known := lookup(other) or _inflected(other, lookup)):
            return tuple(known)
    return None


def _contracted(word: str, lookup: Lookup) -> tuple[str, ...] | None:
    for ending, sounds in _CONTRACTIONS.items():
        if word.endswith(ending) and (stem := lookup(word[: -len(ending)])):
            return (*stem, "AH0", *sounds) if ending == "'d" and stem[-1] in _STOPS else (*stem, *sounds)
    return None


def _inflected(word: str, lookup: Lookup) -> tuple[str, ...] | None:
    if word.endswith("s") and (stem := lookup(word[:-1])):
        return plural(stem)
    if word.endswith("es") and (stem := lookup(word[:-2])) and stem[-1] in _SIBILANT:
        return plural(stem)
    if word.endswith("ies") and len(word) > len("ies") + 2 and (stem := lookup(f"{word[:-3]}y")):
        return plural(stem)
    if word.endswith("ed"):
        for spelled in _stems(word, "ed"):
            if stem := lookup(spelled):
                return _past(stem)
    for ending, sounds in _ENDINGS.items():
        if word.endswith(ending):
            for spelled in _stems(word, ending):
                if stem := lookup(spelled):
                    return (*stem, *sounds)
    return None


def _prefixed(word: str, lookup: Lookup) -> tuple[str, ...] | None:
    for prefix, sounds in _PREFIXES.items():
        rest = word.removeprefix(prefix).removeprefix("-")
        if rest != word and word.startswith(prefix) and len(rest) > _SHORTEST_STEM:
            stem = lookup(rest) or _inflected(rest, lookup)
            if stem:
                return (*sounds, *stem)
    return None
