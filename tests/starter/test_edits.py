"""Counting word errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.starter.edits import distance, words

WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=8)


@pytest.mark.parametrize(
    ("wanted", "heard", "errors"),
    [("the cat sat", "the cat sat", 0), ("the cat sat", "a cat", 2), ("", "a b", 2), ("Don't stop!", "don't stop", 0)],
)
def test_errors_are_changes_of_words(wanted: str, heard: str, errors: int) -> None:
    """A wrong, a missing and an extra word are one error each; case and marks are none."""
    assert distance(words(wanted), words(heard)) == errors


@given(WORDS, WORDS)
def test_the_distance_is_symmetric_and_bounded(one: list[str], other: list[str]) -> None:
    """It never exceeds the longer text and is zero only for equal texts."""
    assert distance(one, other) == distance(other, one) <= max(len(one), len(other))
    assert (distance(one, other) == 0) == (one == other)
