"""What a model set derived from an enrolled voice, kept beside it: read, write, who lacks it. Computes nothing."""

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
"""Part of every fingerprint: a new number has all features made anew."""


def fingerprint(model: ModelSet) -> str:
    """32 hex digits that change when a file of the model set does (its built-in voices aside)."""
    digest = hashlib.sha256(_SPELLING)
    for name in sorted(model.files):
        if not name.startswith("voices/"):
            digest.update(f"{name}\0{model.files[name]}\0".encode())
    return digest.hexdigest()[:32]


class FeatureStore:
    """The derived features of enrolled voices for one model set; those of other sets lie beside them untouched."""

    def __init__(self, *, store: VoiceStore, model: ModelSet) -> None:
        self.store = store
        self._model = model
        self._file = f"{fingerprint(model)}.npz"

    @property
    def file(self) -> str:
        """What they are called in the folder of each voice."""
        return self._file

    def load(self, voice: EnrolledVoice) -> Voice | None:
        """The voice as this model set speaks it; None when its features are not made yet. Raises VoiceError."""
        path = voice.folder / FEATURES / self._file
        if not os.path.exists(path):  # so says the function, unlike the method, also where it may not look
            return None
        arrays = read_features(path, self._model.sizes)
        return Voice(id=voice.ref.id, name=voice.name, language=voice.card.language, **arrays)

    def save(self, voice: EnrolledVoice, made: Voice) -> None:
        """Keep what the encoder made of `voice`. Raises VoiceError, also when the voice was deleted meanwhile."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            prompt_tokens=made.prompt_tokens.astype(np.int64),
            prompt_phoneme_ids=made.prompt_phoneme_ids.astype(np.int64),
            prompt_bert=made.prompt_bert.astype(np.float16),
            conditioning=made.conditioning.astype(np.float32),
        )
        with self.store.changing():
            folder = self.store.get(voice.ref).folder
            write_atomic(make_folder(folder / FEATURES) / self._file, buffer.getvalue())

    def missing(self) -> list[EnrolledVoice]:
        """The voices whose features must be made for this model set: not there, or damaged."""
        return [voice for voice in self.store.stored().voices if not self.is_usable(voice)]

    def is_usable(self, voice: EnrolledVoice) -> bool:
        """Whether the features of that voice are there and whole."""
        try:
            return self.load(voice) is not None
        except VoiceError:
            return False
