"""Recordings as training material: what is kept, how loud it is, what is held out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_tts.audio.loudness import loudness
from edge_tts.text.front_end import TextFrontEnd
from tools.starter import stage_data
from tools.starter.library import Library, kept
from tools.starter.recorded import write
from tools.starter.shapes import RATE
from tools.starter.stage_data import LOUDNESS, phonemes
from tools.starter.teachers.teacher import Job, Utterance

FRONT_END = TextFrontEnd()
TEXTS = ("The kettle has boiled.", "水开了。", "A quiet one.", "Somebody said nothing.", "The door is open.")


def said(text: str, loud: float, names: Sequence[str] | None = None) -> Utterance:
    """A second of hum at 16 kHz with the front end's phonemes, or others."""
    wave = (loud * np.sin(np.arange(16000) * 0.1)).astype(np.float32)
    language = "zh" if ord(text[0]) > 999 else "en"
    found = tuple(names or phonemes(FRONT_END, text, language))
    ends = tuple((at + 1) / len(found) for at in range(len(found)))
    return Utterance(wave, found, ends, np.full(100, 150, np.float32))


def utterances() -> Iterator[Utterance]:
    """Two as they should be, a quiet one, silence, and one whose text is read otherwise by now."""
    yield said(TEXTS[0], 0.5)
    yield said(TEXTS[1], 0.5)
    yield said(TEXTS[2], 0.01)
    yield said(TEXTS[3], 0.0)
    yield said(TEXTS[4], 0.5, ["DH", "AH1", "."])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two parts of the same five utterances, looked at."""
    for number in range(2):
        jobs = [Job(text, "zh" if ord(text[0]) > 999 else "en", f"ann{number}") for text in TEXTS]
        write(tmp_path / f"part-{number:05d}", jobs, utterances(), 16000)
    stage_data.run(tmp_path, held_out=["the kettle, has BOILED!"])
    return tmp_path


def test_what_no_longer_fits_is_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Held-out texts however they are written, other phonemes and silence are left out and counted, and a second run
    looks at new parts alone."""
    library = Library.read(folder)
    assert [item.row.text for item in library.items] == [*TEXTS[1:3], *TEXTS[1:3]]
    for path in folder.glob("*.kept.json"):
        path.unlink()
    capsys.readouterr()
    stage_data.run(folder, held_out=[TEXTS[0]])
    counted = "2 held out, 4 kept, 2 too short or silent, 2 other phonemes (en)"
    assert capsys.readouterr().out == f"{folder.name}: {counted}\n"
    stage_data.run(folder, held_out=[])
    assert capsys.readouterr().out == f"{folder.name}: nothing new\n"


def test_all_are_brought_to_one_loudness_and_rate(folder: Path) -> None:
    """A loud and a quiet utterance are equally loud when they are read, at the rate of the networks or another."""
    library = Library.read(folder)
    for index in range(2):
        for rate in (RATE, 16000):
            wave = library.wave(index, rate)
            assert len(wave) == pytest.approx(library.items[index].row.seconds * rate, abs=2)
            assert loudness(wave, rate) == pytest.approx(LOUDNESS, abs=0.3)


def test_whole_parts_are_held_out(folder: Path) -> None:
    """Nothing of the first part is trained on, and peers of a speaker are of those that are."""
    library = Library.read(folder)
    assert library.split == ([2, 3], [0, 1])
    assert library.peers == {"ann1": [2, 3]}


def test_recordings_that_were_not_looked_at_wait(folder: Path) -> None:
    """A part that was recorded since the last look is no material yet; without any the missing stage is named."""
    (first, second) = sorted(folder.glob("part-*.jsonl"))
    kept(second).unlink()
    assert len(Library.read(folder).items) == 2
    kept(first).unlink()
    with pytest.raises(FileNotFoundError, match="stages speech and data"):
        Library.read(folder)
    with pytest.raises(RuntimeError, match="two are needed"):
        Library(()).split  # noqa: B018
