"""A duplicate is dropped after a crash, whether its request was closed before or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from dispatcher_rig import DispatcherRig
from fakes import FakeClock, Notes

from edge_tts.errors import QueueFullError
from edge_tts.front_doors.message import Message
from edge_tts.speaking.job import Outcome
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Journal, ReplyTo


class Restarts:
    """A dispatcher with a journal that is restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.notes = folder / "jobs", FakeClock(), Notes()
        self.start()

    def start(self) -> None:
        journal = Journal(self.folder, clock=self.clock)
        rig = DispatcherRig(journal=journal, clock=self.clock, notes=self.notes)
        self.jobs, self.dispatcher, self.runtime = rig.jobs, rig.dispatcher, rig.runtime
        reply = self.notes.reply
        self.dispatcher.resume(journal, oldest_s=600, reply=lambda address: reply(repr(address)))
        self.journal = journal


DUPLICATES = {
    "with an id": (Message("say", b'{"id": "a", "text": "hi"}', number=3), "a"),
    "without an id": (Message("say", b"hi", number=3), "auto1"),
}


@pytest.mark.parametrize("kind", DUPLICATES)
def test_a_duplicate_after_a_crash_is_known(tmp_path: Path, kind: str) -> None:
    """The broker has not heard that a message was taken, the journal knows it: it is spoken once."""
    message, name = DUPLICATES[kind]
    restarts = Restarts(tmp_path)
    restarts.dispatcher.handle(message)
    restarts.start()
    restarts.dispatcher.handle(replace(message, redelivered=True))
    restarts.dispatcher.handle(replace(message, redelivered=True))
    assert [(report.id, report.stage) for report in restarts.notes.reports] == [(name, "accepted")] * 2
    assert restarts.jobs.dequeue(0) is not None
    assert len(list(restarts.folder.iterdir())) == 1


@pytest.mark.parametrize("kind", DUPLICATES)
def test_a_duplicate_of_what_was_closed_before_a_crash_is_known(tmp_path: Path, kind: str) -> None:
    """The acknowledgement was lost on its way to the broker, and the request is long over: it is spoken once."""
    message, name = DUPLICATES[kind]
    restarts = Restarts(tmp_path)
    restarts.dispatcher.handle(message)
    job = restarts.jobs.dequeue(0)
    assert job is not None
    restarts.jobs.finish(job, Outcome("done"))
    for _ in range(2):
        restarts.start()
        restarts.dispatcher.handle(replace(message, redelivered=True))
    assert restarts.notes.stages(name).count("accepted") == 1
    assert restarts.jobs.dequeue(0) is None


def test_an_id_that_was_refused_before_a_death_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journalled before the queue was full: it was never accepted, so its id is not remembered."""
    restarts = Restarts(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(JobQueue, "_make_room", full)
        restarts.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}'))
    assert restarts.notes.stages("a") == ["failed"]
    restarts.start()
    restarts.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}'))
    assert restarts.notes.stages("a") == ["failed", "accepted"]


def full(queue: JobQueue, request: object) -> None:
    """The last place has just been taken."""
    raise QueueFullError("no room")


def test_the_reply_address_outlasts_a_death(tmp_path: Path) -> None:
    """Every report after a restart goes where the sender of the request wanted it, with his correlation data."""
    restarts, address = Restarts(tmp_path), ReplyTo("mine", b"\xff\x00")
    reply = restarts.notes.reply(repr(address))
    restarts.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}', reply=reply, reply_to=address))
    restarts.start()
    restarts.jobs.stop()
    assert [name for name, _ in restarts.notes.replies] == [repr(address)] * 3
    assert restarts.notes.stages("a") == ["accepted", "accepted", "interrupted"]


def test_a_crash_after_the_end_of_a_request_neither_speaks_nor_loses_the_report(tmp_path: Path) -> None:
    """Closed on disk before the report went out: the next run reports it once more, marked, and does not queue it."""
    restarts, address = Restarts(tmp_path), ReplyTo("mine", b"\x01")
    reply = restarts.notes.reply(repr(address))
    restarts.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}', reply=reply, reply_to=address))
    job = restarts.jobs.dequeue(0)
    assert job is not None
    assert job.page is not None
    restarts.journal.close(job.page, job.make_report(restarts.runtime, "done", {"audio_s": 1.5}))
    restarts.start()
    assert restarts.jobs.dequeue(0) is None
    assert restarts.notes.stages("a") == ["accepted", "done"]
    name, report = restarts.notes.replies[-1]
    assert (name, report.details) == (repr(address), {"audio_s": 1.5, "resent": True})


def test_a_report_that_has_left_is_not_sent_again(tmp_path: Path) -> None:
    """Two sweeps with nothing left to send forget it; the id stays known."""
    restarts = Restarts(tmp_path)
    restarts.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}'))
    job = restarts.jobs.dequeue(0)
    assert job is not None
    restarts.jobs.finish(job, Outcome("done"))
    restarts.journal.sweep()
    assert len(list(restarts.folder.iterdir())) == 1  # it may just be on its way
    restarts.journal.sweep()
    assert list(restarts.folder.iterdir()) == []
    restarts.start()
    restarts.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}'))
    assert restarts.notes.stages("a") == ["accepted", "done"]
