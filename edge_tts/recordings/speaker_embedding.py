"""Speaker embeddings: 256 numbers per recording (Resemblyzer's network), alike for one person."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from edge_tts.engine.contract import Engine
from edge_tts.errors import AudioError
from edge_tts.recordings.mel import mel_power
from edge_tts.values import FloatArray

_FFT, _HOP, _BANDS = 400, 160, 40
_SLICE, _STEP = 160, 77
"""Frames of 10 ms: slices of 1.6 s, 1.3 per second."""
CLOSE_STEP = 38
"""Twice as many, to find a change of speaker."""
_COVERED = 0.75
"""Share of the last slice that must be filled, or it is left out."""
_LEVEL_DB = -30.0


class SpeakerEmbedder:
    """16 kHz sound -> unit vectors; their dot product is 1 for the same speaker."""

    def __init__(self, *, engine: Engine) -> None:
        self._engine = engine

    def slices(self, samples: FloatArray, *, step: int = _STEP) -> FloatArray:
        """float32 [slices, 256]; a slice begins every `step` x 10 ms. Raises AudioError for silence."""
        if not np.any(samples):
            raise AudioError("the recording is silent: there is no speaker in it")
        starts = slice_starts(len(samples), step)
        padded = np.pad(raise_level(samples), (0, max(0, (starts[-1] + _SLICE) * _HOP - len(samples))))
        mel = mel_power(padded, fft=_FFT, hop=_HOP, bands=_BANDS)
        rows = sliding_window_view(mel, _SLICE, axis=0)[starts].swapaxes(1, 2)
        vectors: FloatArray = self._engine.run({"mel": np.ascontiguousarray(rows)})["embedding"]
        return vectors

    def embed(self, samples: FloatArray) -> FloatArray:
        """The mean direction of all slices, float32 [256]."""
        mean = self.slices(samples).mean(axis=0)
        direction: FloatArray = mean / np.linalg.norm(mean)
        return direction


def slice_starts(samples: int, step: int) -> list[int]:
    """First frame of each slice; at least one."""
    frames = samples // _HOP + 1
    starts = list(range(0, max(1, frames - _SLICE + step + 1), step))
    covered = (samples - starts[-1] * _HOP) / (_SLICE * _HOP)
    return starts[:-1] if covered < _COVERED and len(starts) > 1 else starts


def raise_level(samples: FloatArray) -> FloatArray:
    """Amplifies quiet sound to -30 dB of full scale, as in the network's training."""
    level = 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))
    return samples * np.float32(10 ** ((_LEVEL_DB - level) / 20)) if level < _LEVEL_DB else samples
