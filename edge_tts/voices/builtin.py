"""The voices that come with a model set."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.schema import Record, check_json, nearest
from edge_tts.values import ModelSet, ModelSizes, Voice
from edge_tts.voices.format import UNREADABLE_ZIP


class _Card(Record):
    """voice.json"""

    id: str
    name: str
    language: str
    transcript: str
    licence: str


@dataclass(frozen=True, slots=True)
class VoiceCard:
    """A voice in listings."""

    id: str
    name: str
    language: str
    builtin: bool


class BuiltinVoices:
    """The voices in a set's manifest: `DIRECTORY/voices/ID/{voice.json,features.npz}`."""

    def __init__(self, model: ModelSet) -> None:
        self._model = model

    def ids(self) -> tuple[str, ...]:
        return self._model.voices

    def cards(self) -> list[VoiceCard]:
        """Raises VoiceError when a voice is damaged."""
        cards = [self._card(self._folder(voice)) for voice in self.ids()]
        return [VoiceCard(id=card.id, name=card.name, language=card.language, builtin=True) for card in cards]

    def load_all(self) -> list[Voice]:
        """Raises VoiceError when a voice is damaged."""
        return [self.load(voice) for voice in self.ids()]

    def load(self, voice: str) -> Voice:
        """The voice with its features. Raises UnknownVoiceError, or VoiceError when its files are damaged."""
        if voice not in self.ids():
            raise UnknownVoiceError(f"there is no voice '{voice}'{nearest(voice, list(self.ids()))}")
        folder = self._folder(voice)
        card = self._card(folder)
        features = read_features(folder / "features.npz", self._model.sizes)
        return Voice(id=card.id, name=card.name, language=card.language, builtin=True, **features)

    def _folder(self, voice: str) -> Path:
        return self._model.directory / "voices" / voice

    def _card(self, folder: Path) -> _Card:
        path = folder / "voice.json"
        try:
            card = check_json(_Card, path.read_bytes(), error=VoiceError, what=str(path))
        except OSError as unreadable:
            raise VoiceError(f"{path}: cannot be read ({unreadable.strerror})") from unreadable
        if card.id != folder.name:
            raise VoiceError(f"{path}: the id is '{card.id}' but the folder is called '{folder.name}'")
        return card


def read_features(path: Path, sizes: ModelSizes) -> dict[str, Any]:
    """The arrays of `Voice` in an .npz file, shapes and values checked, never unpickled. Raises VoiceError."""
    try:
        with zipfile.ZipFile(path) as stored:
            # Read whole, so that zipfile compares the checksum before numpy parses anything.
            members = {name.removesuffix(".npy"): stored.read(name) for name in stored.namelist()}
        arrays = {name: _npy(data) for name, data in members.items()}
    except UNREADABLE_ZIP as broken:
        raise VoiceError(f"{path}: is not a readable feature file: {broken}") from broken
    tokens = _array(path, arrays, "prompt_tokens", np.int64, (None,))
    phonemes = _array(path, arrays, "prompt_phoneme_ids", np.int64, (None,))
    if "prompt_bert" not in arrays:
        arrays["prompt_bert"] = np.zeros((len(phonemes), sizes.bert_width), np.float16)
    bert = _array(path, arrays, "prompt_bert", np.float32, (len(phonemes), sizes.bert_width))
    conditioning = _array(path, arrays, "conditioning", np.float32, (1, sizes.conditioning_width, 1))
    if len(tokens) and (tokens.min() < 0 or tokens.max() >= sizes.tokens - 1):
        raise VoiceError(f"{path}: prompt_tokens has ids outside 0 to {sizes.tokens - 2}")
    return {
        "prompt_tokens": tokens,
        "prompt_phoneme_ids": phonemes,
        "prompt_bert": bert,
        "conditioning": conditioning,
    }


def _npy(data: bytes) -> npt.NDArray[Any]:
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("an archive stands where an array should")
    return array


def _array(
    path: Path,
    arrays: dict[str, npt.NDArray[Any]],
    name: str,
    dtype: type[np.generic],
    shape: tuple[int | None, ...],
) -> npt.NDArray[Any]:
    """`arrays[name]` as `dtype` with that shape (None: any length). Raises VoiceError."""
    if name not in arrays:
        raise VoiceError(f"{path}: the array {name} is missing")
    array = arrays[name]
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or not np.can_cast(array.dtype, dtype, "same_kind"):
        raise VoiceError(f"{path}: {name} is {array.dtype} {array.shape}; {np.dtype(dtype)} {shape} is expected")
    if np.issubdtype(dtype, np.floating) and not np.isfinite(array).all():
        raise VoiceError(f"{path}: {name} holds values that are not finite")
    return array.astype(dtype)
