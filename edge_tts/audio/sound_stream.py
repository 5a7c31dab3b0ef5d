"""Sound in the format that a caller asked for: as a stream of bytes, or as a file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import MappingProxyType

import numpy as np

from edge_tts.audio.metadata import info_chunk
from edge_tts.audio.provenance import RecentContents, label
from edge_tts.audio.sound_files import EncodedFile, SoundSink, StreamEncoder, streamed_formats, streamed_rate
from edge_tts.audio.wave import Resampler, to_pcm16, wav_header, whole_file, whole_wav
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray

PCM_RATE = 24000
"""Hz of `pcm`, which says nothing of its rate: that of OpenAI's."""
_UNKNOWN = 1 << 32

KINDS = {
    "wav": "audio/wav",
    "pcm": "audio/pcm",
    "raw": "audio/raw",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
}
"""Format -> its media type. `raw`: samples at the model set's rate."""


def available_formats() -> tuple[str, ...]:
    """Of KINDS, those that can be had on this machine."""
    return tuple(name for name in KINDS if name in ("wav", "pcm", "raw", *streamed_formats()))


class SoundStream:
    """`push` and `close` return what may be sent on."""

    def __init__(self, name: str, *, sample_rate: int, label: Mapping[str, str] = MappingProxyType({})) -> None:
        """`name` of `available_formats`, `label` for the metadata. Raises AudioError."""
        encoded = name in streamed_formats()
        rate = PCM_RATE if name == "pcm" else streamed_rate(name, sample_rate)
        self._resampler = None if rate == sample_rate else Resampler(source_hz=sample_rate, target_hz=rate)
        self._encoder = StreamEncoder(name, sample_rate=rate, label=label) if encoded else None
        self._header = wav_header(rate, _UNKNOWN, info_chunk(label)) if name == "wav" else b""

    def push(self, pcm16: bytes, *, last: bool = False) -> bytes:
        """Little-endian int16 in."""
        samples = np.frombuffer(pcm16, "<i2")
        if self._resampler is not None:
            samples = to_pcm16(self._resampler.push(samples.astype(np.float32) / np.float32(32767), last=last))
        header, self._header = self._header, b""
        return header + (samples.tobytes() if self._encoder is None else self._encoder.push(samples))

    def close(self) -> bytes:
        return self.push(b"", last=True) + (b"" if self._encoder is None else self._encoder.close())


class _StreamedFile:
    """A file of what a `SoundStream` makes, whole once it is closed."""

    def __init__(self, *, path: Path, called: Path, stream: SoundStream) -> None:
        """`called`: the file's name in errors. Raises AudioError."""
        self._called, self._stream = called, stream
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise self._refused(error) from error

    def write(self, samples: FloatArray) -> None:
        self._put(self._stream.push(to_pcm16(samples).tobytes()))

    def drain(self) -> None:
        """Nothing is buffered that `close` does not write."""

    def __enter__(self) -> _StreamedFile:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._put(self._stream.close())
        finally:
            with suppress(OSError):  # that of `_put` again
                self._file.close()

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> AudioError:
        return AudioError(f"{self._called}: cannot be written ({error.strerror})")


_FILES = ("wav", "flac", "ogg", "mp3", "opus")
"""Of KINDS, those of files; each ends with a dot and its name."""


def check_writable(path: Path) -> None:
    """Raises AudioError for an output whose name has another ending than those written here; a device may have any."""
    written = [f".{name}" for name in _FILES if name in available_formats()]
    if path.suffix.lower() not in written and (path.is_file() or not path.exists()):
        known = f"{', '.join(written[:-1])} or {written[-1]}"
        raise AudioError(f"{path}: what is written goes by the ending of the name: {known}")


def whole_sound(
    path: Path, *, sample_rate: int, contents: RecentContents | None = None
) -> AbstractContextManager[SoundSink]:
    """Replaces `path` atomically when the block ends well, in a format by its ending, `contents` in its metadata.
    Raises AudioError."""
    check_writable(path)
    name = path.suffix.lower().removeprefix(".")
    if name in ("flac", "ogg"):
        return whole_file(
            path, lambda beside: EncodedFile(path=beside, sample_rate=sample_rate, called=path, contents=contents)
        )
    if name in ("mp3", "opus"):
        said = label([] if contents is None else contents.latest_first())
        stream = SoundStream(name, sample_rate=sample_rate, label=said)
        return whole_file(path, lambda beside: _StreamedFile(path=beside, called=path, stream=stream))
    return whole_wav(path, sample_rate=sample_rate, contents=contents)
