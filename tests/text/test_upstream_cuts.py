"""The steps around the cuts: marks, short first clauses, short and endless pieces."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.upstream_cuts import CUTS, MOST_CHARACTERS, collapse_marks, cut, guard_first_clause, pieces_of


def test_runs_of_marks_become_the_first() -> None:
    """Half-width marks collapse, full-width ones stay."""
    assert collapse_marks("Wait... what?! 好，，吧") == "Wait. what? 好，，吧"


def test_a_short_first_clause_gets_a_mark_in_front() -> None:
    """Fewer than four characters before the first mark are guarded; a text that begins with a mark is not."""
    assert guard_first_clause("嗯，我知道了。", "。") == "。嗯，我知道了。"
    assert guard_first_clause("好的，知道", "。") == "。好的，知道"
    assert guard_first_clause("我知道了，好", "。") == "我知道了，好"
    assert guard_first_clause(",no", ".") == ",no"


def test_pieces_are_complete() -> None:
    """Blank lines and pieces of marks alone vanish, every piece ends in a mark."""
    assert pieces_of("first line here\n\n  \nsecond line here", ".") == ["first line here.", "second line here."]
    assert pieces_of("???\n!!!", ".") == []


def test_short_pieces_join() -> None:
    """Lines of fewer than five characters join the next one, at the end the one before, unless they are not to."""
    assert pieces_of("嗯。\n我知道了。\n门已经开了。\n好", "。") == ["嗯。我知道了。", "门已经开了。好。"]
    assert pieces_of("一二三四五\n一二三四\n五", "。") == ["一二三四五。", "一二三四五。"]
    assert pieces_of("好", "。") == ["好。"]
    assert pieces_of("嗯。\n我知道了\n好", "。", join=False) == ["嗯。", "我知道了。", "好。"]


def test_endless_pieces_are_cut() -> None:
    """No piece is longer than the limit, with marks or without."""
    for text in ("a" * 3000, "word " * 600, "好，" * 1000):
        pieces = pieces_of(text, "。")
        assert max(map(len, pieces)) <= MOST_CHARACTERS
        assert "".join(pieces).rstrip("。") == text.rstrip("。")


@given(st.text(max_size=200), st.sampled_from(sorted(CUTS)))
def test_no_letter_is_lost_by_any_cut(text: str, method: str) -> None:
    """Letters and digits survive every method in their order."""
    letters = re.sub(r"[\W_]", "", text)
    assert re.sub(r"[\W_]", "", "".join(pieces_of(cut(text, method), "。"))) == letters
