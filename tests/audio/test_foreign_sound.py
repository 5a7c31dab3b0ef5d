"""Recordings from elsewhere are decoded by a process with limits."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edge_tts.audio import foreign_sound
from edge_tts.audio.foreign_sound import decode_file, decode_sound
from edge_tts.audio.sound_files import read_any, to_flac
from edge_tts.errors import AudioError
from edge_tts.limited_process import ProcessLimits
from edge_tts.values import Recording

RECORDING = Path(__file__).parents[1] / "spoken" / "weather-rms.flac"


def test_it_is_decoded_as_here() -> None:
    """Samples, rate and channels are those of the reader in this process, from a file and from bytes."""
    expected = read_any(RECORDING)
    for found in (decode_file(RECORDING), decode_sound(RECORDING.read_bytes(), what="it")):
        assert found.sample_rate == expected.sample_rate
        np.testing.assert_array_equal(found.samples, expected.samples)
    stereo = Recording(np.zeros((800, 2), np.float32), 8000)
    assert decode_sound(to_flac(stereo), what="it").samples.shape == (800, 2)


def test_its_errors_are_those_of_the_reader(tmp_path: Path) -> None:
    """A missing file, a text, a limit: the same words, with the file's name."""
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    with pytest.raises(AudioError, match=r"nowhere\.wav: cannot be read"):
        decode_file(tmp_path / "nowhere.wav")
    with pytest.raises(AudioError, match=r"text\.wav: .*"):
        decode_file(text)
    with pytest.raises(AudioError, match="it: lasts longer than 1 s"):
        decode_sound(RECORDING.read_bytes(), what="it", longest_s=1)


TRICKS = {
    "while True: pass": "it takes more than 1 s of computing",
    "return [bytes(1 << 24) for _ in range(1 << 12)]": "it takes more memory than any recording",
    "import os; os.abort()": r"ends the process that looks \(SIGABRT\)",
    "raise KeyError('unforeseen')": "KeyError: 'unforeseen'",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_what_breaks_the_decoder_costs_only_its_process(
    trick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that has its decoder loop, allocate, crash or raise is an AudioError that names it."""
    lines = [
        "import sys",
        "from edge_tts.audio import foreign_sound",
        f"def read_sound(data, **limits):\n {trick}",
        "foreign_sound.read_sound = read_sound",
        "sys.exit(foreign_sound.main(sys.argv[1:]))",
    ]
    (tmp_path / "decoder.py").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(foreign_sound, "_MODULE", "decoder")
    monkeypatch.setattr(foreign_sound, "_LIMITS", ProcessLimits(memory_bytes=2 << 30, cpu_s=1))
    with pytest.raises(AudioError, match=f"^audio.flac: .*{TRICKS[trick]}"):
        decode_sound(RECORDING.read_bytes(), what="audio.flac")
