"""Encodes voices without features for this model set: fetched, imported, or older than the set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.on_demand import Speaker
from edge_tts.speaking.worker import Work
from edge_tts.values import AudioChunk
from edge_tts.voices.encoding import encoding, was_put_off
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.store import EnrolledVoice


class PendingVoices:
    """Queues one encoding job at a time, at low priority.

    `done` is called on the worker's thread; only `reason` is thread-safe. A failed voice is not retried.
    A voice is queued at the second `poll` that finds it unready: enrolment saves the features a moment later.
    """

    def __init__(
        self,
        *,
        features: FeatureStore,
        internal_jobs: InternalJobs,
        unready: Callable[[], Sequence[EnrolledVoice]],
        done: Callable[[], None],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._features, self._internal_jobs = features, internal_jobs
        self._unready, self._done, self._failed = unready, done, failed
        self._seen: frozenset[VoiceRef] = frozenset()
        self._tried: set[VoiceRef] = set()
        self._reasons: dict[VoiceRef, str] = {}
        self._current: tuple[str, VoiceRef] | None = None

    def poll(self) -> None:
        """Collect the last result and queue the next job; returns at once."""
        if self._current is not None:
            job_id, ref = self._current
            report = self._internal_jobs.ended(job_id)
            if report is None:
                return
            self._internal_jobs.forget()
            self._current = None
            if was_put_off(report):
                self._tried.discard(ref)
            elif report.stage == "failed":
                self._reasons[ref] = str(report.details.get("message", "unknown"))
                self._failed()
        voices, seen = self._unready(), self._seen
        self._seen = frozenset(voice.ref for voice in voices)
        self._tried &= self._seen  # one that was deleted is tried anew once that is undone
        for voice in voices:
            if voice.ref in seen and voice.ref not in self._tried:
                self._tried.add(voice.ref)
                self._current = self._internal_jobs.do(self._encode(voice), priority="low"), voice.ref
                return

    def reason(self, ref: VoiceRef) -> str | None:
        """Why the voice could not be encoded; None if it has not failed."""
        return self._reasons.get(ref)

    def _encode(self, voice: EnrolledVoice) -> Work:
        encode = encoding(voice, self._features)

        def work(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            yield from encode(networks, should_stop)
            self._done()

        return work
