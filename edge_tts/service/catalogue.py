"""Every voice that can speak now, built-in and enrolled, under one roof. Knows no networks, no queue and no bucket."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.schema import nearest
from edge_tts.store.voice_features import FeatureShelf
from edge_tts.store.voice_store import EnrolledVoice, VoiceStore
from edge_tts.store.voice_watch import Outline, outline
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
    """Voices by id. Only `refresh`, `is_stale` and `load` look at the disk; nothing else waits. For any thread."""

    def __init__(self, *, builtin: BuiltinVoices, store: VoiceStore, shelf: FeatureShelf) -> None:
        self._builtin, self._store, self._features = builtin, store, shelf
        self._shelf = _Shelf()
        self._seen: Outline = frozenset()
        self._lock = threading.Lock()

    @cached_property
    def _builtin_cards(self) -> list[VoiceCard]:
        """Read once: they never change, and the set may be taken from the disk while it speaks."""
        return self._builtin.cards()

    def refresh(self) -> None:
        """Look at the disk again: something was enrolled, renamed, deleted, synced or made ready. Raises VoiceError."""
        with self._lock:
            seen = self._outline()  # before: what changes while we look is seen the next time
            voices = self._store.shelf().voices
            unready = {voice.ref for voice in self._features.missing()}
            self._shelf = _Shelf(
                {voice.ref.id: voice for voice in voices if voice.ref not in unready},
                tuple(voice for voice in voices if voice.ref in unready),
            )
            self._seen = seen

    def is_stale(self) -> bool:
        """Whether the disk has changed since the last `refresh`. Cheap."""
        return self._outline() != self._seen

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
        return [*self._builtin_cards, *own]

    def resolve(self, wanted: str) -> str:
        """The id that an id, 6 digits of it, or the name of an enrolled voice means. Raises UnknownVoiceError."""
        shelf = self._shelf
        if wanted in (*self._builtin.ids(), *shelf.enrolled):
            return wanted
        voice = _the_one(shelf.enrolled.values(), wanted)
        if voice is not None:
            return voice.ref.id
        if _the_one(shelf.unready, wanted) is not None:
            raise UnknownVoiceError(f"the voice '{wanted}' is not ready: this model set has not encoded it yet")
        raise self._unknown(wanted)

    def enrolled(self, wanted: str) -> EnrolledVoice:
        """The enrolled voice, ready or not, that an id, 6 digits of it, or a name means: it is to be changed.

        Raises UnknownVoiceError, also for a built-in one: that cannot be changed.
        """
        shelf = self._shelf
        if wanted in self._builtin.ids():
            raise UnknownVoiceError(f"'{wanted}' is no enrolled voice; those that come with the model set stay")
        voice = _the_one((*shelf.enrolled.values(), *shelf.unready), wanted)
        if voice is None:
            raise self._unknown(wanted)
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
            self._store.get(found.ref)  # says so if it was deleted since we looked
            raise VoiceError(f"the voice {found.name} has no features for this model set; enrol or encode it again")
        return voice

    def _outline(self) -> Outline:
        return outline(self._store.directory, features=self._features.file)

    def _unknown(self, wanted: str) -> UnknownVoiceError:
        own = (*self._shelf.enrolled.values(), *self._shelf.unready)
        names = [*self.ids(), *(voice.name for voice in own)]
        return UnknownVoiceError(f"there is no voice '{wanted}'{nearest(wanted, names)}")


def _the_one(voices: Iterable[EnrolledVoice], wanted: str) -> EnrolledVoice | None:
    """The voice of that id, else of its first digits or that name; None if there is none. Raises UnknownVoiceError."""
    prefix = len(wanted) >= _SHORTEST_PREFIX
    found = [v for v in voices if v.name == wanted or (prefix and v.ref.id.startswith(wanted))]
    found = [voice for voice in found if voice.ref.id == wanted] or found
    if len(found) > 1:
        ids = ", ".join(voice.ref.id for voice in found)
        raise UnknownVoiceError(f"'{wanted}' may mean {len(found)} voices; give the id: {ids}")
    return found[0] if found else None
