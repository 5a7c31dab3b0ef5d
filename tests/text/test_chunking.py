"""The cut for speech: a short first piece, longer ones after it, nothing lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.chunking import SIZES, chunks, size


def test_the_first_piece_is_short_and_later_ones_longer() -> None:
    """A long sentence begins with its first clause, so that sound starts early."""
    text = (
        "早上好，今天是星期一，气温二十五度，适合外出散步，记得带上水杯，然后我们一起去公园看看新开的花，再回家吃午饭。"
    )
    pieces = chunks(text * 3)
    assert pieces[0] == "早上好，今天是星期一，"
    assert size(pieces[0]) < size(pieces[1]) < size(pieces[2])


def test_sentences_stay_whole() -> None:
    """Abbreviations, decimals and initials end no sentence; short sentences share a piece."""
    assert chunks(
        "It is 7:30 a.m. on Monday. Dr. Smith of the U.S. team paid $3.50 for version 2.5.1 of it. "
        "Yes. No. Then he left."
    ) == [
        "It is 7:30 a.m. on Monday. ",
        "Dr. Smith of the U.S. team paid $3.50 for version 2.5.1 of it. Yes. ",
        "No. Then he left.",
    ]


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("Hi.\nThe dinner is ready for all of us now.", ["Hi. The dinner is ready for all of us now."]),
        ("好。\n晚饭已经做好了，大家过来坐吧。", ["好。晚饭已经做好了，大家过来坐吧。"]),
        ("晚饭已经做好了，大家过来坐吧。\n来。", ["晚饭已经做好了，大家过来坐吧。来。"]),
        ("一。\n二。\n三四五。", ["一。二。三四五。"]),
        ("三四五六。\n七八九十。", ["三四五六。", "七八九十。"]),
    ],
)
def test_a_short_piece_joins_its_neighbour(text: str, joined: list[str]) -> None:
    """What is smaller than four ideographs goes to the next line, at the end to the line before; four stand alone."""
    assert chunks(text) == joined


def test_a_very_long_word_is_cut() -> None:
    """Text without any mark or blank gives pieces of a bounded size."""
    for text in ("不停" * 5000, "a" * 10000, "停 " * 5000):
        assert all(size(piece) <= SIZES[-1] * 1.5 for piece in chunks(text))


def test_sentences_alone() -> None:
    """Not joined, every sentence has a piece of its own, however short, and a long one is cut as ever."""
    assert chunks("Hi. Dinner is ready. Ten. Nine.\nStop! 好。吃饭了。", join=False) == [
        *("Hi. ", "Dinner is ready. ", "Ten. ", "Nine.", "Stop! ", "好。", "吃饭了。")
    ]
    long = "早上好，今天是星期一，气温二十五度，适合外出散步，记得带上水杯，然后我们一起去公园看看新开的花，好吗？"
    first, *rest = chunks("好。" + long, join=False)
    assert (first, "".join(rest)) == ("好。", long)
    assert len(rest) == 2


@pytest.mark.parametrize(
    "sentence",
    [
        "Mr. Smith and Dr. Jones live on Mt. Pleasant St. near the U.S. border.",
        "J. Smith met A. Jones at 7:30 a.m. on Monday.",
        "See No. 5, Fig. 2 and Vol. 3 of it.",
        "It is approx. 10 min. from here, etc. and so on.",
        "It weighs 3 oz. more than 2.5 lbs. of it.",
        "Wait for version 2.5.1 of example.com.",
    ],
)
def test_abbreviations_end_no_sentence(sentence: str) -> None:
    """A full stop that belongs to a word leaves its sentence whole, alone or with others."""
    assert chunks(sentence, join=False) == [sentence]
    assert chunks(f"Hi. {sentence} Bye.", join=False) == ["Hi. ", f"{sentence} ", "Bye."]


@pytest.mark.parametrize(
    "sentences",
    [
        ["No. ", "Leave it."],
        ["It takes 5 min. ", "Please wait."],
        ["Bring cups, plates etc. ", "Then sit down."],
        ["I don't. ", "You do."],
        ["Wait... ", "What?"],
        ["door open. ", "window closed."],
        ['"Hi." ', '"Come in."'],
        ['He said "Hi." ', "(Then he left.) ", "*Good.*"],
        ["This is Plan B. ", "Go."],
    ],
)
def test_what_ends_a_sentence_all_the_same(sentences: list[str]) -> None:
    """Short words that look like abbreviations, and sentences without a capital, are not run into the next one."""
    assert chunks("".join(sentences), join=False) == sentences


@pytest.mark.parametrize("joined", [True, False])
@given(text=st.text(max_size=300) | st.text(alphabet="ab，。. \n,!?1我；：", max_size=120))
def test_nothing_is_lost(text: str, joined: bool) -> None:
    """Put together, the pieces are the text, line breaks and blanks aside; no piece is blank."""
    pieces = chunks(text, join=joined)
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", text)
    assert all(piece.strip() for piece in pieces)
