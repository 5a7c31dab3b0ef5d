"""What became of requests: over a restart, for a day, in bounds, and without texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_tts.speaking import request_records
from edge_tts.speaking.request_records import RequestRecords
from edge_tts.values import Report, Stage


class Clock:
    now = 1.7e9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def records_in(folder: Path, clock: Clock, *, texts: bool = False) -> RequestRecords:
    """As after a start."""
    return RequestRecords(folder / "state" / "requests.sqlite", texts=texts, now=clock)


def report(it: RequestRecords, request_id: str, *stages: Stage, **details: object) -> None:
    for number, stage in enumerate(stages):
        it.on_report(Report(request_id, stage, 10.0 * number, details))


def test_stages_and_owner_outlast_a_restart(tmp_path: Path, clock: Clock) -> None:
    """Whose a request was and what became of it is there after a kill, up to the last save."""
    it = records_in(tmp_path, clock)
    it.belongs_to("a", "kitchen")
    report(it, "a", "accepted", "started", "done", audio_s=1.5)
    report(it, "b", "accepted")
    it.save()
    report(it, "b", "started")
    again = records_in(tmp_path, clock)
    found, open_one = again.find("a"), again.find("b")
    assert found is not None
    assert open_one is not None
    assert (found.owner, found.at, found.stage) == ("kitchen", clock.now, "done")
    assert found.stages == {"accepted": 0.0, "started": 10.0, "done": 20.0}
    assert found.details == {"audio_s": 1.5}
    assert open_one.stage == "accepted"
    assert [record.id for record in again.latest()] == ["a", "b"]


@pytest.mark.parametrize("texts", [False, True])
def test_texts_are_kept_only_where_the_log_may_have_them(tmp_path: Path, clock: Clock, texts: bool) -> None:
    """Messages that quote a text, and words and names, are neither told nor on the disk."""
    it = records_in(tmp_path, clock, texts=texts)
    report(it, "a", "accepted", "failed", error="TextError", message="the text is only 'psst'", name="psst")
    report(it, "b", "accepted", "failed", error="AudioError", message="pulled out")
    it.save()
    it.close()
    [secret, plain] = [record for name in "ab" if (record := it.find(name)) is not None]
    assert ("message" in secret.details) == texts
    assert plain.details["message"] == "pulled out"
    disk = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert (b"psst" in disk) == texts


def test_after_a_day_a_request_is_forgotten(tmp_path: Path, clock: Clock) -> None:
    """Not told any more at once, and off the disk with the next save."""
    it = records_in(tmp_path, clock)
    report(it, "old", "accepted", "done")
    it.save()
    it.close()
    clock.now += request_records.KEPT_S + 1
    again = records_in(tmp_path, clock)
    assert again.find("old") is None
    assert again.latest() == []
    report(again, "new", "accepted", "done")
    again.save()
    again.close()
    assert b'"old"' not in b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())


def test_the_oldest_give_way(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """On disk and in memory."""
    monkeypatch.setattr(request_records, "MOST_KEPT", 3)
    monkeypatch.setattr(request_records, "LATEST", 2)
    it = records_in(tmp_path, clock)
    for name in "abcde":
        clock.now += 1
        report(it, name, "accepted", "done", audio_s="x" * 20000)
        it.save()
    assert [name for name in "abcde" if it.find(name) is not None] == ["c", "d", "e"]
    assert [record.id for record in it.latest()] == ["d", "e"]
    again = records_in(tmp_path, clock).find("c")
    assert again is not None
    assert again.details == {"left_out": "details of more than 8192 bytes"}


def test_an_id_that_comes_again_is_another_request(tmp_path: Path, clock: Clock) -> None:
    """And the refusal of a later message with that id leaves the record as it is."""
    it = records_in(tmp_path, clock)
    report(it, "a", "accepted", "interrupted", reason="stopped")
    report(it, "a", "failed", error="PayloadError")
    first = it.find("a")
    assert first is not None
    assert (first.stage, first.details) == ("interrupted", {"reason": "stopped"})
    it.belongs_to("a", "shop")
    report(it, "a", "accepted", "done")
    second = it.find("a")
    assert second is not None
    assert (second.owner, second.stage, second.details) == ("shop", "done", {})


def test_the_devices_own_jobs_are_shown_and_not_kept(tmp_path: Path, clock: Clock) -> None:
    """They are nobody's requests."""
    it = records_in(tmp_path, clock)
    report(it, "tone", "accepted", "done", kind="enrolment")
    it.save()
    assert [record.id for record in it.latest()] == ["tone"]
    assert records_in(tmp_path, clock).latest() == []


def test_a_damaged_database_is_set_aside(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """It is named in the log, kept as NAME.damaged, and records are kept in a new one."""
    path = tmp_path / "state" / "requests.sqlite"
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 100)
    it = records_in(tmp_path, clock)
    report(it, "a", "accepted", "done")
    it.save()
    assert records_in(tmp_path, clock).find("a") is not None
    assert path.with_name("requests.sqlite.damaged").read_bytes().startswith(b"not a database")
    assert [record.getMessage().startswith(str(path)) for record in caplog.records] == [True]


def test_without_a_disk_the_latest_are_known(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """One warning, and no request suffers."""
    (tmp_path / "state").write_text("no folder")
    it = records_in(tmp_path, clock)
    for name in "ab":
        report(it, name, "accepted", "done")
        it.save()
    assert it.find("a") is not None
    assert it.find("c") is None
    assert len(caplog.records) == 1
