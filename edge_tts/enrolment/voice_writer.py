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

    def keep(self, accepted: AcceptedRecording, audio: Sequence[bytes], features: Voice) -> str:
        if self.is_taken(accepted.person):
            raise VoiceError(f"there is a voice called '{accepted.person.name}' already: rename or delete it first")
        consent = None
        if accepted.statement is not None:
            fields = {
                "statement": accepted.statement,
                "language": accepted.person.language,
                "audio_sha256": sha256(audio[accepted.stated_in]),
                "time": int(self._clock()),
                "device": self._device,
                "words_score": accepted.words_score,
            }
            consent = check(Consent, fields, error=VoiceError, what="the consent")
        measures = accepted.verdict.measures
        quality = Quality(measures=dict(measures.record())) if measures else None
        voice = self._store.add(
            NewVoice(
                owner=accepted.person.owner,
                name=accepted.person.name,
                language=accepted.person.language,
                transcript=accepted.transcript,
                recordings=audio,
                consent=consent,
                quality=quality,
            )
        )
        try:
            self._features.save(voice, features)
            self._changed()
        except VoiceError as error:
            log.warning("%s is stored, but not ready; it will be encoded again: %s", voice.name, error)
        return voice.ref.id
