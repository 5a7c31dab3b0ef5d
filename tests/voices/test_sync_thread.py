"""The sync thread: when it syncs, what it publishes, how it stops."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

import pytest
from enrolled import contents, new_voice, open_store
from fakes import WAIT_S, until
from flaky_proxy import FlakyProxy
from rig import make_runtime

from edge_tts.buckets.bucket import Place
from edge_tts.voices.sync.notes import Publish, SyncReport, SyncStatus
from edge_tts.voices.sync.sync_thread import THOROUGH_EVERY, SyncThread
from edge_tts.voices.sync.voice_sync import VoiceSync


class Sync:
    """A fake sync with given reports that records its calls."""

    def __init__(self, *endings: SyncReport) -> None:
        self.endings = list(endings)
        self.thorough: list[bool] = []
        self.ran = threading.Semaphore(0)

    def __call__(self, *, publish: Publish, abandon: Callable[[], bool], thorough: bool) -> SyncReport:
        self.thorough.append(thorough)
        ending = self.endings.pop(0) if self.endings else SyncReport(status="done")
        publish(ending)
        self.ran.release()
        return ending

    def wait(self) -> None:
        """Wait for the next run."""
        assert self.ran.acquire(timeout=WAIT_S)


def sync_thread(
    sync: Sync | VoiceSync, *, publish: Publish = lambda report: None, interval_s: float = 600.0
) -> SyncThread:
    """The part, with a clock that stands still."""
    return SyncThread(runtime=make_runtime(), sync=sync, publish=publish, interval_s=interval_s, random=Random(1))


def test_it_syncs_at_start_and_on_demand() -> None:
    """A change is synced at once, and a request during a sync is not lost."""
    sync = Sync()
    with sync_thread(sync) as part:
        sync.wait()
        for _ in range(3):
            part.soon()
            sync.wait()


def test_it_syncs_every_interval() -> None:
    """It syncs again after the interval."""
    sync = Sync()
    with sync_thread(sync, interval_s=0.01):
        for _ in range(3):
            sync.wait()


def test_a_failure_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """A failure that lasts is logged once, and so is each new problem."""
    caplog.set_level(logging.INFO)
    failed = SyncReport(bucket="b", status="failed", error="no route")
    odd = SyncReport(bucket="b", status="incomplete", problems=("wrong bytes",))
    sync = Sync(failed, failed, failed, SyncReport(bucket="b", status="done"), odd, odd)
    with sync_thread(sync) as part:
        for _ in range(7):
            sync.wait()
            part.soon()
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "sync with b failed, and is tried again: no route",
        "sync with b works again",
        "sync with b: wrong bytes",
    ]


@pytest.mark.parametrize("trouble", ["failed", "incomplete"])
def test_a_sync_that_is_not_done_is_tried_again_soon(trouble: SyncStatus) -> None:
    """Its thread waits for a retry, not for the interval."""
    sync = Sync(SyncReport(status=trouble), SyncReport(status="done"))
    part = sync_thread(sync)
    assert part.attempt() is False
    assert part.attempt() is True


def test_now_and_then_a_sync_is_thorough() -> None:
    """A thorough sync is rare, and never the first."""
    part = sync_thread(Sync())
    due = []
    for _ in range(2 * THOROUGH_EVERY):
        due.append(part._is_thorough_due())
        part._done += 1
    assert due.count(True) == 2
    assert not due[0]


def test_progress_is_published_once_a_second_at_most() -> None:
    """A change of the status is published at once, steps once a second at most."""
    published: list[SyncReport] = []

    def sync(*, publish: Publish, abandon: Callable[[], bool], thorough: bool) -> SyncReport:
        for done in range(100):
            publish(SyncReport(status="running", done=done))
        publish(SyncReport(status="done", done=100))
        over.set()
        return SyncReport(status="done", done=100)

    over = threading.Event()
    with sync_thread(sync, publish=published.append):
        assert over.wait(WAIT_S)
    assert [(report.status, report.done) for report in published] == [("running", 0), ("done", 100)]


def test_a_surprise_costs_only_the_sync(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sync does not report but raise is shown in the state, logged, and tried again."""
    monkeypatch.setattr("edge_tts.voices.sync.sync_thread.FIRST_RETRY_S", 0.001)
    tries: list[bool] = []

    def sync(*, publish: Publish, abandon: Callable[[], bool], thorough: bool) -> SyncReport:
        tries.append(thorough)
        if len(tries) <= 3:
            raise ZeroDivisionError
        return SyncReport(status="done")

    runtime = make_runtime()
    with SyncThread(runtime=runtime, sync=sync, publish=lambda report: None, interval_s=600, random=Random(1)):
        until(lambda: len(tries) == 4 and runtime.events.state.health["sync"].status == "ok")
    assert sum("sync is failing" in record.message for record in caplog.records) == 1


def test_a_bucket_that_raises_anything_is_a_failed_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of the bucket's library that nobody foresaw ends in the report, as an unreachable bucket does."""

    def surprise(kind: str, environ: Mapping[str, str]) -> None:
        raise KeyError("region")

    monkeypatch.setattr("edge_tts.voices.sync.voice_sync.read_secrets", surprise)
    report = VoiceSync(store=open_store(tmp_path), place=Place("s3://bucket"), environ={}, clock=lambda: 7.0)()
    assert report.status == "failed"
    assert "KeyError" in report.error


@pytest.fixture
def silent_bucket() -> Iterator[FlakyProxy]:
    """A server that accepts every request and never answers."""
    with FlakyProxy(upstream_port=9) as proxy:
        proxy.fault = lambda request: "stall"
        yield proxy


def test_it_stops_while_the_bucket_keeps_it_waiting(tmp_path: Path, silent_bucket: FlakyProxy) -> None:
    """A server that does not answer does not delay the stop, and the voices are untouched."""
    store = open_store(tmp_path)
    store.add(new_voice())
    reports: list[SyncReport] = []
    sync = VoiceSync(
        store=store,
        place=Place("s3://bucket/x", endpoint=silent_bucket.url, timeout_s=600),
        environ={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        clock=lambda: 0.0,
    )
    with sync_thread(sync, publish=reports.append):
        assert silent_bucket.stalled.wait(WAIT_S)
    assert [report.status for report in reports] == ["running", "failed"]
    assert len(contents(store)) == 1


def test_a_bucket_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    """Missing credentials are in the report, and the next sync looks for them again."""
    report = VoiceSync(store=open_store(tmp_path), place=Place("s3://bucket"), environ={}, clock=lambda: 7.0)()
    assert (report.status, report.finished) == ("failed", 7.0)
    assert "no credentials" in report.error


def test_the_last_report_is_there_for_another_process(tmp_path: Path) -> None:
    """The last report is shared between processes; another bucket's is not used."""
    store = open_store(tmp_path / "voices")
    store.add(new_voice())
    sync = VoiceSync(store=store, place=Place(str(tmp_path / "bucket")), environ={}, clock=lambda: 7.0)
    report = sync()
    again = VoiceSync(store=store, place=Place(str(tmp_path / "bucket")), environ={}, clock=lambda: 9.0)
    assert again.last() == report
    assert (report.status, report.last_success, report.sent) == ("done", 7.0, 4)
    other = VoiceSync(store=store, place=Place(str(tmp_path / "other")), environ={}, clock=lambda: 9.0)
    assert other.last().status == "never"
