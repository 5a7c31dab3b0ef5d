"""Recordings as files: what is read, what is refused, and that storing one does not change it."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.audio.sound_files import read_any, read_sound, to_flac
from edge_tts.errors import AudioError
from edge_tts.values import Recording

RECORDING = Path(__file__).resolve().parent.parent / "spoken" / "consent-rms.flac"


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=500), st.sampled_from([16000, 44100, 48000]))
def test_a_stored_recording_is_stable(values: list[float], rate: int) -> None:
    """Read and stored again a recording is the same file, however often; it differs from the first by a rounding."""
    samples = np.array(values, np.float32)
    stored = to_flac(Recording(samples, rate))
    again = read_sound(stored, what="it")
    assert again.sample_rate == rate
    assert np.abs(again.samples - samples).max() <= 1.01 / 32768
    assert to_flac(again) == stored


def test_what_ffmpeg_reads_is_read(tmp_path: Path) -> None:
    """A format that libsndfile does not know goes through ffmpeg."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("FFMPEG IS NOT INSTALLED: other formats than libsndfile's were not tested")
    coded = tmp_path / "voice.m4a"
    subprocess.run([ffmpeg, "-v", "error", "-i", str(RECORDING), str(coded)], check=True)
    found, original = read_any(coded), soundfile.read(RECORDING)[0]
    assert found.sample_rate == 48000
    assert len(found.samples) / 48000 == pytest.approx(len(original) / 16000, abs=0.1)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"#EXTM3U\nhttp://example.invalid/a.mp3\n", bytes(2000)])
def test_what_is_no_sound_is_refused(tmp_path: Path, data: bytes) -> None:
    """Invalid data, and a playlist that refers to other files, raise AudioError with the file's name."""
    path = tmp_path / "voice.bin"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=r"voice\.bin"):
        read_any(path)


def test_an_endless_recording_is_refused() -> None:
    """More than ten minutes are refused before they are decoded."""
    stored = to_flac(Recording(np.zeros(601 * 8000, np.float32), 8000))
    with pytest.raises(AudioError, match="longer than 600 s"):
        read_sound(stored, what="it")


@pytest.mark.parametrize("shape", [(1001, 1), (126, 8)])
def test_what_unpacks_to_too_much_is_refused(shape: tuple[int, int]) -> None:
    """The limit is on decoded samples of all channels: silence compresses to nothing."""
    packed = io.BytesIO()
    soundfile.write(packed, np.zeros(shape, np.int16), 48000, format="FLAC", subtype="PCM_16")
    with pytest.raises(AudioError, match="unpacks to more than 1000 samples"):
        read_sound(packed.getvalue(), what="it", most_samples=1000)
    assert read_sound(packed.getvalue(), what="it", most_samples=shape[0] * shape[1]).samples.size == np.prod(shape)
