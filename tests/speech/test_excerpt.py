"""Which words are taken to be in a part of a recording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.speech.excerpt import excerpt

TEXT = "The weather is fine today, and the kettle has boiled. Please close the window before you go to bed."


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ((0.0, 1.0), TEXT),
        ((0.0, 0.53), "The weather is fine today, and the kettle has boiled."),
        ((0.5, 1.0), "Please close the window before you go to bed."),
        ((0.27, 0.5), "and the kettle has boiled."),
        ((0.0, 0.75), None),
        ((0.4, 0.41), None),
    ],
)
def test_clauses_near_the_edges(share: tuple[float, float], words: str | None) -> None:
    """Clauses are kept whose ends are near the part's ends; when none is, no answer is better than a wrong one."""
    assert excerpt(TEXT, share) == words


def test_chinese_clauses() -> None:
    """Full-width punctuation ends a clause too."""
    assert excerpt("今天天气很好，水烧开了。请把窗户关上。", (0.0, 0.62)) == "今天天气很好，水烧开了。"


@given(st.text(max_size=80), st.floats(0, 1), st.floats(0, 1))
def test_an_excerpt_is_part_of_the_text(text: str, one: float, other: float) -> None:
    """Whatever the text and the share, what comes back stands in the text."""
    found = excerpt(text, (min(one, other), max(one, other)))
    assert found is None or found in text
