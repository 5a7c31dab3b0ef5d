"""Marks that say that a machine made the sound: an audible one before speech, an inaudible one in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from edge_tts.audio.chime import cue_sound
from edge_tts.audio.inaudible_mark import Marker
from edge_tts.config import MarkingConfig
from edge_tts.request import SpeakRequest
from edge_tts.values import AudioChunk, GuardCounts, Voice

_SENTENCES = {
    "en": "This is a computer's voice.",
    "zh": "以下语音由人工智能合成。",
}
Stream = Callable[[SpeakRequest], Iterator[AudioChunk]]


class Cue:
    """Goes wherever the speech goes: to the loudspeaker, into files and to callers."""

    def __init__(self, config: MarkingConfig) -> None:
        self._config = config

    def before(self, request: SpeakRequest, voice: Voice, stream: Stream) -> Iterator[AudioChunk]:
        """The chunks of `stream(request)`, marked."""
        chunks = self._cued(request, voice, stream)
        return _with_inaudible_mark(chunks) if self._config.inaudible else chunks

    def _cued(self, request: SpeakRequest, voice: Voice, stream: Stream) -> Iterator[AudioChunk]:
        kind = "none" if request.priority in self._config.exempt else self._config.cue
        if kind == "spoken":
            yield from self._sentence(request, voice, stream)
        mark = kind if kind in ("chime", "morse") else None
        for chunk in stream(request):
            if mark is not None and len(chunk.samples):  # with the first sound, so that there is no gap behind it
                chunk = replace(chunk, samples=np.concatenate([cue_sound(mark, chunk.sample_rate), chunk.samples]))
                mark = None
            yield chunk

    def _sentence(self, request: SpeakRequest, voice: Voice, stream: Stream) -> Iterator[AudioChunk]:
        text = _SENTENCES.get(voice.language, _SENTENCES["en"])
        language = voice.language if voice.language in _SENTENCES else "en"
        said = {"text": text, "language": language, "ssml": False, "split": "auto"}
        for chunk in stream(request.model_copy(update=said)):
            yield replace(chunk, last=False, warnings=(), guard=GuardCounts(), cached=False)


def _with_inaudible_mark(chunks: Iterator[AudioChunk]) -> Iterator[AudioChunk]:
    marker: Marker | None = None
    for chunk in chunks:
        marker = marker or Marker(chunk.sample_rate)
        yield replace(chunk, samples=marker.push(chunk.samples, last=chunk.last))
