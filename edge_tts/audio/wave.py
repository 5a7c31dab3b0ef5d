"""Samples as numbers and as files: 16-bit conversion, resampling, a WAV file whole while it grows. No devices."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from edge_tts.errors import AudioError
from edge_tts.values import FloatArray


def to_pcm16(samples: FloatArray) -> npt.NDArray[np.int16]:
    """float32 [n] in -1 to 1 as little-endian int16 [n]; what lies outside is clipped."""
    return np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")


class Resampler:
    """A stream of mono sound from one rate to another (soxr, high quality). Keeps the filter's state between blocks."""

    def __init__(self, *, source_hz: int, target_hz: int) -> None:
        self._stream = soxr.ResampleStream(source_hz, target_hz, 1, dtype="float32")

    def push(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        """float32 [n] at the source rate in, float32 [about n * target/source] out; `last` flushes the filter."""
        out = self._stream.resample_chunk(np.ascontiguousarray(samples, dtype=np.float32), last=last)
        if last:
            self._stream.clear()
        return np.asarray(out, dtype=np.float32)


class WavFile:
    """A Loudspeaker that writes a mono 16-bit WAV file, whole after each write, whatever happens next."""

    def __init__(self, *, path: Path, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")
        except OSError as refused:
            raise AudioError(f"{path}: cannot be written ({refused.strerror})") from refused
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115 - closed in close()
        self._wave.setnchannels(1)
        self._wave.setsampwidth(2)
        self._wave.setframerate(sample_rate)
        self.write(np.zeros(0, np.float32))

    def write(self, samples: FloatArray) -> None:
        """Append float32 [n]. Raises AudioError, for instance when the disk is full."""
        try:
            self._wave.writeframes(to_pcm16(samples).tobytes())  # corrects the sizes in the header too
            self._file.flush()
        except OSError as refused:
            raise AudioError(f"{self.path}: cannot be written ({refused.strerror})") from refused

    def drain(self) -> None:
        """Nothing to wait for: what is written is there."""

    def close(self) -> None:
        """End the file."""
        try:
            self._wave.close()
            self._file.close()
        except OSError as refused:
            raise AudioError(f"{self.path}: cannot be written ({refused.strerror})") from refused

    def __enter__(self) -> WavFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
