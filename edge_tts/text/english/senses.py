"""Homographs whose readings differ by sense or tense, not only by being a verb: read, live, lead, tear."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_DETERMINERS = frozenset("the a an this that these those my your his her its our their no any some every each".split())
_PLURALS = frozenset("people children men women i you we they who guests neighbors".split())
_BE = frozenset("is are was were be been being isn't aren't wasn't weren't".split())
_HAVE = _BE | frozenset("have has had having haven't hasn't hadn't i've you've we've they've he's she's it's".split())
_BETWEEN = frozenset(
    "i you we they he she it not never already just ever also now yet always only recently still".split()
)
"""What may stand between `have` and its participle."""
_BARE = frozenset(
    "to please let's can could will would shall should may might must do does did don't doesn't didn't can't couldn't "
    "won't wouldn't i'll you'll we'll they'll he'll she'll me him us them and then always often usually "
    "sometimes never".split()
)
"""An infinitive or a present follows."""
_PAST = frozenset("yesterday ago last already once earlier".split())

_FINE = frozenset("good great nice quick long short easy must interesting".split())
"""A thing to read has the reading of the present."""

_HOMES = frozenset(
    "in at on near with here there upstairs downstairs next together alone above below under across outside inside "
    "abroad by far nearby close".split()
)
_GO_LIVE = frozenset("is as was does goes has always streams broadcasts".split())
_SAVED = frozenset(
    "save saves saved saving many more most all lost human daily real of in for changes changed change ruin two three "
    "four five six seven eight nine ten".split()
)
_METAL = frozenset(
    "pipe pipes piping paint paints level levels poisoning battery batteries acid content solder weight weights glass "
    "free exposure plumbing sheet sheets roof".split()
)
_METAL_NEAR = _METAL | frozenset("water toxic metal mercury copper zinc soil dust tap arsenic".split())
_METAL_BEFORE = frozenset("of contain contains containing contained no high heavy pencil".split())
_LEADED = frozenset("water soil paint blood dust toys".split())
_SHOWN = frozenset("it this that game match show concert news".split())
"""What is watched live, and does not dwell."""
_WINDING = frozenset("up down around through along back the a it its his her my our their".split())
_SMALL = frozenset(
    "amount amounts crack cracks detail details quantity quantities trace traces particle particles fraction "
    "difference differences change changes leak leaks".split()
)
_SEEM = frozenset("looks look feels feel seems seem sounds very quite so perfectly not".split())
_AT_END = frozenset(". , ! ? to with and".split())
_COLLECTED = frozenset(
    "collection truck trucks bin bins pickup day disposal bag bags sacks chute service lorry".split()
)
_QUARRELLED = frozenset("about over with broke".split())
_FISHING = frozenset(
    "fish fishing fished caught catch sea lake river pond grilled fried baked fillet fillets trout salmon cod".split()
)
_SPOKEN = frozenset("speak speaks spoke speaking learn learns learning understand in is am are translate into".split())
_OF_A_NATION = frozenset(
    "people man woman men women friend friends food border language president government worker workers speaker "
    "company shop family army football team course lessons sausage".split()
)
_SHIP = frozenset("ship boat stern deck hull".split())
_THEM = frozenset("it them him her me us this that".split())
_WEPT = frozenset(
    "face cheek cheeks eye eyes cry cries cried crying shed wept weeping wipe wiped sad joy gas duct ducts drop drops "
    "emotional".split()
)
_TORN = frozenset("fabric curtain curtains jacket shirt bag screen filter paper cloth cover hose tent sofa".split())


def sense(words: Sequence[str], at: int) -> bool | None:
    """Whether `words[at]` has its first reading of `homographs`; None where its part of speech decides."""
    before = words[at - 1] if at else ""
    after = words[at + 1] if at + 1 < len(words) else ""
    near = words[max(0, at - 8) : at + 9]
    word = words[at]
    if word == "read":
        return before in _FINE or not _is_past(words, at, before, near)
    if word == "lives":
        return before not in _DETERMINERS | _SAVED and before[:1].isalpha()
    if word == "live":
        return _is_to_dwell(before, after, joined=at > 1 and words[at - 2] == "and")
    if word == "lead":
        return not _is_metal(before, after, near)
    if word in {"tear", "tears"}:
        return _is_to_rip(word, before, after, near)
    return _of_few(word, before, after, near)


def _of_few(word: str, before: str, after: str, near: Sequence[str]) -> bool | None:
    """Words of which the neighbours show the rarer sense."""
    if word == "wound":
        return before in _DETERMINERS or after not in _WINDING
    if word == "minute":
        return before in {"a", "an", "the", "very"} | _BE and after in _SMALL
    if word in {"separate", "perfect"}:
        return False if (after in _AT_END - {"to"} or not after) and before not in _BARE | _PLURALS else None
    if word == "row":
        return before in _DETERMINERS | {"huge", "terrible", "big"} and after in _QUARRELLED
    if word == "bass":
        return bool(_FISHING & set(near))
    if word == "polish":
        return before in _SPOKEN or after in _OF_A_NATION
    if word == "content":
        pleased = before in _BE | _SEEM and (after in _AT_END or not after)
        return not (pleased or (after == "with" and before not in _DETERMINERS))
    if word == "refuse":
        return False if after in _COLLECTED else None
    if word == "bow":
        return True if _SHIP & set(near) or (before == "a" and {"take", "took", "takes"} & set(near)) else None
    if word == "object":
        return True if before.endswith(("one", "body")) and (after in _AT_END or not after) else None
    if word == "close":
        return False if after == "to" and before in _THEM else None
    return None


def _is_past(words: Sequence[str], at: int, before: str, near: Sequence[str]) -> bool:
    """A participle, a past by its adverb, or the past that a subject in the singular shows (no `s` behind `read`)."""
    back = at - 1
    while back >= max(0, at - 3) and words[back] in _BETWEEN:
        back -= 1
    if back >= 0 and words[back] in _HAVE and (back == at - 1 or before != "to"):
        return True
    if before in _BARE | _DETERMINERS or (back >= 0 and words[back] in _BARE - {"and", "me", "him", "us", "them"}):
        return False
    this_morning = ("this", "morning") in pairwise(near)
    if this_morning or _PAST & set(near) or before in {"he", "she", "it", "as", "marked"}:
        return True
    return before[:1].isalpha() and before not in _PLURALS and not before.endswith(("s", "ly"))


def _is_to_dwell(before: str, after: str, *, joined: bool) -> bool | None:
    """`joined`: `and` stands in front of the word before, as in `Anna and Tom live here`."""
    if before in _GO_LIVE | _BE | _SHOWN:
        return False
    if before == "long" and after in _DETERMINERS:
        return True
    plural = joined or before in _PLURALS or (before.endswith("s") and before not in _DETERMINERS)
    return True if plural and after in _HOMES else None


def _is_metal(before: str, after: str, near: Sequence[str]) -> bool:
    if after in _METAL or before in _METAL_BEFORE or (after == "in" and _LEADED & set(near)):
        return True
    return bool(
        before not in _DETERMINERS
        and before in {"for", "from", "and", "or", "in", "have", "has", "find", "found", "with"}
        and _METAL_NEAR & set(near)
    )


def _is_to_rip(word: str, before: str, after: str, near: Sequence[str]) -> bool | None:
    """Ripping is the first reading, weeping the other."""
    if _WEPT & set(near):
        return False
    if word == "tear":
        return not (before == "a" and after in {"ran", "rolled", "fell"})
    return True if _TORN & set(near) else None
