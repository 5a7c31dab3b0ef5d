"""Mean opinion scores of a recording, estimated by DNSMOS."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.recordings.mel import RATE, mel_power
from edge_tts.values import FloatArray

_WINDOW = 144160
"""Samples: 9.01 s."""
_FFT, _HOP, _BANDS = 321, 160, 120

# Polynomials from network outputs to ITU-T P.835 scales, constant term last.
_SIGNAL = (-0.08397278, 1.22083953, 0.0052439)
_BACKGROUND = (-0.13166888, 1.60915514, -0.39604546)
_OVERALL = (-0.06766283, 1.11546468, 0.04602535)


@dataclass(frozen=True, slots=True)
class Opinion:
    """1 (bad) to 5 (excellent)."""

    overall: float
    signal: float
    """The voice itself."""
    background: float
    """How little the background disturbs."""
    p808: float
    """Overall, by a second network."""


class MosEstimator:
    """DNSMOS P.835 and P.808 for sound at 16 kHz, within -1 to 1."""

    def __init__(self, *, p835: Engine, p808: Engine) -> None:
        self._p835, self._p808 = p835, p808

    def opinion(self, samples: FloatArray, *, windows: int | None = None) -> Opinion:
        """The mean over windows of 9.01 s, one a second, the first `windows` of them.

        A shorter recording is repeated; it must not be empty.
        """
        while len(samples) < _WINDOW:
            samples = np.concatenate([samples, samples])
        # As in the original, windows whose end is rounded down are dropped.
        starts = [n for n in range(max(1, len(samples) // RATE - 9)) if int((n + 9.01) * RATE) - n * RATE == _WINDOW]
        scores = np.mean([self._scores(samples[n * RATE : n * RATE + _WINDOW]) for n in starts[:windows]], axis=0)
        return Opinion(*(float(score) for score in scores))

    def _scores(self, window: FloatArray) -> tuple[float, float, float, float]:
        signal, background, overall = self._p835.run({"input_1": window[None].astype(np.float32)})["Identity:0"][0]
        mel = mel_power(window[:-_HOP], fft=_FFT, hop=_HOP, bands=_BANDS)
        p808 = self._p808.run({"input_1": (_decibels(mel)[None] + 40) / 40})["Identity:0"][0, 0]
        return (
            float(np.polyval(_OVERALL, overall)),
            float(np.polyval(_SIGNAL, signal)),
            float(np.polyval(_BACKGROUND, background)),
            float(p808),
        )


def load_mos_estimator(folder: Path, stack: ExitStack) -> MosEstimator:
    """With the networks in `folder` (models/quality); `stack` closes them. Raises ModelError."""
    engines = [load_engine(folder / f"{name}.onnx", threads=1) for name in ("dnsmos", "dnsmos_p808")]
    for engine in engines:
        stack.callback(engine.close)
    return MosEstimator(p835=engines[0], p808=engines[1])


def _decibels(power: FloatArray) -> FloatArray:
    """dB below the loudest cell, at most 80, float32."""
    floor = np.float32(1e-10)
    decibels = 10 * (np.log10(np.maximum(power, floor)) - np.log10(max(power.max(), floor)))
    clipped: FloatArray = np.maximum(decibels, decibels.max() - 80).astype(np.float32)
    return clipped
