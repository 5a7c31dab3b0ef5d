"""Writes a default voice into a new model set: the timbre of one recording, without a spoken prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_tts.audio.features import SAMPLE_RATE, limit_peak, resample, spectrogram, to_mono
from edge_tts.audio.foreign_sound import decode_file
from edge_tts.engine.load import load_engine
from edge_tts.errors import ModelError


class VoiceFrom:
    """Callable for `convert`: writes voices/default into the folder of finished graphs."""

    def __init__(self, recording: Path) -> None:
        self._recording = recording

    def __call__(self, folder: Path) -> Sequence[str]:
        recording = decode_file(self._recording)
        sound = limit_peak(resample(to_mono(recording.samples), recording.sample_rate, SAMPLE_RATE))
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
