"""The features of an enrolled voice, made as a job of the worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edge_tts.audio.foreign_sound import decode_sound
from edge_tts.speaking.on_demand import Encoder, Speaker
from edge_tts.speaking.worker import Work
from edge_tts.values import AudioChunk, EncodeRequest, Recording, Report
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import LONGEST_S, MOST_SAMPLES
from edge_tts.voices.store import EnrolledVoice, VoiceStore


def encoding(voice: EnrolledVoice, features: FeatureStore, *, encoder: Encoder | None = None) -> Work:
    """Work that encodes `voice` and stores its features; `encoder` None: the worker's own networks."""
    card = voice.card

    def work(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        recordings = _recordings(voice, features.store)
        request = EncodeRequest(voice.ref.id, voice.name, card.language, card.transcript, recordings)
        features.save(voice, (encoder or networks).encode(request, should_stop))
        yield from ()

    return work


def _recordings(voice: EnrolledVoice, store: VoiceStore) -> list[Recording]:
    """The decoded recordings, within a new voice's limits: the voice may be older. Raises VoiceError, AudioError."""
    recordings: list[Recording] = []
    left = MOST_SAMPLES
    for name in voice.card.recordings:
        data = store.read(voice, name)
        recordings.append(decode_sound(data, what=name, longest_s=LONGEST_S, most_samples=left))
        left -= recordings[-1].samples.size
    return recordings


def was_put_off(report: Report) -> bool:
    """Whether the job was stopped or dropped from a full queue, so that a retry makes sense."""
    return report.stage == "interrupted" or report.details.get("error") == "QueueFullError"
