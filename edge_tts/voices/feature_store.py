"""Derived features of enrolled voices, stored beside each voice per model set."""

from __future__ import annotations

import hashlib
import io
import os

import numpy as np

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.errors import VoiceError
from edge_tts.values import ModelSet, Voice
from edge_tts.voices.builtin import read_features
from edge_tts.voices.store import EnrolledVoice, VoiceStore
from edge_tts.voices.voice_folder import FEATURES

_SPELLING = b"features 1"
"""Part of every fingerprint: a new number invalidates all features."""


def fingerprint(model: ModelSet) -> str:
    """32 hex digits over the set's files, except its built-in voices."""
    digest = hashlib.sha256(_SPELLING)
    for name in sorted(model.files):
        if not name.startswith("voices/"):
            digest.update(f"{name}\0{model.files[name]}\0".encode())
    return digest.hexdigest()[:32]


class FeatureStore:
    """The features of enrolled voices for one model set."""

    def __init__(self, *, store: VoiceStore, model: ModelSet) -> None:
        self.store = store
        self._model = model
        self.file = f"{fingerprint(model)}.npz"
        """Their file name in each voice's folder."""

    def load(self, voice: EnrolledVoice) -> Voice | None:
        """The voice with its features; None when they are not made yet. Raises VoiceError."""
        path = voice.folder / FEATURES / self.file
        if not os.path.exists(path):  # unlike Path.exists, False without permission too
            return None
        arrays = read_features(path, self._model.sizes)
        return Voice(id=voice.ref.id, name=voice.name, language=voice.card.language, **arrays)

    def save(self, voice: EnrolledVoice, encoded: Voice) -> None:
        """Store the encoder's result. Raises VoiceError, also when the voice was deleted meanwhile."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            prompt_tokens=encoded.prompt_tokens.astype(np.int64),
            prompt_phoneme_ids=encoded.prompt_phoneme_ids.astype(np.int64),
            prompt_bert=encoded.prompt_bert.astype(np.float16),
            conditioning=encoded.conditioning.astype(np.float32),
        )
        with self.store.changing():
            folder = self.store.get(voice.ref).folder
            write_atomic(make_folder(folder / FEATURES) / self.file, buffer.getvalue())

    def missing(self) -> list[EnrolledVoice]:
        """The voices whose features are missing or damaged."""
        return [voice for voice in self.store.stored().voices if not self.is_usable(voice)]

    def is_usable(self, voice: EnrolledVoice) -> bool:
        try:
            return self.load(voice) is not None
        except VoiceError:
            return False
