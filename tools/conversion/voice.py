"""Writes a default voice into a new model set: the timbre of one recording, without a spoken prompt."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_tts.engine import load_engine
from edge_tts.errors import AudioError, ModelError
from edge_tts.speech.features import SAMPLE_RATE, limit_peak, resample, spectrogram, to_mono
from edge_tts.values import FloatArray


class VoiceFrom:
    """Callable for `convert`: writes voices/default into the folder of finished graphs."""

    def __init__(self, recording: Path) -> None:
        self._recording = recording

    def __call__(self, folder: Path) -> Sequence[str]:
        samples, rate = _read_wav(self._recording)
        sound = limit_peak(resample(to_mono(samples), rate, SAMPLE_RATE))
        engine = load_engine(folder / "conditioning.onnx")
        try:
            if "speaker" in engine.inputs:
                raise ModelError("a v2Pro voice needs the speaker verification network; enrol it with the finished set")
            conditioning = engine.run({"spectrogram": spectrogram(sound)[None]})["ge"]
        finally:
            engine.close()
        voice = folder / "voices" / "default"
        voice.mkdir(parents=True)
        nothing = np.zeros(0, np.int64)
        np.savez(voice / "features.npz", prompt_tokens=nothing, prompt_phoneme_ids=nothing, conditioning=conditioning)
        card = {"id": "default", "name": "Default", "language": "auto", "transcript": "", "licence": "unknown"}
        (voice / "voice.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        return ["default"]


def _read_wav(path: Path) -> tuple[FloatArray, int]:
    """Samples float32 [n, channels] and rate of a 16-bit WAV file."""
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2:
                raise AudioError(f"{path}: {8 * file.getsampwidth()} bits per sample; a 16-bit WAV file is expected")
            data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            samples = data.astype(np.float32) / np.float32(32768)
            return samples.reshape(-1, file.getnchannels()), file.getframerate()
    except (OSError, EOFError, wave.Error) as error:
        raise AudioError(f"{path}: cannot be read as a WAV file: {error}") from error
