"""Sound files: FLAC in and out, other formats by soundfile or ffmpeg."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from edge_tts.audio.metadata import id3_tag, name_aigc
from edge_tts.audio.provenance import RecentContents, label
from edge_tts.audio.wave import to_pcm16
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray, Recording

LONGEST_S = 600
MOST_SAMPLES = 1 << 26
"""Over all channels: ten minutes of stereo at 48 kHz, 256 MiB as float32."""
_FFMPEG_TIMEOUT_S = 60.0
_UNKNOWN = 1 << 40
"""libsndfile gives a file without a length more frames than this."""
_BLOCK = 1 << 16


_STREAMED = {
    "flac": ("FLAC", "PCM_16"),
    "opus": ("OGG", "OPUS"),
    "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Name of a streamed format -> libsndfile's."""
_STEADY = {"mp3": {"compression_level": 0.6, "bitrate_mode": "CONSTANT"}}
"""Players tell how long an MP3 lasts from its first frame."""
_RATES = {
    "opus": (8000, 12000, 16000, 24000, 48000),
    "mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}


class SoundSink(Protocol):
    def write(self, samples: FloatArray) -> None:
        """Append mono float32 [n]. Raises AudioError."""

    def drain(self) -> None:
        """Return when everything was written."""


class EncodedFile:
    """A loudspeaker that writes a mono file by libsndfile, whole once it is closed."""

    def __init__(self, *, path: Path, sample_rate: int, called: Path, contents: RecentContents | None = None) -> None:
        """FLAC or OGG (Vorbis) by the ending of `called`, its name in errors. `contents`: for its metadata. Raises
        AudioError."""
        form, subtype = _STREAMED[called.suffix.lower().removeprefix(".")]
        self._called, self._path = called, path
        self._file: soundfile.SoundFile = self._do(
            lambda: soundfile.SoundFile(path, "w", sample_rate, 1, subtype, format=form)
        )
        self._is_labelled = contents is not None
        if contents is not None:
            _set_label(self._file, label(contents.latest_first()))

    def write(self, samples: FloatArray) -> None:
        for begin in range(0, len(samples), _BLOCK):  # libsndfile's Vorbis takes stack space by the block
            self._do(partial(self._file.write, to_pcm16(samples[begin : begin + _BLOCK])))

    def drain(self) -> None:
        """Nothing is buffered that `close` does not write."""

    def __enter__(self) -> EncodedFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._do(self._file.close)
        if self._is_labelled:
            self._do(self._name_aigc)

    def _name_aigc(self) -> None:
        with self._path.open("r+b") as file:
            head = name_aigc(file.read(_BLOCK))
            file.seek(0)
            file.write(head)

    def _do(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            why = getattr(error, "error_string", "") or error
            raise AudioError(f"{self._called}: cannot be written ({why})") from error


def _set_label(file: soundfile.SoundFile, label: Mapping[str, str]) -> None:
    """Before the first sample. `name_aigc` mends the album's name."""
    for name, text in label.items():
        setattr(file, "album" if name == "AIGC" else name, text)


class _Stream(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """soundfile seeks after each read, which libsndfile refuses near the end of a FLAC without a length."""

    def seekable(self) -> bool:
        return False


class _Outlet:
    """The file of an encoder whose output has left: what is written at the end comes out, what is mended behind it does
    not."""

    def __init__(self, *, without_first: bool) -> None:
        self._at, self._end, self._taken = 0, 0, bytearray()
        self._skip = without_first

    def write(self, data: Any) -> int:
        written = bytes(data)
        if self._at == self._end and not self._skip:
            self._taken += written
        self._skip = False
        self._at += len(written)
        self._end = max(self._end, self._at)
        return len(written)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = (0, self._at, self._end)[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        return b""

    def take(self) -> bytes:
        taken, self._taken = bytes(self._taken), bytearray()
        return taken


class StreamEncoder:
    """Encodes a mono stream by libsndfile. The length in a header stays unknown, as it has left by then."""

    def __init__(self, name: str, *, sample_rate: int, label: Mapping[str, str] = MappingProxyType({})) -> None:
        """`name` of `streamed_formats`, `sample_rate` by `streamed_rate`, `label` for the metadata.

        Raises AudioError.
        """
        self._tag = id3_tag(label) if name == "mp3" and label else b""
        self._is_first = True
        form, subtype = _STREAMED[name]
        self._outlet = _Outlet(without_first=name == "mp3")  # LAME's tag, empty until the end
        try:
            self._file = soundfile.SoundFile(
                self._outlet, "w", sample_rate, 1, subtype, format=form, **_STEADY.get(name, {})
            )
        except (soundfile.SoundFileError, TypeError, RuntimeError) as refused:
            raise AudioError(f"no {name} can be written here: {refused}") from refused
        if name != "mp3":
            _set_label(self._file, label)

    def push(self, pcm16: npt.NDArray[np.int16]) -> bytes:
        """int16 [n] in, what is encoded by now out."""
        for begin in range(0, len(pcm16), _BLOCK):
            self._file.write(pcm16[begin : begin + _BLOCK])
        return self._take()

    def close(self) -> bytes:
        """The rest."""
        self._file.close()
        return self._take()

    def _take(self) -> bytes:
        taken = self._outlet.take()
        if taken and self._is_first:
            self._is_first = False
            return self._tag + name_aigc(taken)
        return taken


def streamed_formats() -> tuple[str, ...]:
    """Those that this libsndfile writes."""
    return tuple(name for name, (form, subtype) in _STREAMED.items() if soundfile.check_format(form, subtype))


def streamed_rate(name: str, sample_rate: int) -> int:
    """Hz at which sound of `sample_rate` is encoded."""
    return sample_rate if sample_rate in _RATES.get(name, (sample_rate,)) else 48000


class _NotReadError(AudioError):
    """libsndfile does not know it; ffmpeg may."""


def to_flac(recording: Recording) -> bytes:
    """16-bit FLAC of mono float32 [n]; decoded and encoded again it is the same file."""
    buffer = io.BytesIO()
    pcm16 = np.round(recording.samples.astype(np.float64) * 32768).clip(-32768, 32767).astype(np.int16)
    soundfile.write(buffer, pcm16, recording.sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def read_sound(data: bytes, *, what: str, longest_s: int = LONGEST_S, most_samples: int = MOST_SAMPLES) -> Recording:
    """Decodes what libsndfile reads (WAV, FLAC, OGG, MP3, ...). Raises AudioError, for length before decoding,
    and for samples that are no numbers.

    `most_samples`: over all channels.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(_with_length(data))) as file:
            rate, known = int(file.samplerate), file.frames < _UNKNOWN
            if known and file.frames > longest_s * rate:
                raise AudioError(f"{what}: lasts longer than {longest_s} s; cut it to what is to be used")
            if known and file.frames * file.channels > most_samples:
                raise AudioError(
                    f"{what}: unpacks to more than {most_samples} samples; make it mono and convert it to 48000 Hz"
                )
            most_frames = min(longest_s * rate, most_samples // file.channels)
            at_once = known and file.seekable()  # else soundfile must be told how much to read
            samples = file.read(dtype="float32") if at_once else _read_to_end(data, most_frames, what=what)
    except (soundfile.SoundFileError, RuntimeError) as broken:
        why = getattr(broken, "error_string", "") or "it is damaged or cut short"  # str() names the BytesIO
        raise _NotReadError(f"{what}: is no sound that can be read: {why}") from broken
    return _checked(Recording(samples, rate), what=what)


def _read_to_end(data: bytes, most_frames: int, *, what: str) -> FloatArray:
    """Of a file whose header does not say its length, as pipes write it. Raises AudioError."""
    with _Stream(io.BytesIO(data)) as file:
        return _read_blocks(file, most_frames, what=what)


def _read_blocks(file: _Stream, most_frames: int, *, what: str) -> FloatArray:
    blocks, frames = [np.zeros((0, file.channels)[: 1 + (file.channels > 1)], np.float32)], 0
    while len(block := file.read(_BLOCK, dtype="float32")):
        frames += len(block)
        if frames > most_frames:
            raise AudioError(f"{what}: lasts longer than {most_frames // file.samplerate} s; cut it to what is needed")
        blocks.append(block)
    return np.concatenate(blocks)


def _checked(recording: Recording, *, what: str) -> Recording:
    """Raises AudioError for what is not even silence."""
    if not len(recording.samples):
        raise AudioError(f"{what}: there are no samples in it; its recording has failed")
    wrong = int(recording.samples.size - np.isfinite(recording.samples).sum())
    if wrong:
        raise AudioError(
            f"{what}: {wrong} of its samples are no numbers (NaN or infinite); the program that wrote it failed, so"
            " record it again or save it as 16-bit"
        )
    return recording


def _with_length(data: bytes) -> bytes:
    """A WAV whose header says length 0, as pipes write it: with the length that it has."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    end, at = int.from_bytes(data[4:8], "little") + 8, 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            told = size or at + 8 < end <= len(data)  # chunks follow, so the data are really empty
            rest = (len(data) - at - 8).to_bytes(4, "little")
            return data if told else data[: at + 4] + rest + data[at + 8 :]
        at += 8 + size + size % 2
    return data


def read_any(path: Path, *, what: str | None = None) -> Recording:
    """Decodes by libsndfile, else by ffmpeg where installed. `what`: its name in errors. Raises AudioError."""
    what = what or str(path)
    try:
        data = path.read_bytes()
    except OSError as missing:
        raise AudioError(f"{what}: cannot be read ({missing.strerror})") from missing
    try:
        return read_sound(data, what=what)
    except _NotReadError as refused:
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise AudioError(f"{refused} (ffmpeg, which reads more formats, is not installed)") from refused
        return _by_ffmpeg(ffmpeg, path, what=what)


def _by_ffmpeg(ffmpeg: str, path: Path, *, what: str) -> Recording:
    """ffmpeg may open this file only: no network protocol, no playlist."""
    input_options = [ffmpeg, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    output_options = ["-vn", "-t", str(LONGEST_S), "-ac", "1", "-ar", "48000", "-f", "f32le", "-"]
    command = [*input_options, "-i", f"file:{path}", *output_options]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_FFMPEG_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise AudioError(f"{what}: ffmpeg failed: {failed}") from failed
    if done.returncode or not done.stdout:
        tail = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no sound in it"]
        raise AudioError(f"{what}: neither libsndfile nor ffmpeg can read it: {tail[0]}")
    return _checked(Recording(np.frombuffer(done.stdout, "<f4").copy(), 48000), what=what)
