"""The queue: order, bounds, interruption, expiry, and exactly one closing report for every accepted request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeClock, Notes
from hypothesis import given
from hypothesis import strategies as st
from rig import make_runtime, sentence

from edge_tts.errors import QueueFullError
from edge_tts.speaking.job import Discard, Job, Outcome
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Envelope
from edge_tts.speaking.result_sink import ResultFile, ResultSink
from edge_tts.speaking.worker import Task
from edge_tts.values import AudioChunk, Report

CLOSING = {"done", "interrupted", "expired", "failed"}


class QueueRig:
    """A queue, its reports and its states."""

    def __init__(self, capacity: int = 3) -> None:
        self.notes, self.clock = Notes(), FakeClock()
        self.queue = JobQueue(runtime=make_runtime(self.notes, clock=self.clock), capacity=capacity)

    @property
    def reports(self) -> list[Report]:
        return self.notes.reports

    @property
    def states(self) -> list[tuple[str | None, int]]:
        """Who speaks and how many wait, after every change."""
        states = [value for topic, value in self.notes.retained if topic == "state"][1:]
        return [(state["speaking"], state["waiting"]) for state in states]

    def submit(self, name: str, priority: Any = "normal", expires_at: float | None = None) -> None:
        self.queue.submit(Job(sentence(name, priority=priority), envelope=Envelope(expires_at)))

    def serve(self) -> str | None:
        job = self.queue.dequeue(timeout_s=0)
        if job is None:
            return None
        self.queue.finish(job, job.stop_reason() or Outcome("done"))
        return job.request.id

    def stages(self, name: str) -> list[str]:
        return [report.stage for report in self.reports if report.id == name]


def test_alert_before_normal_before_low_and_first_come_first_served() -> None:
    """The queue is served by priority, and within one priority in the order of arrival."""
    rig = QueueRig(capacity=6)
    for name in ("l1", "n1", "a1", "n2", "a2", "l2"):
        rig.submit(name, {"l": "low", "n": "normal", "a": "alert"}[name[0]])
    assert [rig.serve() for _ in range(7)] == ["a1", "a2", "n1", "n2", "l1", "l2", None]


def test_a_full_line_refuses_low_and_normal_pushes_low_out() -> None:
    """In a full queue low is refused; normal takes the place of the youngest low one, which fails."""
    rig = QueueRig(capacity=2)
    rig.submit("low1", "low")
    rig.submit("low2", "low")
    with pytest.raises(QueueFullError, match="2 requests are waiting"):
        rig.submit("low3", "low")
    rig.submit("normal1")
    assert rig.stages("low2") == ["accepted", "failed"]
    rig.submit("normal2")
    with pytest.raises(QueueFullError):
        rig.submit("normal3")
    assert [rig.serve(), rig.serve(), rig.serve()] == ["normal1", "normal2", None]


def test_alert_stops_the_job_in_service_but_not_another_alert() -> None:
    """An alert interrupts a normal job; a second alert waits for the first."""
    rig = QueueRig()
    rig.submit("talk")
    job = rig.queue.dequeue(0)
    assert job is not None
    rig.submit("fire", "alert")
    reason = job.stop_reason()
    assert reason is not None
    assert (reason.stage, reason.details["reason"]) == ("interrupted", "alert")
    rig.queue.finish(job, reason)
    fire = rig.queue.dequeue(0)
    assert fire is not None
    rig.submit("flood", "alert")
    assert fire.stop_reason() is None


def test_an_expired_request_is_never_served() -> None:
    """A request whose deadline has passed while it waited ends as expired, and the next one is taken."""
    rig = QueueRig()
    rig.submit("late", expires_at=rig.clock.now + 5)
    rig.submit("patient")
    rig.clock.now += 6
    assert rig.serve() == "patient"
    assert rig.stages("late") == ["accepted", "expired"]


def test_stop_by_id_and_stop_all() -> None:
    """`stop` with an id ends that request wherever it is; without one it ends all of them."""
    rig = QueueRig()
    for name in ("one", "two", "three"):
        rig.submit(name)
    job = rig.queue.dequeue(0)
    assert job is not None
    rig.queue.stop("two")
    assert rig.stages("two") == ["accepted", "interrupted"]
    assert job.stop_reason() is None
    rig.queue.stop()
    assert rig.stages("three") == ["accepted", "interrupted"]
    assert job.stop_reason() == Outcome("interrupted", {"reason": "stopped"})


def test_skip_ends_only_the_job_in_service() -> None:
    """`skip` leaves the waiting ones in the queue."""
    rig = QueueRig()
    rig.submit("one")
    rig.submit("two")
    job = rig.queue.dequeue(0)
    assert job is not None
    rig.queue.skip()
    assert job.stop_reason() == Outcome("interrupted", {"reason": "skipped"})
    rig.queue.finish(job, Outcome("interrupted"))
    assert rig.serve() == "two"


def test_a_closed_line_takes_nothing_and_tells_everybody() -> None:
    """Closing ends waiting requests with a report and refuses new ones."""
    rig = QueueRig()
    rig.submit("one")
    rig.queue.close(timeout_s=0)
    assert rig.stages("one") == ["accepted", "interrupted"]
    with pytest.raises(QueueFullError, match="stopping"):
        rig.submit("two")
    assert rig.queue.dequeue(0) is None


def test_ms_counts_from_acceptance() -> None:
    """Reports carry the milliseconds since the request was accepted."""
    rig = QueueRig()
    rig.submit("one")
    rig.clock.now += 1.5
    rig.serve()
    assert [report.ms for report in rig.reports] == [0.0, 1500.0]


PRIORITIES = st.sampled_from(["alert", "normal", "low"])
STEPS = st.lists(st.one_of(PRIORITIES, st.sampled_from(["serve", "stop", "skip", "take", "expire"])), max_size=60)


@given(steps=STEPS)
def test_every_accepted_request_gets_exactly_one_closing_report(steps: list[str]) -> None:
    """Whatever happens, no accepted request is forgotten or closed twice, and the queue stays bounded."""
    rig = QueueRig(capacity=3)
    accepted, current = [], None
    for number, step in enumerate(steps):
        if step in ("serve", "take") and current is None:
            current = rig.queue.dequeue(0)
        if step == "serve" and current is not None:
            rig.queue.finish(current, current.stop_reason() or Outcome("done"))
            current = None
        if step == "stop":
            rig.queue.stop()
        if step == "skip":
            rig.queue.skip()
        if step == "expire":
            rig.clock.now += 10
        if step in ("alert", "normal", "low"):
            try:
                rig.submit(str(number), step, expires_at=rig.clock.now + 5 if number % 3 == 0 else None)
                accepted.append(str(number))
            except QueueFullError:
                assert rig.stages(str(number)) == []
        assert all(waiting <= 3 for _, waiting in rig.states)
    if current is not None:
        rig.queue.finish(current, Outcome("done"))
    while rig.serve() is not None:
        pass
    for name in accepted:
        assert [stage for stage in rig.stages(name) if stage in CLOSING] == rig.stages(name)[1:]
        assert len(rig.stages(name)) == 2


class Fetched:
    """A sink that plays nothing here."""

    renders, is_full = True, False

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None: ...

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        return 0.0

    def full(self) -> bool:
        return self.is_full


@pytest.mark.parametrize("aloud", [True, False])
def test_a_result_that_is_only_kept_is_rendered(tmp_path: Path, aloud: bool) -> None:
    """Sound that goes into a file may be made beside others', unless it is played here too."""
    file = ResultFile(tmp_path / "it.wav", check_room=lambda size: None)
    sink = ResultSink(file, make_runtime(), Discard() if aloud else None)
    assert Job(sentence("r"), sink=sink).renders is not aloud


def test_only_jobs_that_render_are_in_service_together() -> None:
    """The next job joins those in service if all of them only render; what is played here, and what waits behind it,
    does not. An alert interrupts them all, and each has its closing report."""
    rig = QueueRig(capacity=9)
    for name in ("f1", "f2", "p1", "f3"):
        rig.queue.submit(Job(sentence(name), sink=Fetched() if name[0] == "f" else None))
    served = [rig.queue.dequeue(0), rig.queue.dequeue_beside()]
    assert [job.request.id for job in served if job] == ["f1", "f2"]
    assert rig.queue.dequeue_beside() is None
    rig.submit("alert", "alert")
    assert [(job.stop_reason() or Outcome("done")).stage for job in served if job] == ["interrupted"] * 2
    for job in served:
        assert job is not None
        rig.queue.finish(job, job.stop_reason() or Outcome("done"))
    assert rig.serve() == "alert"
    assert rig.queue.dequeue(0) is not None  # p1
    assert rig.queue.dequeue_beside() is None
    assert rig.stages("f1")[-1] == rig.stages("f2")[-1] == "interrupted"


def test_only_more_urgent_speech_goes_before_those_that_render() -> None:
    """It is in service at once, and the one that is skipped and that the state names; other work, and what is no more
    urgent, waits."""
    rig = QueueRig(capacity=9)
    rig.queue.submit(Job(sentence("f1", priority="low"), sink=Fetched()))
    rendered = rig.queue.dequeue(0)
    assert rendered is not None
    rig.submit("l1", "low")
    assert rig.queue.dequeue_before() is None
    rig.submit("n1", "normal")
    urgent = rig.queue.dequeue_before()
    assert urgent is not None
    assert urgent.request.id == "n1"
    assert rig.queue.dequeue_before() is None
    rig.queue.skip()
    assert urgent.stop_reason() is not None
    assert rendered.stop_reason() is None
    rig.queue.finish(urgent, Outcome("done"))
    rig.queue.submit(Job(Task("t1", lambda *_: iter(())), sink=None))
    assert rig.queue.dequeue_before() is None
