"""Has the voices encoded that this model set does not know yet: fetched, imported, older than the set. No hurry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edge_tts.audio.files import read_sound
from edge_tts.service.errands import Errands
from edge_tts.service.worker import Speaker
from edge_tts.store.voice_features import FeatureShelf
from edge_tts.store.voice_format import VoiceRef
from edge_tts.store.voice_store import EnrolledVoice, VoiceStore
from edge_tts.values import AudioChunk, Report


class Readying:
    """Puts one voice at a time into the worker's line, at low priority, so that speech always comes first.

    `unready` tells which voices are waiting, `done` hears of every one that can speak now. A voice that cannot be
    encoded is tried once per run of the process: the report says why. Used by one thread.
    """

    def __init__(
        self,
        *,
        store: VoiceStore,
        shelf: FeatureShelf,
        errands: Errands,
        unready: Callable[[], Sequence[EnrolledVoice]],
        done: Callable[[], None],
    ) -> None:
        self._store, self._shelf, self._errands = store, shelf, errands
        self._unready, self._done = unready, done
        self._tried: set[VoiceRef] = set()
        self._current: tuple[str, VoiceRef] | None = None

    def look(self) -> None:
        """Take on the next voice if there is one and none is under way. To be called now and then; returns at once."""
        if self._current is not None:
            errand, ref = self._current
            report = self._errands.ended(errand)
            if report is None:
                return
            if _was_put_off(report):
                self._tried.discard(ref)
            self._errands.forget()
            self._current = None
        for voice in self._unready():
            if voice.ref not in self._tried:
                self._tried.add(voice.ref)
                self._current = self._errands.do(self._encode(voice), priority="low"), voice.ref
                return

    def _encode(self, voice: EnrolledVoice) -> Callable[[Speaker, Callable[[], bool]], Iterator[AudioChunk]]:
        card = voice.card

        def work(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            recordings = [read_sound(self._store.read(voice, name), what=name) for name in card.recordings]
            made = networks.encode(recordings, card.transcript, card.language, voice_id=voice.ref.id, name=voice.name)
            self._shelf.save(voice, made)
            self._done()
            yield from ()

        return work


def _was_put_off(report: Report) -> bool:
    """Stopped, or crowded out of the line: no fault of the voice's."""
    return report.stage == "interrupted" or report.details.get("error") == "QueueFullError"
