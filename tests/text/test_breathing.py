"""The cut for speech: a short first piece, longer ones after it, nothing lost."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.breathing import SIZES, breaths, size


def test_the_first_piece_is_short_and_later_ones_longer() -> None:
    """A long sentence begins with its first clause, so that sound starts early."""
    text = (
        "早上好，今天是星期一，气温二十五度，适合外出散步，记得带上水杯，然后我们一起去公园看看新开的花，再回家吃午饭。"
    )
    pieces = breaths(text * 3)
    assert pieces[0] == "早上好，今天是星期一，"
    assert size(pieces[0]) < size(pieces[1]) < size(pieces[2])


def test_sentences_stay_whole() -> None:
    """Abbreviations, decimals and initials end no sentence; short sentences share a piece."""
    assert breaths(
        "It is 7:30 a.m. on Monday. Dr. Smith of the U.S. team paid $3.50 for version 2.5.1 of it. "
        "Yes. No. Then he left."
    ) == [
        "It is 7:30 a.m. on Monday. ",
        "Dr. Smith of the U.S. team paid $3.50 for version 2.5.1 of it. Yes. ",
        "No. Then he left.",
    ]


def test_a_very_long_word_is_cut() -> None:
    """Text without any mark or blank gives pieces of a bounded size."""
    for text in ("不停" * 5000, "a" * 10000, "停 " * 5000):
        assert all(size(piece) <= SIZES[-1] * 1.5 for piece in breaths(text))


@given(st.text(max_size=300) | st.text(alphabet="ab，。. \n,!?1我；：", max_size=120))
def test_nothing_is_lost(text: str) -> None:
    """Joined, the pieces are the text, line breaks and blanks aside; no piece is blank."""
    pieces = breaths(text)
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)
    assert all(piece.strip() for piece in pieces)
