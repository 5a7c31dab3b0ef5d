"""A message that is delivered again after a death is known, whether it was closed before or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from counters import Counter
from fakes import FakeClock, Notes

from edge_tts.errors import QueueFullError
from edge_tts.front_doors.message import Message
from edge_tts.speaking.job import Outcome
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Journal, ReplyTo


class House:
    """A desk with a line that nobody serves, over several lives."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.notes = folder / "jobs", FakeClock(), Notes()
        self.start()

    def start(self) -> None:
        journal = Journal(self.folder, clock=self.clock)
        counter = Counter(journal=journal, clock=self.clock, notes=self.notes)
        self.jobs, self.dispatcher = counter.jobs, counter.dispatcher
        self.dispatcher.resume(
            journal.read(),
            oldest_s=600,
            reply=lambda address: self.notes.reply(repr(address)),
            finished=journal.finished(),
        )


SECOND_DELIVERIES = {
    "with an id": (Message("say", b'{"id": "a", "text": "hi"}', number=3), "a"),
    "without an id": (Message("say", b"hi", number=3), "auto1"),
}


@pytest.mark.parametrize("kind", SECOND_DELIVERIES)
def test_a_second_delivery_after_a_death_is_known(tmp_path: Path, kind: str) -> None:
    """The broker has not heard that a message was taken, the journal knows it: it is spoken once."""
    message, name = SECOND_DELIVERIES[kind]
    house = House(tmp_path)
    house.dispatcher.handle(message)
    house.start()
    house.dispatcher.handle(replace(message, redelivered=True))
    house.dispatcher.handle(replace(message, redelivered=True))
    assert [(report.id, report.stage) for report in house.notes.reports] == [(name, "accepted")] * 2
    assert house.jobs.dequeue(0) is not None
    assert len(list(house.folder.iterdir())) == 1


@pytest.mark.parametrize("kind", SECOND_DELIVERIES)
def test_a_second_delivery_of_what_was_closed_before_a_death_is_known(tmp_path: Path, kind: str) -> None:
    """The acknowledgement was lost on its way to the broker, and the request is long over: it is spoken once."""
    message, name = SECOND_DELIVERIES[kind]
    house = House(tmp_path)
    house.dispatcher.handle(message)
    job = house.jobs.dequeue(0)
    assert job is not None
    house.jobs.finish(job, Outcome("done"))
    for _ in range(2):
        house.start()
        house.dispatcher.handle(replace(message, redelivered=True))
    assert house.notes.stages(name) == ["accepted", "done"]


def test_an_id_that_was_refused_before_a_death_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written down already when the line was found full: it was never accepted, so nothing remembers it."""
    house = House(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(JobQueue, "_make_room", full)
        house.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}'))
    assert house.notes.stages("a") == ["failed"]
    house.start()
    house.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}'))
    assert house.notes.stages("a") == ["failed", "accepted"]


def full(queue: JobQueue, request: object) -> None:
    """The last place has just been taken."""
    raise QueueFullError("no room")


def test_the_reply_address_outlasts_a_death(tmp_path: Path) -> None:
    """Every report of the next life goes where the sender of the request wanted it, with his correlation data."""
    house, address = House(tmp_path), ReplyTo("mine", b"\xff\x00")
    reply = house.notes.reply(repr(address))
    house.dispatcher.handle(Message("say", b'{"id": "a", "text": "hi"}', reply=reply, reply_to=address))
    house.start()
    house.jobs.stop()
    assert [name for name, _ in house.notes.replies] == [repr(address)] * 3
    assert house.notes.stages("a") == ["accepted", "accepted", "interrupted"]
