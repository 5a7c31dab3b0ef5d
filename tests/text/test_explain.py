"""What `phonemes --explain` tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_tts.cli.main import main
from edge_tts.text.front_end import TextFrontEnd

TOLD = [
    ("en", "Dinner is at 2:15, please.", "2:15 -> two fifteen: time"),
    ("en", "It is $2.5 million.", "$2.5 million -> two point five million dollars: money"),
    ("en", "He lives here.", "lives -> L IH1 V Z: homograph, by the words around"),
    ("en", "Ask Xyqan.", "xyqan -> Z IH1 K AH0 N: guessed from its letters"),
    ("en", "Restart Nginx.", "Nginx -> engine x: lexicon"),
    ("en", "See Aoife.", "Aoife -> IY1 F AH0: lexicon"),
    ("zh", "空调已调至26度", "调 -> tiao2: before 至"),
    ("zh", "空调已调至26度", "26度 -> 二十六度: temperature"),
    ("zh", "她的头发很长", "长 -> chang2: after 很"),
    ("zh", "任先生来电", "任 -> ren2: surname before a title"),
    ("zh", "你好", "你 -> ni2: before a third tone"),
    ("zh", "他跑得快", "得 -> de5: particle, by the words around"),
    ("zh", "重庆很大", "重庆 -> ch ong2 q ing4: lexicon"),
]
LEXICON = {"en": {"Nginx": "engine x", "Aoife": "EE fa"}, "zh": {"重庆": "chong2 qing4"}}


@pytest.mark.parametrize(("language", "text", "told"), TOLD)
def test_a_reading_is_explained(language: str, text: str, told: str) -> None:
    """The rule, the neighbours, the dictionary or the owner's word that gave it is named."""
    front_end = TextFrontEnd(lexicon=LEXICON)
    notes = [note for run in front_end.runs(text, language) for note in front_end.explain(run)]
    assert told in [f"{note.written} -> {note.said}: {note.why}" for note in notes]


def test_the_line_that_changes_a_reading_gives_the_same_reading() -> None:
    """What is proposed as a lexicon entry says what is said already."""
    front_end = TextFrontEnd()
    for language, text in {(language, text) for language, text, _ in TOLD}:
        (run,) = front_end.runs(text, language)
        entries = [note.entry for note in front_end.explain(run) if note.entry]
        mended = TextFrontEnd(lexicon={language: dict(entries)})
        assert mended.runs(text, language)[0].phonemes == run.phonemes, text


def test_plain_words_are_not_explained() -> None:
    """What a dictionary alone decides is left out."""
    front_end = TextFrontEnd()
    (run,) = front_end.runs("Good morning.", "en")
    assert front_end.explain(run) == []


def test_the_command_prints_rule_and_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--explain` shows both beside the phonemes, also as JSON; without it nothing is added."""
    config = tmp_path / "config.yaml"
    config.write_text("models: {name: none}\n")
    assert main(["phonemes", "-c", str(config), "Dinner is at 2:15.", "--language", "en", "--explain"]) == 0
    shown = capsys.readouterr().out
    assert "2:15 -> two fifteen: time" in shown
    assert 'edge-ttsd lexicon add 2:15 "two fifteen"' in shown
    assert main(["phonemes", "-c", str(config), "Dinner is at 2:15.", "--language", "en", "--explain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["explained"][0]["why"] == "time"
    assert main(["phonemes", "-c", str(config), "Dinner is at 2:15.", "--language", "en"]) == 0
    assert "time" not in capsys.readouterr().out
    assert main(["phonemes", "-c", str(config), "two", "--explain", "--normalized"]) == 1
