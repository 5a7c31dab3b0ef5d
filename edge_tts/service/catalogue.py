"""Every voice that can speak now, built-in and enrolled, under one roof. Knows no networks, no queue and no bucket."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.schema import nearest
from edge_tts.store.voice_features import FeatureShelf
from edge_tts.store.voice_store import EnrolledVoice, VoiceStore
from edge_tts.store.voices import BuiltinVoices, VoiceCard
from edge_tts.values import Voice

_SHORTEST_PREFIX = 6


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What was found on the disk."""

    enrolled: Mapping[str, EnrolledVoice] = field(default_factory=dict)
    unready: tuple[EnrolledVoice, ...] = ()
    """Their features for this model set are still to be made."""


class Catalogue:
    """Voices by id. Only `refresh` and `load` look at the disk, so that the rest never waits. Safe from any thread."""

    def __init__(self, *, builtin: BuiltinVoices, store: VoiceStore, shelf: FeatureShelf) -> None:
        self._builtin, self._store, self._features = builtin, store, shelf
        self._shelf = _Shelf()
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Look at the disk again: something was enrolled, renamed, deleted, synced or made ready. Raises VoiceError."""
        with self._lock:
            voices = self._store.shelf().voices
            unready = {voice.ref for voice in self._features.missing()}
            self._shelf = _Shelf(
                {voice.ref.id: voice for voice in voices if voice.ref not in unready},
                tuple(voice for voice in voices if voice.ref in unready),
            )

    def ids(self) -> tuple[str, ...]:
        """Every voice that can speak, the built-in ones first."""
        return (*self._builtin.ids(), *self._shelf.enrolled)

    def unready(self) -> tuple[EnrolledVoice, ...]:
        """The enrolled voices that this model set has not encoded yet."""
        return self._shelf.unready

    def cards(self) -> list[VoiceCard]:
        """All voices as people see them. Raises VoiceError when a built-in one is damaged."""
        enrolled = self._shelf.enrolled.values()
        own = [VoiceCard(voice.ref.id, voice.name, voice.card.language, builtin=False) for voice in enrolled]
        return [*self._builtin.cards(), *own]

    def resolve(self, wanted: str) -> str:
        """The id that an id, 6 digits of it, or the name of an enrolled voice means. Raises UnknownVoiceError."""
        enrolled = self._shelf.enrolled
        if wanted in self.ids():
            return wanted
        prefix = len(wanted) >= _SHORTEST_PREFIX
        found = [key for key, voice in enrolled.items() if voice.name == wanted or (prefix and key.startswith(wanted))]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnknownVoiceError(f"'{wanted}' may mean {len(found)} voices; give the id: {', '.join(found)}")
        if any(wanted in (voice.ref.id, voice.name) for voice in self._shelf.unready):
            raise UnknownVoiceError(f"the voice '{wanted}' is not ready: it is still being encoded for this model set")
        names = [*self.ids(), *(voice.name for voice in enrolled.values())]
        raise UnknownVoiceError(f"there is no voice '{wanted}'{nearest(wanted, names)}")

    def enrolled(self, voice_id: str) -> EnrolledVoice:
        """The enrolled voice of that id. Raises UnknownVoiceError, also for a built-in one: it cannot be changed."""
        voice = self._shelf.enrolled.get(voice_id)
        if voice is None:
            raise UnknownVoiceError(f"'{voice_id}' is no enrolled voice; those that come with the model set stay")
        return voice

    def load(self, voice_id: str) -> Voice:
        """The voice with its features. Raises UnknownVoiceError, or VoiceError when it is damaged or was lost."""
        if voice_id in self._builtin.ids():
            return self._builtin.load(voice_id)
        found = self._shelf.enrolled.get(voice_id)
        if found is None:
            raise UnknownVoiceError(f"there is no voice '{voice_id}'")
        voice = self._features.load(found)
        if voice is None:
            raise VoiceError(f"the voice {found.name} has no features for this model set; enrol or encode it again")
        return voice
