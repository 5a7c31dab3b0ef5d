"""Our phonemes on the teacher's clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools.starter.alignment import align

PHONES = st.lists(st.sampled_from(["hh", "ax", "l", "ow", "pau", "s", "t", "iy"]), max_size=12)


def test_the_same_sounds_meet_one_to_one() -> None:
    """Stress digits and case do not matter; a comma is the teacher's pause."""
    ours = ["HH", "AH0", "L", "OW1", ",", "HH", "AH0", "L", "OW1", "."]
    theirs = ["hh", "ax", "l", "ow", "pau", "hh", "ax", "l", "ow", "pau"]
    assert align(ours, theirs) == list(range(10))


def test_a_sound_that_the_teacher_lacks_has_no_partner() -> None:
    """An extra phoneme of ours is left out and the rest still meets."""
    assert align(["S", "T", "IY1"], ["s", "iy"]) == [0, None, 1]


@given(PHONES, PHONES)
def test_partners_rise(ours: list[str], theirs: list[str]) -> None:
    """Time never runs backwards, and partners exist."""
    partners = [partner for partner in align(ours, theirs) if partner is not None]
    assert partners == sorted(set(partners))
    assert all(0 <= partner < len(theirs) for partner in partners)
