"""Which words are in a part of a recording, when no one listens: by how much of the speech lies before and in it."""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"[^,.;:!?，。；：！？、…]+[,.;:!?，。；：！？、…]*\s*")
_WORDLESS = re.compile(r"\W+")
_TOLERANCE = 0.06
"""Of all speech: pauses are where clauses end, and clauses take as long as they are written, within that."""


def excerpt(text: str, share: tuple[float, float]) -> str | None:
    """The clauses of `text` between two shares of its speech, such as (0.5, 1.0); None when no clause ends near enough.

    A window of a recording begins and ends at pauses; so do clauses. Letters measure how long a clause takes.
    """
    clauses = _CLAUSE.findall(text)
    lengths = [len(_WORDLESS.sub("", clause)) for clause in clauses]
    if not sum(lengths):
        return None
    ends = [0.0]
    for length in lengths:
        ends.append(ends[-1] + length / sum(lengths))
    first, last = (min(range(len(ends)), key=lambda index: abs(ends[index] - edge)) for edge in share)
    if max(abs(ends[first] - share[0]), abs(ends[last] - share[1])) > _TOLERANCE:
        return None
    return "".join(clauses[first:last]).strip() or None
