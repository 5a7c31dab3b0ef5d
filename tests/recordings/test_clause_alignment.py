"""Which words are estimated to lie between two pauses of a recording."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.recordings.clause_alignment import clause_marks, syllables
from edge_tts.recordings.vad import SpeechSpan

TEXT = "The weather is fine today, and the kettle has boiled. Please close the window before you go to bed."
CONSENT = "I agree that this device may speak with my voice. My name is Anna."


def spoken(*stretches: tuple[float, float]) -> tuple[SpeechSpan, ...]:
    """Spans of the given seconds of speech, each followed by the given seconds of pause."""
    found, now = [], 0.0
    for speech_s, pause_s in stretches:
        found.append(SpeechSpan(now, now + speech_s))
        now += speech_s + pause_s
    return tuple(found)


def words(text: str, found: tuple[SpeechSpan, ...]) -> list[str]:
    """The text from each marked pause to the next."""
    marks = sorted(clause_marks(text, found).items())
    return [text[start:end].strip() for (_, start), (_, end) in pairwise(marks)]


@pytest.mark.parametrize(
    ("text", "found", "known"),
    [
        (TEXT, spoken((5.4, 0.5), (4.6, 0.5)), [TEXT[:53], TEXT[54:]]),
        (TEXT, spoken((2.9, 0.5), (2.5, 0.5), (4.6, 0.5)), [TEXT[:26], TEXT[27:53], TEXT[54:]]),
        (TEXT, spoken((7.5, 0.5), (2.5, 0.5)), [TEXT]),
        (CONSENT, spoken((7.0, 1.0), (3.0, 0.0)), [CONSENT[:49], CONSENT[50:]]),
        (
            "今天天气很好，水烧开了。请把窗户关上。",
            spoken((6.0, 1.0), (4.0, 0.0)),
            ["今天天气很好，水烧开了。", "请把窗户关上。"],
        ),
        ("One clause only", spoken((5.0, 1.0), (5.0, 0.0)), ["One clause only"]),
    ],
)
def test_clauses_end_at_pauses(text: str, found: tuple[SpeechSpan, ...], known: list[str]) -> None:
    """A pause is where a clause ends if as much of the speech lies before it as the clause has syllables."""
    assert words(text, found) == known


def test_the_longest_of_near_pauses_is_where_a_clause_ends() -> None:
    """Of several pauses near the estimated end of a clause the longest is taken: one word more would be a wrong
    transcript."""
    found = spoken((6.5, 0.3), (0.5, 0.9), (0.4, 0.3), (2.6, 0.0))
    assert list(clause_marks(CONSENT, found)) == [0, 2, 4]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("I agree that this device may speak", 9),
        ("kettle", 2),
        ("Anna", 2),
        ("the", 1),
        ("我的名字", 4),
        ("v2", 2),
        ("!", 0),
    ],
)
def test_syllables(text: str, count: int) -> None:
    """Vowels in a row, without a silent e; each Chinese character and each digit."""
    assert syllables(text) == count


@given(st.text(max_size=80), st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.25, 3)), max_size=8))
def test_marks_are_in_order(text: str, pauses: list[tuple[float, float]]) -> None:
    """Whatever the text and the speech, the marks go from 0 to the end of both, and later pauses are further on."""
    found = spoken(*pauses)
    marks = clause_marks(text, found)
    assert marks[len(found)] == len(text)
    ordered = [marks[pause] for pause in sorted(marks)]
    assert ordered == sorted(ordered)
    assert len(found) == 0 or marks[0] == 0
