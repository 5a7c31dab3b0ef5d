"""Brings all voices to one loudness: a gain per voice, measured once on a sentence that it speaks."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_tts.audio.loudness import Limiter, loudness
from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.request import SpeakRequest
from edge_tts.schema import Record, check_json
from edge_tts.values import AudioChunk, ModelSet, Voice

log = logging.getLogger(__name__)

_SENTENCES = {
    "en": "The water in the kettle is hot, and the table has been laid.",
    "zh": "水壶里的水已经烧开了，桌子也摆好了。",
}
_LEAST_DB, _MOST_DB = -20.0, 12.0
_MOST_VOICES = 1000
"""In the file."""


class Stream(Protocol):
    """`Synthesizer.stream`."""

    def __call__(
        self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool] = ..., /
    ) -> Iterator[AudioChunk]: ...


class _LevelsFile(Record):
    """Voice -> LUFS."""

    lufs: dict[str, float]


class VoiceLevels:
    """The loudness of a set's voices, kept in a file. Used by the worker's thread."""

    def __init__(self, *, model: ModelSet, target: float, file: Path) -> None:
        """`target`: LUFS."""
        self._model, self._target, self._file = model, target, file
        self._measured = _read(file)

    def level(self, chunks: Iterable[AudioChunk], gain: float) -> Iterator[AudioChunk]:
        """`chunks` at the target's loudness and without clipping; those that are `levelled` stay as they are."""
        limiter = Limiter(gain=gain, sample_rate=self._model.sample_rate)
        for chunk in chunks:
            samples = chunk.samples / np.float32(gain) if chunk.levelled else chunk.samples
            yield replace(chunk, samples=limiter.push(samples, last=chunk.last))

    def gain(self, voice: Voice, stream: Stream, stop: Callable[[], bool]) -> float:
        """Linear. A voice that was not measured yet is; 1 where that cannot be."""
        key = self._key(voice)
        if key not in self._measured:
            lufs = self._measure(voice, stream, stop)
            if lufs is None:
                return 1.0
            self._measured[key] = lufs
            self._keep()
        change_db = min(max(self._target - self._measured[key], _LEAST_DB), _MOST_DB)
        return float(10 ** (change_db / 20))

    def _measure(self, voice: Voice, stream: Stream, stop: Callable[[], bool]) -> float | None:
        """LUFS of a sentence, with fixed random numbers; None when stopped, and without a sentence for the set."""
        spoken = [one for one in (voice.language, *self._model.languages) if one in _SENTENCES]
        language = next((one for one in spoken if one in self._model.languages), None)
        if language is None:
            return None
        request = SpeakRequest(text=_SENTENCES[language], id="loudness", voice=voice.id, language=language, seed=1)
        sound = [chunk.samples for chunk in stream(request, voice, stop)]
        lufs = None if stop() else loudness(np.concatenate([*sound, np.zeros(0, np.float32)]), self._model.sample_rate)
        if lufs is not None:
            log.debug("the voice %s speaks at %.1f LUFS", voice.name, lufs)
        return lufs

    def _key(self, voice: Voice) -> str:
        """Of the voice and the networks it was made for."""
        digest = hashlib.sha256(repr(sorted(self._model.files.items())).encode())
        digest.update(voice.conditioning.tobytes() + voice.prompt_tokens.tobytes())
        return digest.hexdigest()[:32]

    def _keep(self) -> None:
        latest = dict(list(self._measured.items())[-_MOST_VOICES:])
        try:
            make_folder(self._file.parent)
            write_atomic(self._file, _LevelsFile(lufs=latest).model_dump_json().encode())
        except OSError as error:
            log.info("how loud the voices are cannot be kept in %s: %s", self._file, error)


def _read(file: Path) -> dict[str, float]:
    """Nothing of a file that is missing or damaged: it is measured again."""
    try:
        return dict(check_json(_LevelsFile, file.read_bytes(), error=ValueError, what=str(file)).lufs)
    except (OSError, ValueError):
        return {}
