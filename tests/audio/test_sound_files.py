"""Recordings as files: what is read, what is refused, and that storing one does not change it."""

from __future__ import annotations

import io
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.audio.sound_files import read_any, read_sound, to_flac
from edge_tts.audio.sound_stream import whole_sound
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


def stored(samples: np.ndarray, form: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """A file of 16 kHz."""
    packed = io.BytesIO()
    soundfile.write(packed, samples, 16000, format=form, subtype=subtype)
    return packed.getvalue()


WAVE = np.linspace(-0.5, 0.5, 3000)


@pytest.mark.parametrize(
    ("riff", "data"), [(0, 0), (36, 0), (0xFFFFFFFF, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0, 0x7FFFFFFF)]
)
def test_a_wav_that_a_pipe_wrote_is_read_to_its_end(riff: int, data: int) -> None:
    """A header that was never filled in says nothing about the sound behind it."""
    whole = bytearray(stored(WAVE))
    whole[4:8], whole[40:44] = riff.to_bytes(4, "little"), data.to_bytes(4, "little")
    assert np.allclose(read_sound(bytes(whole), what="it").samples, WAVE, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_flac_that_a_pipe_wrote_is_read_to_its_end(channels: int) -> None:
    """Without a length in its header it is read in blocks, and the limit on its length holds."""
    samples = np.tile(WAVE, 60)[:, None].repeat(channels, 1).squeeze()
    piped = bytearray(stored(samples, "FLAC"))
    piped[21] &= 0xF0
    piped[22:26] = bytes(4)
    found = read_sound(bytes(piped), what="it").samples
    assert found.shape == samples.shape
    assert np.allclose(found, samples, atol=1e-4)
    with pytest.raises(AudioError, match="longer than 10 s"):
        read_sound(bytes(piped), what="it", longest_s=10)


@pytest.mark.parametrize(("ending", "form"), [("wav", "WAV"), ("flac", "FLAC"), ("OGG", "OGG")])
def test_a_file_is_written_by_its_ending(tmp_path: Path, ending: str, form: str) -> None:
    """What is written in pieces is one file of the format that its name says."""
    path = tmp_path / f"speech.{ending}"
    with whole_sound(path, sample_rate=16000) as file:
        file.write(WAVE[:1000].astype(np.float32))
        file.write(WAVE[1000:].astype(np.float32))
        file.drain()
    with soundfile.SoundFile(path) as found:
        assert (found.format, found.samplerate, found.frames) == (form, 16000, len(WAVE))
        assert np.abs(found.read() - WAVE).max() < (0.05 if form == "OGG" else 1e-4)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("ending", "form", "rate"), [("mp3", "MP3", 16000), ("opus", "OGG", 16000), ("MP3", "MP3", 20000)]
)
def test_a_compressed_file_is_written_by_its_ending(tmp_path: Path, ending: str, form: str, rate: int) -> None:
    """At a rate that the format has, as long as what was written, and nothing beside it."""
    path = tmp_path / f"speech.{ending}"
    tone = (0.3 * np.sin(np.arange(2 * rate) * 2 * np.pi * 440 / rate)).astype(np.float32)
    with whole_sound(path, sample_rate=rate) as file:
        for begin in range(0, len(tone), 5000):
            file.write(tone[begin : begin + 5000])
    found, found_rate = soundfile.read(path)
    assert soundfile.info(path).format == form
    assert len(found) / found_rate == pytest.approx(2.0, abs=0.1)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["speech.aac", "speech", "speech.wav.txt"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    """Nobody gets a WAV that calls itself AAC."""
    with pytest.raises(AudioError, match=r"\.wav, \.flac, \.ogg, .*"), whole_sound(tmp_path / name, sample_rate=16000):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3", "opus"])
def test_an_interrupted_file_leaves_nothing(tmp_path: Path, ending: str) -> None:
    """What was there stays there, and nothing lies beside it."""
    path = tmp_path / f"speech.{ending}"
    path.write_bytes(b"a recording")
    with suppress(KeyboardInterrupt), whole_sound(path, sample_rate=16000) as file:
        file.write(WAVE.astype(np.float32))
        raise KeyboardInterrupt
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"a recording"]


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "opus"])
def test_a_full_disk_is_told_by_the_file(tmp_path: Path, ending: str) -> None:
    """Writing, or closing, raises AudioError with the file's name."""
    path = tmp_path / f"speech.{ending}"
    path.symlink_to("/dev/full")
    noise = np.random.default_rng(1).uniform(-1, 1, 1 << 17).astype(np.float32)
    with pytest.raises(AudioError, match=r"speech\..*cannot be written"), whole_sound(path, sample_rate=16000) as file:
        file.write(noise)


def test_a_recording_without_samples_is_called_so() -> None:
    """Nothing recorded is not silence, also where another chunk follows the empty one."""
    empty = stored(WAVE[:0])
    noted = empty + b"LIST\4\0\0\0INFO"
    noted = noted[:4] + (len(noted) - 8).to_bytes(4, "little") + noted[8:]
    for data in (empty, noted):
        with pytest.raises(AudioError, match="no samples"):
            read_sound(data, what="it")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, wrong: float) -> None:
    """Such a recording is not stored; its error names the file and what is wrong."""
    samples = WAVE.copy()
    samples[100:110] = wrong
    path = tmp_path / "broken.wav"
    path.write_bytes(stored(samples, subtype="FLOAT"))
    with pytest.raises(AudioError, match=r"broken\.wav: 10 of its samples are no numbers"):
        read_any(path)


@pytest.mark.parametrize("data", [b"", b"RIFF", bytes(2000), stored(WAVE, "FLAC")[:40], stored(WAVE)[:30]])
def test_errors_name_files_not_objects(data: bytes) -> None:
    """Nobody can do anything about a BytesIO."""
    with pytest.raises(AudioError, match=r"^it: ") as refused:
        read_sound(data, what="it")
    assert "object at" not in str(refused.value)


def test_a_coding_that_cannot_be_searched_is_read() -> None:
    """Telephone recorders write WAV files in GSM 06.10, of which libsndfile finds no place but the next."""
    assert abs(len(read_sound(stored(WAVE, subtype="GSM610"), what="it").samples) - len(WAVE)) < 320


@given(st.binary(max_size=60), st.integers(0, 100))
def test_no_file_raises_an_unexpected_exception(data: bytes, at: int) -> None:
    """A damaged WAV is read or refused with an AudioError."""
    whole = stored(WAVE[:200])
    with suppress(AudioError):
        read_sound(whole[:at] + data + whole[at + len(data) :], what="it")


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
