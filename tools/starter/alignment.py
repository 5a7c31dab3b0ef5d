"""Our phonemes on the teacher's clock: aligns the front end's symbols with flite's phones. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

VOWELS = frozenset("aa ae ah ao aw ax ay eh er ey ih iy ow oy uh uw".split())
ALIKE = {
    frozenset(pair.split())
    for pair in ("ah ax", "aa ao", "ih ax", "ih iy", "uh uw", "er ax", "eh ih", "s z", "t d", "sh zh")
}
GAP = 0.8


def base(symbol: str) -> str:
    """A front-end symbol as a teacher's phone: no stress, lower case; marks are pauses."""
    name = symbol.rstrip("012").lower()
    return name if name.isalpha() else "pau"


def cost(ours: str, theirs: str) -> float:
    """Price of taking one for the other."""
    if ours == theirs:
        return 0.0
    if frozenset((ours, theirs)) in ALIKE:
        return 0.25
    if "pau" in (ours, theirs):
        return 2.0
    return 0.7 if (ours in VOWELS) == (theirs in VOWELS) else 1.5


def align(ours: Sequence[str], theirs: Sequence[str]) -> list[int | None]:
    """For each of our symbols the index of the teacher's phone it is, or None: cheapest monotone path."""
    rows, columns = len(ours), len(theirs)
    names = [base(symbol) for symbol in ours]
    best = [[GAP * j for j in range(columns + 1)]]
    for i, name in enumerate(names):
        above, row = best[-1], [GAP * (i + 1)]
        for j, other in enumerate(theirs):
            row.append(min(above[j] + cost(name, other), above[j + 1] + GAP, row[j] + GAP))
        best.append(row)
    found: list[int | None] = [None] * rows
    i, j = rows, columns
    while i and j:
        if best[i][j] == best[i - 1][j - 1] + cost(names[i - 1], theirs[j - 1]):
            i, j = i - 1, j - 1
            found[i] = j
        elif best[i][j] == best[i - 1][j] + GAP:
            i -= 1
        else:
            j -= 1
    return found
