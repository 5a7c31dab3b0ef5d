"""Every voice that can speak now, built-in and enrolled."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

from edge_tts.errors import AccessError, UnknownVoiceError, VoiceError
from edge_tts.schema import nearest
from edge_tts.values import Voice
from edge_tts.voices.builtin import BuiltinVoices, VoiceCard
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import VoiceRef, same_name
from edge_tts.voices.store import EnrolledVoice, PendingDeletion, VoiceStore, find_ref
from edge_tts.voices.watch import Outline, outline


@dataclass(frozen=True, slots=True)
class _Snapshot:
    enrolled: Mapping[str, EnrolledVoice] = field(default_factory=dict)
    unready: tuple[EnrolledVoice, ...] = ()
    """Without features for this model set."""
    damaged: tuple[tuple[VoiceRef, str], ...] = ()
    """With the reason."""
    deleting: tuple[PendingDeletion, ...] = ()


class Catalogue:
    """Voices by id. Thread-safe; only `refresh`, `is_stale` and `load` touch the disk."""

    def __init__(self, *, builtin: BuiltinVoices, store: VoiceStore, features: FeatureStore) -> None:
        self._builtin, self._store, self._features = builtin, store, features
        self._snapshot = _Snapshot()
        self._seen: Outline = {}
        self._lock = threading.Lock()

    @cached_property
    def _builtin_cards(self) -> list[VoiceCard]:
        """Cached: the set may be removed from the disk while it speaks."""
        return self._builtin.cards()

    def refresh(self) -> None:
        """Read the voices that have changed on the disk. Raises VoiceError."""
        with self._lock:
            seen = self._outline()  # taken first: a change from here on is seen next time
            same = {ref for ref, marks in seen.items() if marks == self._seen.get(ref)}
            ready = {voice.ref: voice for voice in self._snapshot.enrolled.values() if voice.ref in same}
            others = {voice.ref: voice for voice in self._snapshot.unready if voice.ref in same}
            stored = self._store.stored(known={**ready, **others})
            new = [voice for voice in stored.voices if voice.ref not in ready]
            unready = {voice.ref for voice in new if not self._features.is_usable(voice)}
            self._snapshot = _Snapshot(
                {voice.ref.id: voice for voice in stored.voices if voice.ref not in unready},
                tuple(voice for voice in stored.voices if voice.ref in unready),
                stored.damaged,
                self._store.pending_deletions(),
            )
            self._seen = seen

    def is_stale(self) -> bool:
        """Whether the disk has changed since the last `refresh`; reads no file."""
        return self._outline() != self._seen

    def ids(self) -> tuple[str, ...]:
        """Built-in voices first."""
        return (*self._builtin.ids(), *self._snapshot.enrolled)

    def own_ids(self) -> tuple[str, ...]:
        """Of the voices that this device may use by itself, whoever asks."""
        return tuple(voice for voice in self.ids() if self.is_shared(voice))

    def is_shared(self, voice_id: str, name: str = "") -> bool:
        """Whether a voice may speak here for a caller of that name, by its owner's word."""
        snapshot = self._snapshot
        others = (voice for voice in snapshot.unready if voice.ref.id == voice_id)
        voice = snapshot.enrolled.get(voice_id) or next(others, None)
        return voice is None or voice.share.allows(self._store.device, name)

    def existing(self) -> frozenset[str]:
        """The ids of all voices that are not deleted, whether they can speak now or not."""
        snapshot = self._snapshot
        damaged = {ref.id for ref, _ in snapshot.damaged}
        return frozenset({*self.ids(), *damaged, *(voice.ref.id for voice in snapshot.unready)})

    def unready(self) -> tuple[EnrolledVoice, ...]:
        """Enrolled voices without features for this model set."""
        return self._snapshot.unready

    def damaged(self) -> tuple[tuple[VoiceRef, str], ...]:
        """Unreadable enrolled voices, each with the reason."""
        return self._snapshot.damaged

    def deleting(self) -> tuple[PendingDeletion, ...]:
        """Voices whose deletion can be undone."""
        return self._snapshot.deleting

    def cards(self) -> list[VoiceCard]:
        """Raises VoiceError when a built-in voice is damaged."""
        enrolled = self._snapshot.enrolled.values()
        own = [VoiceCard(voice.ref.id, voice.name, voice.card.language, builtin=False) for voice in enrolled]
        return [*self._builtin_cards, *own]

    def resolve(self, query: str) -> str:
        """The full id of `query`: an id, at least 6 digits of one, or a name, in any case. Raises UnknownVoiceError."""
        snapshot = self._snapshot
        if query in (*self._builtin.ids(), *snapshot.enrolled):
            return query
        ready = find_ref(_names(snapshot.enrolled.values()), query)
        if ready is not None:
            return ready.id
        if find_ref(_names(snapshot.unready), query) is not None:
            raise UnknownVoiceError(f"the voice '{query}' is not ready: the daemon has yet to encode it for this set")
        builtin = self._as_builtin(query)
        if builtin is None:
            raise self._unknown(query)
        return builtin

    def resolve_default(self, query: str) -> str:
        """Like `resolve`, for what everybody gets who names no voice. Raises AccessError for one that is not shared
        with this device."""
        voice = self.resolve(query)
        if not self.is_shared(voice):
            text = f"the voice {query} is not shared with this device, so it cannot speak for everybody here"
            raise AccessError(f"{text} (edge-ttsd voices share)", rule="voices share")
        return voice

    def enrolled(self, query: str) -> VoiceRef:
        """Like `resolve`, for a change: any readable enrolled voice, no built-in one. Raises UnknownVoiceError."""
        ref = find_ref(_names((*self._snapshot.enrolled.values(), *self._snapshot.unready)), query)
        self._refuse_builtin(query, ref)
        if ref is None:
            raise self._unknown(query)
        return ref

    def deletable(self, voice_id: str, name: str | None) -> VoiceRef:
        """The enrolled voice of exactly this id and name. A damaged one, whose name cannot be read, needs none, and one
        that is being deleted is there, too. Raises UnknownVoiceError."""
        snapshot = self._snapshot
        names = _names((*snapshot.enrolled.values(), *snapshot.unready))
        names |= {**dict.fromkeys((ref for ref, _ in snapshot.damaged), ""), **self._deleting_names()}
        return self._exact(names, voice_id, name)

    def undeletable(self, voice_id: str, name: str | None) -> VoiceRef:
        """Like `deletable`, for undoing a deletion; the name may be left out."""
        names = self._deleting_names()
        return self._exact(names if name else dict.fromkeys(names, ""), voice_id, name)

    def load(self, voice_id: str) -> Voice:
        """The voice with its features. Raises UnknownVoiceError, or VoiceError when they are damaged or lost."""
        if voice_id in self._builtin.ids():
            return self._builtin.load(voice_id)
        enrolled = self._snapshot.enrolled.get(voice_id)
        if enrolled is None:
            raise UnknownVoiceError(f"there is no voice '{voice_id}'")
        voice = self._features.load(enrolled)
        if voice is None:
            self._store.get(enrolled.ref)  # raises if it was deleted since `refresh`
            raise VoiceError(f"the voice {enrolled.name} has no features for this model set; enrol or encode it again")
        return voice

    def any_two(self) -> list[Voice]:
        """Voices that can speak now, built-in ones first; fewer where there are no two."""
        voices: list[Voice] = []
        for voice_id in self.ids():
            with suppress(VoiceError):
                voices.append(self.load(voice_id))
            if len(voices) == 2:
                break
        return voices

    def _outline(self) -> Outline:
        return outline(self._store.directory, features=self._features.file)

    def _deleting_names(self) -> dict[VoiceRef, str]:
        return {one.ref: one.name for one in self._snapshot.deleting}

    def _exact(self, names: Mapping[VoiceRef, str], voice_id: str, name: str | None) -> VoiceRef:
        ref = next((ref for ref in names if ref.id == voice_id), None)
        self._refuse_builtin(voice_id, ref)
        if ref is None:
            listed = "the retained topic `voices` lists ids and names"
            raise UnknownVoiceError(f"there is no such voice with the id '{voice_id}'; {listed}")
        if names[ref] and name is None:
            raise UnknownVoiceError(f"the voice {voice_id} has a name, which must be given, too: key 'name'")
        if names[ref] and not same_name(names[ref], name or ""):
            raise UnknownVoiceError(f"the voice {voice_id} has another name than '{name}'")
        return ref

    def _refuse_builtin(self, query: str, ref: VoiceRef | None) -> None:
        if query in self._builtin.ids() or (ref is None and self._as_builtin(query) is not None):
            raise UnknownVoiceError(f"'{query}' is no enrolled voice; those that come with the model set stay")

    def _as_builtin(self, query: str) -> str | None:
        """The id of a built-in voice, by its id or a name that it alone has, in any case."""
        folded = query.casefold()
        ids = [voice for voice in self._builtin.ids() if voice.casefold() == folded]
        if not ids:
            with suppress(VoiceError):  # one is damaged, and tells no name
                ids = [card.id for card in self._builtin_cards if card.name.casefold() == folded]
        return ids[0] if len(ids) == 1 else None

    def _unknown(self, query: str) -> UnknownVoiceError:
        own = (*self._snapshot.enrolled.values(), *self._snapshot.unready)
        names = [*self.ids(), *(voice.name for voice in own)]
        return UnknownVoiceError(f"there is no voice '{query}'{nearest(query, names)}")


def _names(voices: Iterable[EnrolledVoice]) -> dict[VoiceRef, str]:
    return {voice.ref: voice.name for voice in voices}
