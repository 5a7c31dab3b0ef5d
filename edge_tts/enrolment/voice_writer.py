"""Stores an enrolled voice: recordings, consent, measures and features."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from edge_tts.audio.sound_files import read_sound, to_flac
from edge_tts.enrolment.requests import AcceptedRecording, Person
from edge_tts.errors import VoiceError
from edge_tts.schema import check
from edge_tts.values import Recording, Voice
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import Consent, Quality, check_display_name, same_name, sha256
from edge_tts.voices.store import NewVoice, VoiceStore

log = logging.getLogger(__name__)


class VoiceWriter:
    """Writes voices into the store. `clock` gives seconds since 1970; `changed` is called after each new voice."""

    def __init__(
        self,
        *,
        store: VoiceStore,
        features: FeatureStore,
        device: str,
        clock: Callable[[], float],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._features, self._device = store, features, device
        self._clock, self._changed = clock, changed

    def is_taken(self, person: Person) -> bool:
        check_display_name(person.name)
        voices = self._store.stored().voices
        return any(voice.ref.owner == person.owner and same_name(voice.name, person.name) for voice in voices)

    def pack(self, recording: Recording) -> tuple[bytes, Recording]:
        audio = to_flac(recording)
        return audio, read_sound(audio, what="the recording")

    def keep(self, take: AcceptedRecording, audio: Sequence[bytes], made: Voice) -> str:
        if self.is_taken(take.person):
            raise VoiceError(f"there is a voice called '{take.person.name}' already: rename or delete it first")
        consent = None
        if take.statement is not None:
            fields = {
                "statement": take.statement,
                "language": take.person.language,
                "audio_sha256": sha256(audio[take.stated_in]),
                "time": int(self._clock()),
                "device": self._device,
            }
            consent = check(Consent, fields, error=VoiceError, what="the consent")
        measures = take.verdict.measures
        quality = Quality(measures=dict(measures.record())) if measures else None
        voice = self._store.add(
            NewVoice(
                owner=take.person.owner,
                name=take.person.name,
                language=take.person.language,
                transcript=take.transcript,
                recordings=audio,
                consent=consent,
                quality=quality,
            )
        )
        try:
            self._features.save(voice, made)
            self._changed()
        except VoiceError as trouble:
            log.warning("%s is stored, but not ready; it will be encoded again: %s", voice.name, trouble)
        return voice.ref.id
