"""16-bit samples, stream resampling, and WAV files that are valid after every write."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import soxr

from edge_tts.audio.metadata import info_chunk, padded
from edge_tts.audio.provenance import RecentContents, label
from edge_tts.durable.atomic import replacing
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray


def to_pcm16(samples: FloatArray) -> npt.NDArray[np.int16]:
    """float32 [n] in -1 to 1, clipped, as little-endian int16 [n]."""
    return np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")


def from_pcm16(data: bytes) -> FloatArray:
    """The reverse, of whole samples; an odd byte at the end is left out."""
    return np.frombuffer(data[: len(data) & ~1], "<i2").astype(np.float32) / np.float32(32767.0)


def read_stream_header(data: bytes) -> tuple[int, int] | None:
    """Sample rate, and where the sound begins, of a mono 16-bit WAV stream that `data` begins; None until all of its
    header is there. Raises AudioError for anything else."""
    rate, offset = 0, 12
    while len(data) >= offset + 8:
        name, size = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        if name == b"data" and rate:
            return rate, offset + 8
        if name == b"fmt " and len(data) >= offset + 24:
            kind, channels, rate = struct.unpack_from("<HHI", data, offset + 8)
            if (kind, channels) != (1, 1) or struct.unpack_from("<H", data, offset + 22)[0] != 16:
                break
        offset += 8 + size + (size & 1)
    else:
        if len(data) < 12 or (data[:4], data[8:12]) == (b"RIFF", b"WAVE"):
            return None
    raise AudioError("not a mono WAV stream of 16 bits")


class Resampler:
    """Resamples a mono stream (soxr, high quality)."""

    def __init__(self, *, source_hz: int, target_hz: int) -> None:
        self._stream = soxr.ResampleStream(source_hz, target_hz, 1, dtype="float32")

    def push(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        """float32 [n] in, float32 [about n * target/source] out; `last` flushes the filter."""
        out = self._stream.resample_chunk(np.ascontiguousarray(samples, dtype=np.float32), last=last)
        if last:
            self._stream.clear()
        return np.asarray(out, dtype=np.float32)


class WavFile:
    """A Loudspeaker that writes a mono 16-bit WAV file, valid after each write."""

    def __init__(
        self, *, path: Path, sample_rate: int, called: Path | None = None, contents: RecentContents | None = None
    ) -> None:
        """`called`: the file's name in errors, else `path`. `contents`: what its metadata name, at each write."""
        self._contents = contents
        self.sample_rate = sample_rate
        self.path = called or path
        self._written = 0
        """Bytes of sound."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise AudioError(f"{path}: cannot be written ({error.strerror})") from error
        try:
            self.write(np.zeros(0, np.float32))
        except AudioError:
            self._file.close()
            raise

    def write(self, samples: FloatArray) -> None:
        """Append float32 [n]. Raises AudioError, say when the disk is full; the file stays as it was."""
        data = to_pcm16(samples).tobytes()
        try:
            self._put(data, len(self._header(0)) + self._written)
            self._put(self._header(self._written + len(data)), 0)  # last: its size is there then
        except OSError as error:
            raise AudioError(f"{self.path}: cannot be written ({error.strerror})") from error
        self._written += len(data)

    def drain(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> WavFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _header(self, size: int) -> bytes:
        """Of the same length each time."""
        contents = self._contents
        info = b"" if contents is None else padded(info_chunk(label(contents.latest_first())))
        return wav_header(self.sample_rate, size, info)

    def _put(self, data: bytes, offset: int) -> None:
        while data:
            count = os.pwrite(self._file.fileno(), data, offset)
            data, offset = data[count:], offset + count


FileT = TypeVar("FileT")


def whole_wav(
    path: Path, *, sample_rate: int, contents: RecentContents | None = None
) -> AbstractContextManager[WavFile]:
    """Replaces `path` atomically when the block ends well. Raises AudioError."""
    return whole_file(
        path, lambda beside: WavFile(path=beside, sample_rate=sample_rate, called=path, contents=contents)
    )


@contextmanager
def whole_file(path: Path, open_file: Callable[[Path], AbstractContextManager[FileT]]) -> Iterator[FileT]:
    """Like `whole_wav`, for a file that `open_file` opens. Raises AudioError."""
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(replacing(path))
        except OSError as error:
            raise AudioError(f"{path}: cannot be written ({error.strerror})") from error
        with open_file(temporary) as file:
            yield file
        try:
            stack.close()
        except OSError as error:
            raise AudioError(f"{path}: cannot be written ({error.strerror})") from error


def wav_header(sample_rate: int, size: int, info: bytes = b"") -> bytes:
    """44 bytes and `info`, whole chunks, for `size` bytes of mono 16-bit PCM; sizes end at 4 GiB (18 hours), which also
    means unknown."""
    limit = 2**32 - 1
    riff = struct.pack("<4sI4s", b"RIFF", min(36 + len(info) + size, limit), b"WAVE")
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return riff + layout + info + struct.pack("<4sI", b"data", min(size, limit))
