"""The queue over several restarts of the process, with a journal on a real disk: nothing is lost, nothing is closed
twice, old news is not spoken."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeClock, Notes
from hypothesis import given
from hypothesis import strategies as st
from rig import make_runtime, sentence

from edge_tts.errors import QueueFullError
from edge_tts.request import SpeakRequest
from edge_tts.speaking.job import Job, Outcome
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Envelope, Journal
from edge_tts.speaking.worker import Task
from edge_tts.values import CLOSING, Report

BARE = Envelope()


class Restarts:
    """A queue that crashes and restarts; its reports of all runs are kept."""

    def __init__(self, folder: Path, capacity: int = 8) -> None:
        self.folder, self.capacity = folder / "jobs", capacity
        self.notes = Notes()
        self.clock, self.wall = FakeClock(), FakeClock()
        self.start()

    def start(self, *, oldest_s: float = 600.0) -> None:
        """Another run, however the one before ended."""
        journal = Journal(self.folder, clock=self.clock, wall=self.wall, uptime=lambda: None)
        self.queue = JobQueue(
            runtime=make_runtime(self.notes, clock=self.clock), capacity=self.capacity, journal=journal
        )
        pages = journal.read()
        self.queue.resume(pages, oldest_s=oldest_s, job_of=lambda page: Job(page.request, envelope=page.envelope))

    def die(self, after_s: float = 1.0) -> None:
        """A power cut and a start: the clock of the new run begins anew."""
        self.wall.now += after_s
        self.clock.now = 7.0
        self.start()

    def submit(self, name: str, priority: Any = "normal", ttl_s: float | None = None) -> None:
        deadline = None if ttl_s is None else self.clock.now + ttl_s
        self.queue.submit(Job(sentence(name, priority=priority), envelope=Envelope(deadline)))

    def dequeue(self) -> Job:
        job = self.queue.dequeue(0)
        assert job is not None
        return job

    def serve(self) -> list[str]:
        """Do everything that waits; the ids in order."""
        served = []
        while (job := self.queue.dequeue(0)) is not None:
            served.append(job.request.id)
            self.queue.finish(job, job.stop_reason() or Outcome("done"))
        return served

    @property
    def reports(self) -> list[Report]:
        return self.notes.reports

    def stages(self, name: str) -> list[str]:
        return [report.stage for report in self.reports if report.id == name]

    def closing(self, name: str) -> dict[str, Any]:
        """The details of its one closing report."""
        [report] = [report for report in self.reports if report.id == name and report.stage in CLOSING]
        return dict(report.details)

    def files(self) -> int:
        """Requests in the journal that are not closed."""
        return len([path for path in self.folder.iterdir() if "closed" not in path.name])


@pytest.fixture
def restarts(tmp_path: Path) -> Restarts:
    """The first of them."""
    return Restarts(tmp_path)


def test_what_waited_waits_again_in_its_old_order(restarts: Restarts) -> None:
    """Alert before normal before low, within one priority in the order of acceptance, also behind later ones; a report
    says that it is accepted again."""
    for name in ("l1", "n1", "a1", "n2", "l2", "a2"):
        restarts.submit(name, {"l": "low", "n": "normal", "a": "alert"}[name[0]])
    restarts.die()
    restarts.submit("n3")
    resumed = [(report.id, report.details) for report in restarts.reports if "resumed" in report.details]
    order = ["a1", "a2", "n1", "n2", "l1", "l2"]
    assert resumed == [(name, {"waiting": place, "resumed": True}) for place, name in enumerate(order)]
    assert restarts.serve() == ["a1", "a2", "n1", "n2", "n3", "l1", "l2"]
    restarts.die()
    assert restarts.serve() == []


def test_a_request_is_on_the_disk_before_it_is_reported(restarts: Restarts) -> None:
    """Whoever hears `accepted` can rely on it; when a closing report goes out the request is closed on disk already, so
    that no crash has it spoken again."""
    seen: list[tuple[str, int]] = []
    restarts.notes.on_report = lambda report: seen.append((report.stage, restarts.files()))  # type: ignore[method-assign]
    restarts.submit("a")
    restarts.serve()
    assert seen == [("accepted", 1), ("done", 0)]
    assert restarts.files() == 0


def expire(restarts: Restarts) -> None:
    """Its time is up before its turn comes."""
    restarts.clock.now += 100
    assert restarts.queue.dequeue(0) is None


ENDINGS: dict[str, Callable[[Restarts], None]] = {
    "done": lambda restarts: restarts.queue.finish(restarts.dequeue(), Outcome("done")),
    "stopped by id": lambda restarts: restarts.queue.stop("a"),
    "stopped with all": lambda restarts: restarts.queue.stop(),
    "expired": expire,
    "pushed out": lambda restarts: restarts.submit("b", "alert"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_every_end_takes_the_request_out_of_the_journal(tmp_path: Path, how: str) -> None:
    """Whatever closes a request, the next run knows nothing of it."""
    restarts = Restarts(tmp_path, capacity=1)
    restarts.submit("a", ttl_s=50)
    ENDINGS[how](restarts)
    assert len(restarts.stages("a")) == 2
    restarts.die()
    assert len(restarts.stages("a")) == 2


def test_a_request_that_is_skipped_or_stopped_in_service_does_not_come_back(restarts: Restarts) -> None:
    """Its file goes when it has faded out, after its report."""
    for end in (restarts.queue.skip, restarts.queue.stop):
        restarts.submit("a")
        job = restarts.dequeue()
        end()
        assert restarts.files() == 1
        restarts.queue.finish(job, job.stop_reason() or Outcome("done"))
        assert restarts.files() == 0


def test_old_news_is_not_spoken(restarts: Restarts) -> None:
    """What was accepted too long ago, or is past its own time, gets one report and is gone."""
    restarts.submit("old")
    restarts.wall.now += 590
    restarts.submit("short", ttl_s=5)
    restarts.submit("long", ttl_s=50)
    restarts.die(after_s=20)
    assert "610 s ago" in restarts.closing("old")["message"]
    assert "15.0 s late" in restarts.closing("short")["message"]
    assert restarts.stages("old") == restarts.stages("short") == ["accepted", "expired"]
    assert restarts.serve() == ["long"]
    assert restarts.files() == 0


def test_a_deadline_goes_on_after_a_restart(restarts: Restarts) -> None:
    """A request that is fresh at the start expires when its time is up, counted from the first acceptance."""
    restarts.submit("a", ttl_s=50)
    restarts.die(after_s=20)
    restarts.clock.now += 31
    assert restarts.serve() == []
    assert restarts.stages("a") == ["accepted", "accepted", "expired"]


def test_nothing_is_resumed_where_that_is_switched_off(restarts: Restarts) -> None:
    """With limits.resume_s 0 everything is reported expired, whatever the clocks say."""
    restarts.submit("a")
    restarts.wall.now -= 100
    restarts.start(oldest_s=0)
    assert restarts.stages("a") == ["accepted", "expired"]
    assert restarts.files() == 0


def test_what_was_in_service_is_begun_once_more_and_no_third_time(restarts: Restarts) -> None:
    """A request that crashed two runs, one after the other or not, is closed with a message that says so; those that
    waited behind it are spoken."""
    restarts.submit("deadly")
    restarts.submit("harmless")
    assert restarts.dequeue().request.id == "deadly"
    restarts.die()
    assert restarts.dequeue().request.id == "deadly"
    restarts.die()
    assert restarts.stages("deadly") == ["accepted", "accepted", "failed"]
    assert restarts.closing("deadly")["error"] == "AbandonedError"
    assert "died 2 times" in restarts.closing("deadly")["message"]
    assert restarts.serve() == ["harmless"]
    assert restarts.files() == 0


def test_more_than_the_queue_takes_is_refused(restarts: Restarts) -> None:
    """Where the configuration has lowered the capacity meanwhile, those that would be served last are closed."""
    for name in ("n1", "l1", "n2", "a1", "l2"):
        restarts.submit(name, {"l": "low", "n": "normal", "a": "alert"}[name[0]])
    restarts.capacity = 2
    restarts.die()
    assert restarts.closing("l1")["error"] == restarts.closing("l2")["error"] == "QueueFullError"
    assert restarts.serve() == ["a1", "n1", "n2"]
    assert restarts.files() == 0


def test_a_full_queue_and_the_one_in_service_all_come_back(tmp_path: Path) -> None:
    """One more than may wait had been accepted: the first is taken into service again, so the others have room."""
    restarts = Restarts(tmp_path, capacity=2)
    restarts.submit("current")
    restarts.dequeue()
    restarts.submit("a")
    restarts.submit("b")
    restarts.die()
    with pytest.raises(QueueFullError):
        restarts.submit("c")
    assert restarts.serve() == ["current", "a", "b"]


def test_an_orderly_stop_keeps_what_is_in_the_journal(restarts: Restarts) -> None:
    """The request in service is interrupted and those in the journal wait for the next start without a closing report;
    what lives in memory alone, a task or the appliance's own words, is ended as ever."""
    restarts.submit("current")
    restarts.submit("waiting")
    restarts.queue.submit(Job(Task("task", lambda networks, should_stop: iter([]))))
    restarts.queue.submit(Job(sentence("phrase", "after the tone, please")))
    job = restarts.dequeue()
    restarts.queue.close(timeout_s=0)
    restarts.queue.finish(job, job.stop_reason() or Outcome("done"))
    for name in ("current", "task", "phrase"):
        assert restarts.closing(name) == {"reason": "shutdown"}
    assert restarts.stages("waiting") == ["accepted"]
    assert restarts.queue.dequeue(0) is None
    restarts.die()
    assert restarts.serve() == ["waiting"]


def test_a_request_that_a_full_queue_refuses_leaves_no_file(
    restarts: Restarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it cost a write; and one that finds the queue full only after its write is taken out again."""
    restarts.capacity = 1
    restarts.start()
    restarts.submit("a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: pytest.fail("the disk was asked"))
        with pytest.raises(QueueFullError):
            restarts.submit("b")
    restarts.queue.stop("a")
    add = restarts.queue._journal.add

    def slow(request: SpeakRequest, envelope: Envelope) -> Any:
        page = add(request, envelope)
        if request.id == "late":
            restarts.submit("early")
        return page

    monkeypatch.setattr(restarts.queue._journal, "add", slow)
    with pytest.raises(QueueFullError):
        restarts.submit("late")
    assert restarts.stages("late") == []
    restarts.die()
    assert restarts.serve() == ["early"]


def test_a_full_disk_costs_the_memory_and_not_the_speech(restarts: Restarts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are accepted and spoken all the same; what waits at an orderly stop is then closed at once."""

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    restarts.submit("kept")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for name in ("spoken", "stopped"):
            restarts.submit(name)
        for name in ("kept", "spoken"):
            job = restarts.dequeue()
            assert job.request.id == name
            restarts.queue.finish(job, Outcome("done"))
        restarts.queue.close(timeout_s=0)
    assert restarts.closing("stopped") == {"reason": "shutdown"}
    restarts.die()
    assert restarts.serve() == []


STEPS = st.one_of(
    st.sampled_from(["take", "finish", "serve", "stop", "stop one", "skip", "pass time", "die", "die", "shut down"]),
    st.tuples(st.sampled_from(["alert", "normal", "low"]), st.none() | st.sampled_from([5.0, 500.0])),
)


@given(steps=st.lists(STEPS, max_size=40))
def test_over_all_restarts_every_accepted_request_gets_exactly_one_closing_report(steps: list[Any]) -> None:
    """However runs end, no accepted request is forgotten, closed twice, or begun a third time or after its end."""
    with tempfile.TemporaryDirectory() as folder:
        restarts, accepted, begun = Restarts(Path(folder), capacity=3), list[str](), list[str]()
        current: Job | None = None

        def dequeue() -> Job | None:
            job = restarts.queue.dequeue(0)
            if job is not None:
                assert not CLOSING & set(restarts.stages(job.request.id))
                begun.append(job.request.id)
            return job

        def finish(job: Job | None) -> None:
            if job is not None:
                restarts.queue.finish(job, job.stop_reason() or Outcome("done"))

        for number, step in enumerate(steps):
            if step in ("take", "serve") and current is None:
                current = dequeue()
            if step in ("finish", "serve"):
                finish(current)
                current = None
            if step in ("stop", "stop one"):
                restarts.queue.stop(None if step == "stop" else (accepted or ["?"])[-1])
            if step == "skip":
                restarts.queue.skip()
            if step == "pass time":
                restarts.clock.now += 10
                restarts.wall.now += 10
            if step == "shut down":
                restarts.queue.close(timeout_s=0)
                finish(current)
            if step in ("die", "shut down"):
                current = None
                restarts.die()
            if isinstance(step, tuple):
                try:
                    restarts.submit(str(number), step[0], step[1])
                    accepted.append(str(number))
                except QueueFullError:
                    assert restarts.stages(str(number)) == []
        finish(current)
        while (job := dequeue()) is not None:
            finish(job)
        for name in accepted:
            assert len([stage for stage in restarts.stages(name) if stage in CLOSING]) == 1
            assert begun.count(name) <= 2
        assert restarts.files() == 0 if accepted else not restarts.folder.exists()
