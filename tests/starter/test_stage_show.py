"""The page with sounds and spectrograms, made with the shipped set and a hum for a teacher."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_tts.model_sets.manifest import read_model_set
from edge_tts.text.front_end import TextFrontEnd
from tools.starter import stage_data, stage_show
from tools.starter.recorded import write
from tools.starter.stage_data import phonemes
from tools.starter.teachers.teacher import Job, Utterance

STARTER = Path(__file__).parents[2] / "models" / "starter"
TEXTS = (("The kettle has boiled.", "en", 9.0), ("Tea is ready.", "en", 2.5), ("水开了。", "zh", 2.5))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A test of three sentences, of which the first is longer than a page affords."""
    front_end, said = TextFrontEnd(), []
    for text, language, seconds in TEXTS:
        wave = (0.3 * np.sin(np.arange(int(seconds * 24000)) * 0.1)).astype(np.float32)
        found = tuple(phonemes(front_end, text, language))
        ends = tuple(seconds * (at + 1) / len(found) for at in range(len(found)))
        said.append(Utterance(wave, found, ends, np.full(int(seconds * 100), 150, np.float32)))
    (tmp_path / "test").mkdir()
    jobs = [Job(text, language, "ann") for text, language, _ in TEXTS]
    write(tmp_path / "test" / "part-00000", jobs, said, 24000)
    stage_data.run(tmp_path / "test", held_out=())
    return tmp_path


def test_the_page_has_every_voice_and_the_teacher(work: Path, tmp_path: Path) -> None:
    """For each language one sentence by every voice and by the teacher, all sounds that the page names, none besides,
    and a picture."""
    folder = tmp_path / "docs" / "starter"
    stage_show.run(work, STARTER, folder)
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert [text in html for text, _, _ in TEXTS] == [False, True, True]
    sounds = set(re.findall(r'src="([^"]+\.flac)"', html))
    voices = [*read_model_set(STARTER).voices, stage_show.TEACHER]
    assert sounds == {f"{language}-{who}.flac" for language in ("en", "zh") for who in voices}
    assert sounds == {path.name for path in folder.glob("*.flac")}
    assert set(re.findall(r'<img src="([^"]+)"', html)) == {path.name for path in folder.glob("*.png")}
    for name in sounds:
        wave, rate = soundfile.read(folder / name)
        assert rate == stage_show.RATE
        assert np.abs(wave).max() > 0.02


def test_a_test_without_a_fitting_sentence_is_refused(
    work: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where no sentence of a language has a fitting length, it says which language and what would fit."""
    monkeypatch.setattr(stage_show, "SECONDS", (0.1, 0.2))
    with pytest.raises(RuntimeError, match=r"lasts 0\.1 to 0\.2 s"):
        stage_show.run(work, STARTER, tmp_path / "page")
