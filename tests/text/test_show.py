"""The phonemes command's formats: a table, JSON, and a stream of JSON lines."""

from __future__ import annotations

import json

import pytest

from edge_tts.errors import TextError
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.show import show_json, show_stream, show_table

FRONT_END = TextFrontEnd()


def test_the_table_shows_characters_with_their_phonemes() -> None:
    """The table has the language, the spoken form and the phonemes of each character."""
    table = show_table(FRONT_END.segments("我用iPhone听了3首歌。", "auto"))
    assert "zh  听了三首歌." in table
    assert "三[s an1]" in table
    assert "AY1 F OW1 N" in table


def test_json_has_ids_and_alignment() -> None:
    """JSON has phonemes, ids and word2ph of each run."""
    (segment,) = json.loads(show_json(FRONT_END.segments("客厅的灯已经打开了。", "zh")))
    assert segment["norm_text"] == "客厅的灯已经打开了."
    assert len(segment["phone_ids"]) == len(segment["phones"]) == sum(segment["word2ph"])
    assert segment["segments"][0]["lang"] == "zh"


def test_the_stream_answers_line_by_line() -> None:
    """Each record gets one line with its id; a text that cannot be spoken gets an error, and the stream goes on."""
    lines = [
        '{"id": "a", "text": "Hello there.", "lang": "en"}',
        "",
        '{"id": "b", "text": "こんにちは", "lang": "all_ja"}',
        '{"id": "c", "text": "你好 world", "lang": "auto"}',
    ]
    a, b, c = map(json.loads, show_stream(FRONT_END, lines, normalized=False))
    assert (a["id"], a["phones"]) == ("a", "HH AH0 L OW1 DH EH1 R .".split())
    assert (b["id"], b["error"][:8]) == ("b", "Japanese")
    assert [s["lang"] for s in c["segments"]] == ["zh", "en"]


def test_normalized_text_is_not_changed() -> None:
    """With normalized, norm_text is pronounced as it stands."""
    (line,) = show_stream(FRONT_END, ['{"id": 1, "norm_text": "one. two", "lang": "en"}'], normalized=True)
    assert json.loads(line)["norm_text"] == "one. two"


@pytest.mark.parametrize("line", ["{", "[]", '{"lang": "en"}', '{"text": 5}', '{"text": "x", "lang": 5}'])
def test_a_wrong_line_is_named(line: str) -> None:
    """What is no record is refused with its line number."""
    with pytest.raises(TextError, match="line 2 is no"):
        list(show_stream(FRONT_END, ['{"text": "x", "lang": "en"}', line], normalized=False))
