"""A folder as a bucket: unplugged disks, disks that hang, and what killed writers leave."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from enrolled import contents, new_voice, open_store
from fakes import WAIT_S
from s3 import folder_bucket

from edge_tts.buckets import bucket as bucket_module
from edge_tts.buckets.bucket import Bucket, Place
from edge_tts.buckets.credentials import Secrets
from edge_tts.buckets.folder_bucket import LEFTOVER_S, MARKER
from edge_tts.errors import TransportError
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.executor import NOTES
from edge_tts.voices.sync.notes import SyncReport
from edge_tts.voices.sync.voice_sync import VoiceSync


class Nas:
    """A network drive and its mount point."""

    def __init__(self, folder: Path) -> None:
        self.mount_point, self._drive = folder / "mnt", folder / "drive"
        self.mount_point.mkdir()

    def unmount(self) -> None:
        """Unmount the drive."""
        self.mount_point.rename(self._drive)
        self.mount_point.mkdir()

    def mount(self) -> None:
        """Mount it again, which would hide what was written meanwhile."""
        self.mount_point.rmdir()  # fails if there is anything
        self._drive.rename(self.mount_point)


@pytest.fixture
def nas(tmp_path: Path) -> Nas:
    """A drive, mounted."""
    return Nas(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> VoiceStore:
    """A store with a voice."""
    store = open_store(tmp_path / "voices")
    store.add(new_voice())
    return store


def sync_with(nas: Nas, store: VoiceStore) -> VoiceSync:
    """The sync of that store with that drive."""
    return VoiceSync(store=store, place=Place(str(nas.mount_point)), environ={}, clock=lambda: 1.7e9)


class Kill(BaseException):
    """The process is killed."""


def complete(nas: Nas, store: VoiceStore) -> None:
    """A sync to the end."""
    assert sync_with(nas, store)().status == "done"


def incomplete(nas: Nas, store: VoiceStore) -> None:
    """A device with one damaged voice in the bucket, so that no sync was ever complete."""
    junk = nas.mount_point / "v1" / "anna" / ("0" * 32)
    junk.mkdir(parents=True)
    (junk / "card").write_bytes(b"{}")
    assert sync_with(nas, store)().status == "incomplete"


def killed(nas: Nas, store: VoiceStore) -> None:
    """The process dies in its very first sync."""

    def kill(report: SyncReport) -> None:
        if report.sent:
            raise Kill

    with pytest.raises(Kill):
        sync_with(nas, store)(publish=kill)


def of_old(nas: Nas, store: VoiceStore) -> None:
    """A device and bucket of an older version, without markers."""
    complete(nas, store)
    complete(nas, store)
    (nas.mount_point / MARKER).unlink()
    notes = json.loads((store.directory / NOTES).read_bytes())
    del notes["used"]
    (store.directory / NOTES).write_text(json.dumps(notes))


@pytest.mark.parametrize("used", [complete, incomplete, killed, of_old])
def test_a_mount_point_without_its_drive_is_no_bucket(nas: Nas, store: VoiceStore, used: object) -> None:
    """After any last sync nothing is written to the mount point, and sync resumes with the drive."""
    used(nas, store)
    nas.unmount()
    report = sync_with(nas, store)()
    assert (report.status, "is its disk connected" in report.error) == ("failed", True)
    nas.mount()
    assert sync_with(nas, store)().status == ("incomplete" if used is incomplete else "done")


def test_a_full_bucket_without_a_marker_is_a_bucket(nas: Nas, store: VoiceStore) -> None:
    """A bucket with objects but without a marker is used, and gets one."""
    of_old(nas, store)
    complete(nas, store)
    assert (nas.mount_point / MARKER).exists()


def test_an_empty_bucket_of_an_older_version_is_a_bucket(nas: Nas, tmp_path: Path) -> None:
    """A bucket of an older version without voices and without a marker is no error."""
    nobody = open_store(tmp_path / "nobody")
    of_old(nas, nobody)
    complete(nas, nobody)


def test_a_full_bucket_that_nobody_may_write_to_can_be_read(
    nas: Nas, store: VoiceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only bucket with objects is read without a marker; an empty one is an error."""
    of_old(nas, store)

    def read_only(path: Path, *_: object, **__: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "write_text", read_only)
    other = open_store(tmp_path / "other")
    complete(nas, other)
    assert contents(other) == contents(store)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TransportError, match="Read-only"):
        folder_bucket(tmp_path / "empty")


def test_a_drive_that_goes_during_a_sync_is_missed(nas: Nas, store: VoiceStore) -> None:
    """When the drive goes between two objects, the rest is not written to the mount point."""

    def unplug(report: SyncReport) -> None:
        if report.sent == 2 and any(nas.mount_point.iterdir()):
            nas.unmount()

    report = sync_with(nas, store)(publish=unplug)
    assert (report.status, report.sent) == ("failed", 2)
    nas.mount()
    complete(nas, store)


def test_a_bucket_may_be_begun_anew_on_purpose(nas: Nas, store: VoiceStore) -> None:
    """The message names the marker that an empty folder needs; with it the voices are sent again."""
    complete(nas, store)
    nas.unmount()
    error = sync_with(nas, store)().error
    assert MARKER in error
    (nas.mount_point / MARKER).touch()
    assert sync_with(nas, store)().sent == 4


def test_a_folder_that_is_made_is_private(tmp_path: Path) -> None:
    """A new bucket folder has mode 0700 under any umask."""
    old = os.umask(0o022)
    try:
        with folder_bucket(tmp_path / "new" / "bucket") as bucket:
            bucket.create("v1/x", b"x")
    finally:
        os.umask(old)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new", tmp_path / "new" / "bucket")} == {0o700}


def test_what_killed_writers_left_is_swept_up(tmp_path: Path) -> None:
    """Old files of obstore's unfinished writes are removed; recent ones and foreign files are left."""
    now = 1.7e9
    folder = tmp_path / "bucket"
    old, new, photo = (folder / name for name in ("v1/anna/files/0#1", "v1/anna/files/0#2", "photos/x#1"))
    for path, age_s in ((old, LEFTOVER_S + 1), (new, LEFTOVER_S - 1), (photo, LEFTOVER_S + 1)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"fLaC")
        os.utime(path, (now - age_s, now - age_s))
    with Bucket(place=Place(str(folder)), secrets=Secrets({}), clock=lambda: now) as bucket:
        assert bucket.list("v1") == {}
    assert [path.exists() for path in (old, new, photo)] == [False, True, True]


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A drive whose file operations hang until the end of the test; set when the first one does."""
    asked, over = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> bool:
        asked.set()
        over.wait(WAIT_S)
        return False

    monkeypatch.setattr(bucket_module, "open_folder", hang)
    yield asked
    over.set()


def test_a_drive_that_does_not_answer_is_given_up_in_time(
    nas: Nas, store: VoiceStore, silence: threading.Event
) -> None:
    """With a disk that hangs a sync fails after timeout_s, with heartbeats, and later ones start no threads."""
    pulses: list[bool] = []
    sync = VoiceSync(store=store, place=Place(str(nas.mount_point), timeout_s=0.2), environ={}, clock=lambda: 1.7e9)
    threads = threading.active_count()
    for _ in range(3):
        report = sync(abandon=lambda: bool(pulses.append(True)))
        assert (report.status, "does not answer" in report.error) == ("failed", True)
    assert pulses
    assert threading.active_count() == threads + 1


def test_a_drive_that_does_not_answer_does_not_hold_up_the_end(
    nas: Nas, store: VoiceStore, silence: threading.Event
) -> None:
    """`abandon` ends a request to a drive that hangs."""
    report = sync_with(nas, store)(abandon=silence.is_set)
    assert (report.status, "given up" in report.error) == ("failed", True)


def test_a_file_that_does_not_answer_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that hangs (a pipe without a writer) ends with the time-out."""
    with folder_bucket(tmp_path) as bucket:
        bucket.create("v1/x", b"x")
        monkeypatch.setattr(bucket, "_place", Place(str(tmp_path), timeout_s=0.2))
        (tmp_path / "v1" / "x").unlink()
        os.mkfifo(tmp_path / "v1" / "x")
        try:
            with pytest.raises(TransportError, match="does not answer"):
                bucket.get("v1/x", most=9)
        finally:
            os.close(os.open(tmp_path / "v1" / "x", os.O_RDWR | os.O_NONBLOCK))  # let the reader go
