"""`edge-ttsd lexicon`."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import yaml
from engine_cache import PLAIN

from edge_tts.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration with one word, and the starter where it is installed."""
    path = tmp_path / "config.yaml"
    sets = {"dir": str(ROOT / "models"), "name": "starter"}
    settings = {"models": sets, "engine": PLAIN, "text": {"lexicon": {"en": {"Nginx": "engine x"}}}}
    path.write_text(yaml.safe_dump(settings))
    return str(path)


def test_words_are_added_listed_and_removed(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What was added is listed beside what is configured, and is gone when it is removed."""
    assert main(["lexicon", "add", "-c", config, "重庆", "chong2 qing4", "--no-say"]) == 0
    assert "ch ong2 q ing4" in capsys.readouterr().out
    assert main(["lexicon", "list", "-c", config]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["zh", "重庆", "chong2", "qing4", "added"], ["en", "Nginx", "engine", "x", "text.lexicon"]]
    assert main(["lexicon", "remove", "-c", config, "重庆"]) == 0
    assert main(["lexicon", "remove", "-c", config, "重庆"]) == 1
    assert "was not added" in capsys.readouterr().err


def test_a_wrong_syllable_is_one_line_and_changes_nothing(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest syllable is named."""
    assert main(["lexicon", "add", "-c", config, "重庆", "chong2 qingg4"]) == 1
    assert "the nearest: qing4" in capsys.readouterr().err
    assert not (Path(config).parent / ".state" / "lexicon.json").exists()


def test_an_added_word_is_spoken_back(config: str, tmp_path: Path) -> None:
    """The word is heard at once, here in a file, and `phonemes` reads it as it was added."""
    out = tmp_path / "aoife.wav"
    assert main(["lexicon", "add", "-c", config, "Aoife", "EE fa", "--out", str(out)]) == 0
    samples, rate = soundfile.read(out)
    assert len(samples) > 0.2 * rate


def test_a_word_that_cannot_be_spoken_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a model set the word is kept, and the status says that it was not heard."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"models": {"dir": str(tmp_path), "name": "none"}}))
    assert main(["lexicon", "add", "-c", str(path), "Aoife", "EE fa"]) == 1
    assert "kept, but could not be spoken" in capsys.readouterr().err
    assert main(["lexicon", "list", "-c", str(path)]) == 0
    assert "Aoife" in capsys.readouterr().out
