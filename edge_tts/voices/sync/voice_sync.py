"""One sync, from opening the bucket to the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edge_tts.buckets.bucket import Bucket, Place
from edge_tts.buckets.credentials import read_secrets
from edge_tts.errors import EdgeTTSError, named
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.executor import NOTES, SyncExecutor
from edge_tts.voices.sync.notes import NotesFile, Publish, SyncReport


class VoiceSync:
    """Syncs `store` with the bucket at `place`; reads the credentials anew each time."""

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
        """The result of the last sync, by any process."""
        return self._notes.read().report

    def __call__(
        self,
        *,
        publish: Publish = lambda report: None,
        abandon: Callable[[], bool] = lambda: False,
        thorough: bool = False,
    ) -> SyncReport:
        """One sync. Errors are in the report."""
        used_before = self._notes.read().used
        try:
            secrets = read_secrets(self._place.kind, self._environ)
            with Bucket(
                place=self._place, secrets=secrets, abandon=abandon, used_before=used_before, clock=self._clock
            ) as bucket:
                executor = SyncExecutor(
                    store=self._store, bucket=bucket, name=self._place.url, clock=self._clock, owners=self._owners
                )
                return executor.run(publish=publish, thorough=thorough)
        except Exception as error:  # noqa: BLE001 - a bucket is outside: it may make its library raise anything
            report = self._not_opened(named(error, "sync"))
            publish(report)
            return report

    def _not_opened(self, error: EdgeTTSError) -> SyncReport:
        now = self._clock()
        return SyncReport(
            bucket=self._place.url,
            status="failed",
            started=now,
            finished=now,
            last_success=self.last().last_success,
            error=str(error),
        )
