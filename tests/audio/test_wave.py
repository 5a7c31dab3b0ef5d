"""Samples, and the WAV file that is valid at any moment."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_tts.audio.wave import Resampler, WavFile, to_pcm16, whole_wav
from edge_tts.errors import AudioError


def test_what_lies_outside_is_clipped_not_wrapped() -> None:
    """Samples beyond full scale are clipped: an overflow would be a loud crack."""
    np.testing.assert_array_equal(to_pcm16(np.array([2.0, -2.0, 0.0, 1.0], np.float32)), [32767, -32767, 0, 32767])


def test_the_file_is_whole_after_every_write(tmp_path: Path) -> None:
    """A copy taken between two writes, as after a power cut, is a valid WAV file with everything written so far."""
    wave = np.sin(np.arange(3000, dtype=np.float32) / 20)
    with WavFile(path=tmp_path / "new" / "a.wav", sample_rate=32000) as file:
        for index in range(4):
            shutil.copy(file.path, tmp_path / "copy.wav")
            found, rate = soundfile.read(tmp_path / "copy.wav", dtype="float32")
            assert rate == 32000
            np.testing.assert_allclose(found, np.tile(wave, index), atol=1e-4)
            size = (tmp_path / "copy.wav").stat().st_size
            header = (tmp_path / "copy.wav").read_bytes()[:44]
            assert int.from_bytes(header[4:8], "little") == size - 8
            assert int.from_bytes(header[40:44], "little") == size - 44
            file.write(wave)


def test_a_path_that_cannot_be_written_is_an_audio_error(tmp_path: Path) -> None:
    """The error names the path and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(AudioError, match=r"file/a\.wav: cannot be written"):
        WavFile(path=tmp_path / "file" / "a.wav", sample_rate=32000)


def test_a_full_disk_is_an_audio_error() -> None:
    """A write that the disk refuses ends the job, not the process."""
    with pytest.raises(AudioError, match=r"/dev/full: cannot be written \(No space left"):
        WavFile(path=Path("/dev/full"), sample_rate=32000)


@pytest.mark.parametrize("target_hz", [48000, 44100, 16000])
def test_resampling_in_blocks_keeps_pitch_level_and_length(target_hz: int) -> None:
    """A sine pushed in uneven blocks comes out as the same sine at the other rate, without a step at the joins."""
    source_hz = 32000
    sine = np.sin(2 * np.pi * 440 * np.arange(source_hz) / source_hz).astype(np.float32)
    resampler = Resampler(source_hz=source_hz, target_hz=target_hz)
    parts = [resampler.push(part) for part in np.split(sine, [10, 1000, 1001, 20000])]
    out = np.concatenate([*parts, resampler.push(np.zeros(0, np.float32), last=True)])
    assert abs(len(out) - target_hz) <= 2
    expected = np.sin(2 * np.pi * 440 * np.arange(len(out)) / target_hz)
    middle = slice(target_hz // 10, -target_hz // 10)
    np.testing.assert_allclose(out[middle], expected[middle], atol=2e-3)


def test_a_flushed_resampler_serves_the_next_request() -> None:
    """After the end of one request the next one starts from silence."""
    resampler = Resampler(source_hz=32000, target_hz=48000)
    ones = np.ones(3200, np.float32)
    first = np.concatenate([resampler.push(ones), resampler.push(np.zeros(0, np.float32), last=True)])
    second = np.concatenate([resampler.push(ones), resampler.push(np.zeros(0, np.float32), last=True)])
    np.testing.assert_array_equal(first, second)


def test_a_whole_file_or_the_one_before(tmp_path: Path) -> None:
    """A file is replaced when the new one is complete; a failure leaves the old one."""
    path = tmp_path / "good.wav"
    with whole_wav(path, sample_rate=8000) as file:
        file.write(np.full(80, 0.5, np.float32))
    good = path.read_bytes()

    def fail() -> None:
        with whole_wav(path, sample_rate=8000) as file:
            file.write(np.zeros(40, np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == good
    assert list(tmp_path.iterdir()) == [path]


def test_a_whole_file_that_cannot_be_written_is_called_by_its_name(tmp_path: Path) -> None:
    """Whether it cannot be created or the disk is full, the error names the target, not the temporary file."""
    for path, reason in ((tmp_path, "Is a directory"), (Path("/dev/full"), "No space left on device")):
        says = re.escape(f"{path}: cannot be written ({reason})")
        with pytest.raises(AudioError, match=says), whole_wav(path, sample_rate=8000):
            raise AssertionError("it was made")
