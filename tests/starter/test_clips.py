"""Utterances on disk."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from tools.starter import clips
from tools.starter.clips import PHONES, Clip, Clips
from tools.starter.data import speakers
from tools.starter.teachers.flite import PITCH, Speaker


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Labels come back equal and each clip gets its own samples."""
    made = [Clip("One.", 0, "rms", 0, 4, (("w", 0.1),)), Clip("Two.", 1, "slt", 4, 3, (("t", 0.1), ("uw", 0.2)))]
    clips.write(tmp_path / "set", made, [np.array([1, 2, 3, 4], np.int16), np.array([-8, 8, 16384], np.int16)])
    read = Clips.read(tmp_path / "set")
    assert list(read.clips) == made
    assert read.wave(1)[2] == 0.5


def test_labels_change_where_a_phone_ends() -> None:
    """Ten milliseconds a label; the last phone fills what is left."""
    clip = Clip("Tea.", 0, "rms", 0, 1600, (("t", 0.03), ("iy", 0.08)))
    assert [PHONES[label] for label in clip.labels()] == ["t"] * 3 + ["iy"] * 7


def test_a_warped_speaker_is_asked_to_make_up_for_the_resampling() -> None:
    """Formants 25 % higher: read 25 % slower and lower, for the resampling afterwards to restore both."""
    voice, mean, deviation, stretch, text = Speaker("rms", formants=1.25).job("Hello.").rstrip("\n").split("\t")
    assert (voice, text) == ("rms", "Hello.")
    assert float(mean) * 1.25 == PITCH["rms"][0]
    assert float(stretch) == 1.25
    assert float(deviation) < PITCH["rms"][1]


def test_the_teachers_themselves_come_first() -> None:
    """The first speakers are unchanged teachers: the built-in voices are theirs."""
    assert speakers(6, random.Random(0))[:4] == [Speaker(name) for name in ("slt", "rms", "awb", "kal16")]
