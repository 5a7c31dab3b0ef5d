"""Which reading an English homograph has: a few rules on its neighbours decide verb or not.

The pairs of readings are g2p_en's (Apache-2.0) and, below, some for everyday sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from edge_tts.text.english.senses import sense

_MORE = """
wind|w ay1 n d|w ih1 n d|v
winds|w ay1 n d z|w ih1 n d z|v
live|l ih1 v|l ay1 v|v
lives|l ih1 v z|l ay1 v z|v
lead|l iy1 d|l eh1 d|v
object|ah0 b jh eh1 k t|aa1 b jh eh0 k t|v
tear|t eh1 r|t ih1 r|v
tears|t eh1 r z|t ih1 r z|v
bow|b aw1|b ow1|v
sow|s ow1|s aw1|v
wound|w uw1 n d|w aw1 n d|n
refuse|r ih0 f y uw1 z|r eh1 f y uw0 s|v
row|r aw1|r ow1|v
bass|b ae1 s|b ey1 s|n
polish|p ow1 l ih0 sh|p aa1 l ih0 sh|adj
rebel|r ih0 b eh1 l|r eh1 b ah0 l|v
rebels|r ih0 b eh1 l z|r eh1 b ah0 l z|v
invalid|ih0 n v ae1 l ah0 d|ih1 n v ah0 l ah0 d|adj
minute|m ay0 n uw1 t|m ih1 n ah0 t|adj
alternate|ao1 l t er0 n ey2 t|ao1 l t er0 n ah0 t|v
"""

_BEFORE_VERB = frozenset(
    "to please let's lets not never always often usually sometimes can could will would shall should may might must do "
    "does did don't doesn't didn't can't couldn't won't wouldn't shouldn't mustn't i you we they he she it who i'll "
    "you'll we'll they'll he'll she'll it'll i'd you'd we'd they'd he'd she'd cannot and then help also just "
    "people".split()
)
_BEFORE_NOUN = frozenset(
    "the a an this that these those my your his her its our their whose some any no every each another of in on at by "
    "for with from into about is are was were be been am very more most less so too as quite new old next last first "
    "second good bad big small high low strong great own same other single whole full such what which per one two "
    "three four five six seven eight nine ten i'm you're it's he's she's we're they're".split()
)
_OBJECT = frozenset(
    "the a an this that these those my your his her its our their me you him us them it all every each some any both "
    "one two three four five six seven eight nine ten twenty".split()
)
_BEFORE_ADJECTIVE = frozenset("is are was were be very so too quite am".split())
_AFTER_NOUN = frozenset(["", *". , of is was ? !".split()])
_AFTER_VERB = frozenset("at to in when before after on with up down from".split())
_AFTER_COMMAND = frozenset("now again later soon up down".split())
_MOSTLY_VERB = frozenset("refuse invite invites produce resume upset upsets combine converse".split())
"""Verbs, or said like them, unless an article or the like precedes."""
_ARTICLES = frozenset("the a an this that my your his her our their its some fresh local".split())
_HAVE = frozenset("have has had i've you've we've they've he's she's was were been be being is are having".split())


@cache
def _readings() -> dict[str, tuple[list[str], list[str], str]]:
    """Word -> (reading when it has the part of speech, other reading, part of speech)."""
    lines = (files("edge_tts.text") / "data" / "en_homographs.txt").read_text(encoding="utf-8").split("\n")
    table = {}
    for line in [*lines, *_MORE.split("\n")]:
        if line and not line.startswith("#"):
            word, first, second, tag = line.split("|")
            table[word] = (first.upper().split(), second.upper().split(), tag)
    return table


def reading(words: Sequence[str], at: int) -> list[str] | None:
    """Phonemes of `words[at]` in its sentence (lower case, marks are items); None when it is no homograph."""
    entry = _readings().get(words[at])
    if entry is None:
        return None
    first, second, tag = entry
    return first if _has_tag(words, at, tag) else second


def _has_tag(words: Sequence[str], at: int, tag: str) -> bool:
    if (by_sense := sense(words, at)) is not None:
        return by_sense
    before = words[at - 1] if at else ""
    after = words[at + 1] if at + 1 < len(words) else ""
    if words[at] == "used":
        return after != "to" or before in _HAVE
    if tag == "n":
        return before in _BEFORE_NOUN - _BEFORE_ADJECTIVE
    if tag == "adj":
        return before not in {"a", "an", "the", "this", "that"} or after not in _AFTER_NOUN
    return _is_verb(words[at], before, after)


def _is_verb(word: str, before: str, after: str) -> bool:
    starts = not before or not before[0].isalpha()
    if word == "live":
        return before in _BEFORE_VERB
    if word == "close" and after in {"early", "late", "automatically", "itself"}:
        return True
    if word in _MOSTLY_VERB:
        return before not in _ARTICLES
    if before == "to" or before in _BEFORE_VERB:
        return not (before in {"and", "also", "just", "to"} and after in {"is", "was", "are", "were"})
    if before in _BEFORE_NOUN:
        return False
    if starts:
        return after in _OBJECT or after in _AFTER_COMMAND
    if word.endswith("s") and not word.endswith("ss"):
        return after in _OBJECT or after in _AFTER_VERB
    return after in _OBJECT or (before.endswith("s") and not before.endswith(("ss", "'s")))
