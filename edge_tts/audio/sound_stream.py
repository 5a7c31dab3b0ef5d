"""A stream of 16-bit sound in the format that a caller asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from edge_tts.audio.metadata import info_chunk
from edge_tts.audio.sound_files import StreamEncoder, streamed_formats, streamed_rate
from edge_tts.audio.wave import Resampler, to_pcm16, wav_header

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
