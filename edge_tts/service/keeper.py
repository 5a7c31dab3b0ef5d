"""Keeps a voice that was enrolled here: recording, consent, measures and features, stored together. Hears nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge_tts.audio.files import read_sound, to_flac
from edge_tts.errors import VoiceError
from edge_tts.schema import check
from edge_tts.service.enrolment import Take
from edge_tts.store.voice_features import FeatureShelf
from edge_tts.store.voice_format import Consent, Quality, sha256
from edge_tts.store.voice_store import NewVoice, VoiceStore
from edge_tts.values import Recording, Voice


class VoiceKeeper:
    """Writes enrolled voices into the store. `clock` gives seconds since 1970; `changed` hears of every new voice."""

    def __init__(
        self,
        *,
        store: VoiceStore,
        shelf: FeatureShelf,
        device: str,
        clock: Callable[[], float],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._shelf, self._device = store, shelf, device
        self._clock, self._changed = clock, changed

    def pack(self, recording: Recording) -> tuple[bytes, Recording]:
        """The recording as a FLAC file, and as whoever reads the file will hear it."""
        audio = to_flac(recording)
        return audio, read_sound(audio, what="the recording")

    def keep(self, take: Take, audio: Sequence[bytes], made: Voice) -> str:
        """Store the voice with its consent and its features; its id. Raises VoiceError."""
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
        self._shelf.save(voice, made)
        self._changed()
        return voice.ref.id
