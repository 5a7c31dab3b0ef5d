"""One sync, from opening the bucket to the report: puts store, bucket and syncer together. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edge_tts.errors import TransportError
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.bucket import Bucket, Place
from edge_tts.voices.sync.credentials import read_secrets
from edge_tts.voices.sync.executor import NOTES, SyncExecutor
from edge_tts.voices.sync.notes import NotesFile, Publish, SyncReport


class VoiceSync:
    """Syncs `store` with the bucket at `place`, credentials being looked for anew each time."""

    def __init__(
        self,
        *,
        store: VoiceStore,
        place: Place,
        environ: Mapping[str, str],
        clock: Callable[[], float],
        owners: Sequence[str] | None = None,
    ) -> None:
        self._store = store
        self._place = place
        self._environ = environ
        self._clock = clock
        self._owners = owners
        self._notes = NotesFile(store.directory / NOTES, bucket=place.url)

    def last(self) -> SyncReport:
        """How the last sync ended, whichever process made it."""
        return self._notes.read().report

    def __call__(
        self,
        *,
        publish: Publish = lambda report: None,
        abandon: Callable[[], bool] = lambda: False,
        thorough: bool = False,
    ) -> SyncReport:
        """One sync; a bucket that cannot be opened is a report of status failed, like every other trouble."""
        notes = self._notes.read()
        try:
            secrets = read_secrets(self._place.kind, self._environ)
            with Bucket(
                place=self._place, secrets=secrets, abandon=abandon, used_before=notes.used, clock=self._clock
            ) as bucket:
                syncer = SyncExecutor(
                    store=self._store,
                    bucket=bucket,
                    name=self._place.url,
                    clock=self._clock,
                    publish=publish,
                    owners=self._owners,
                )
                return syncer.run(thorough=thorough)
        except TransportError as closed:
            now = self._clock()
            report = SyncReport(
                bucket=self._place.url,
                status="failed",
                started=now,
                finished=now,
                last_success=notes.report.last_success,
                error=str(closed),
            )
            publish(report)
            return report
