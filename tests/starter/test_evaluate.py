"""The evaluation of a set from its graphs to its manifest, with a listener who writes down what he is meant to hear."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import FloatArray
from tools.judging.recognisers import RATE
from tools.starter import cli, evaluate, judges, person
from tools.starter.teachers import flite

ROOT = Path(__file__).parents[2]


class Parrot:
    """Hears a short sentence in anything that is loud."""

    def __init__(self, *, threads: int) -> None:
        assert threads == 1

    def hear(self, wave: FloatArray) -> str:
        return "The kettle has boiled." if np.abs(wave).max() > 0.05 and len(wave) > RATE // 2 else ""


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the set in the repository, on a machine without any teacher and without recordings of a person."""
    monkeypatch.setattr(judges, "LISTENERS", {"en": (Parrot, lambda: True)})
    monkeypatch.setattr(person, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(flite, "PACKAGES", "nothing of it is here")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    return Path(shutil.copytree(ROOT / "models" / "starter", tmp_path / "starter"))


def test_every_voice_is_measured_without_a_teacher(starter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a sentence and voice, figures of each voice in the last line and, for the project's sentences, in the
    manifest; sentences in a language that the set does not speak are left out."""
    text = "The kettle has boiled."
    quality = ROOT / "models" / "quality"
    evaluate.run(
        starter, {"en": [text], "ja": ["お湯が沸きました。"]}, quality=quality, work=starter.parent, record=True
    )
    *lines, last = capsys.readouterr().out.splitlines()
    voices = read_model_set(starter).voices
    assert [line.split()[0] for line in lines] == list(voices)
    figures = json.loads(last)
    assert all(figures[f"word_errors_{voice}_en"] == 0 for voice in voices)
    assert all(1 < figures[f"dnsmos_p808_{voice}_en"] < 5 for voice in voices)
    manifest = json.loads((starter / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["quality"] == {"command": evaluate.COMMAND, **figures}


def test_a_teacher_that_is_not_there_is_named(starter: Path) -> None:
    """Asked for the comparison on a machine without the teacher, it says what to install."""
    with pytest.raises(SystemExit, match="nothing of it is here"):
        cli.main(["evaluate", "--out", str(starter), "--teacher", "flite"])
