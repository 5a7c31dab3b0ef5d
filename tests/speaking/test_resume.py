"""The waiting line over several lives of the process, with a journal on a real disk: nothing is lost, nothing is closed
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
from edge_tts.speaking.job import CLOSING, Job, Outcome
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Envelope, Journal
from edge_tts.speaking.worker import Task
from edge_tts.values import Report

BARE = Envelope()


class Lives:
    """A line that dies and starts anew. What it reports is written down over all its lives."""

    def __init__(self, folder: Path, capacity: int = 8) -> None:
        self.folder, self.capacity = folder / "jobs", capacity
        self.notes = Notes()
        self.clock, self.wall = FakeClock(), FakeClock()
        self.start()

    def start(self, *, oldest_s: float = 600.0) -> None:
        """Another life, whatever became of the one before."""
        journal = Journal(self.folder, clock=self.clock, wall=self.wall, uptime=lambda: None)
        self.queue = JobQueue(
            runtime=make_runtime(self.notes, clock=self.clock), capacity=self.capacity, journal=journal
        )
        pages = journal.read()
        self.queue.resume(pages, oldest_s=oldest_s, job_of=lambda page: Job(page.request, envelope=page.envelope))

    def die(self, after_s: float = 1.0) -> None:
        """A power cut and a start: the clock of the new life begins anew."""
        self.wall.now += after_s
        self.clock.now = 7.0
        self.start()

    def submit(self, name: str, priority: Any = "normal", ttl_s: float | None = None) -> None:
        deadline = None if ttl_s is None else self.clock.now + ttl_s
        self.queue.submit(Job(sentence(name, priority=priority), envelope=Envelope(deadline)))

    def take(self) -> Job:
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
        return len(list(self.folder.iterdir()))


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    """The first of them."""
    return Lives(tmp_path)


def test_what_waited_waits_again_in_its_old_order(lives: Lives) -> None:
    """Alert before normal before low, within one priority in the order of acceptance, also behind later ones; a report
    says that it is accepted again."""
    for name in ("l1", "n1", "a1", "n2", "l2", "a2"):
        lives.submit(name, {"l": "low", "n": "normal", "a": "alert"}[name[0]])
    lives.die()
    lives.submit("n3")
    resumed = [(report.id, report.details) for report in lives.reports if "resumed" in report.details]
    order = ["a1", "a2", "n1", "n2", "l1", "l2"]
    assert resumed == [(name, {"waiting": place, "resumed": True}) for place, name in enumerate(order)]
    assert lives.serve() == ["a1", "a2", "n1", "n2", "n3", "l1", "l2"]
    lives.die()
    assert lives.serve() == []


def test_a_request_is_on_the_disk_before_it_is_reported(lives: Lives) -> None:
    """Whoever hears `accepted` can rely on it, and whoever hears a closing report has had his turn before the file
    goes."""
    seen: list[tuple[str, int]] = []
    lives.notes.on_report = lambda report: seen.append((report.stage, lives.files()))  # type: ignore[method-assign]
    lives.submit("a")
    lives.serve()
    assert seen == [("accepted", 1), ("done", 1)]
    assert lives.files() == 0


def expire(lives: Lives) -> None:
    """Its time is up before its turn comes."""
    lives.clock.now += 100
    assert lives.queue.dequeue(0) is None


ENDINGS: dict[str, Callable[[Lives], None]] = {
    "done": lambda lives: lives.queue.finish(lives.take(), Outcome("done")),
    "stopped by id": lambda lives: lives.queue.stop("a"),
    "stopped with all": lambda lives: lives.queue.stop(),
    "expired": expire,
    "pushed out": lambda lives: lives.submit("b", "alert"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_every_end_takes_the_request_out_of_the_journal(tmp_path: Path, how: str) -> None:
    """Whatever closes a request, the next life knows nothing of it."""
    lives = Lives(tmp_path, capacity=1)
    lives.submit("a", ttl_s=50)
    ENDINGS[how](lives)
    assert len(lives.stages("a")) == 2
    lives.die()
    assert len(lives.stages("a")) == 2


def test_a_request_that_is_skipped_or_stopped_in_service_does_not_come_back(lives: Lives) -> None:
    """Its file goes when it has faded out, after its report."""
    for end in (lives.queue.skip, lives.queue.stop):
        lives.submit("a")
        job = lives.take()
        end()
        assert lives.files() == 1
        lives.queue.finish(job, job.stop_reason() or Outcome("done"))
        assert lives.files() == 0


def test_old_news_is_not_spoken(lives: Lives) -> None:
    """What was accepted too long ago, or is past its own time, gets one report and is gone."""
    lives.submit("old")
    lives.wall.now += 590
    lives.submit("short", ttl_s=5)
    lives.submit("long", ttl_s=50)
    lives.die(after_s=20)
    assert "610 s ago" in lives.closing("old")["message"]
    assert "15.0 s late" in lives.closing("short")["message"]
    assert lives.stages("old") == lives.stages("short") == ["accepted", "expired"]
    assert lives.serve() == ["long"]
    assert lives.files() == 0


def test_a_deadline_goes_on_in_the_next_life(lives: Lives) -> None:
    """A request that is fresh at the start expires when its time is up, counted from the first acceptance."""
    lives.submit("a", ttl_s=50)
    lives.die(after_s=20)
    lives.clock.now += 31
    assert lives.serve() == []
    assert lives.stages("a") == ["accepted", "accepted", "expired"]


def test_nothing_is_resumed_where_that_is_switched_off(lives: Lives) -> None:
    """With limits.resume_s 0 everything is reported expired, whatever the clocks say."""
    lives.submit("a")
    lives.wall.now -= 100
    lives.start(oldest_s=0)
    assert lives.stages("a") == ["accepted", "expired"]
    assert lives.files() == 0


def test_what_was_in_service_is_begun_once_more_and_no_third_time(lives: Lives) -> None:
    """A request that two lives died of, one after the other or not, is closed with a message that says so; those that
    waited behind it are spoken."""
    lives.submit("deadly")
    lives.submit("harmless")
    assert lives.take().request.id == "deadly"
    lives.die()
    assert lives.take().request.id == "deadly"
    lives.die()
    assert lives.stages("deadly") == ["accepted", "accepted", "failed"]
    assert lives.closing("deadly")["error"] == "AbandonedError"
    assert "died 2 times" in lives.closing("deadly")["message"]
    assert lives.serve() == ["harmless"]
    assert lives.files() == 0


def test_more_than_the_line_takes_is_refused(lives: Lives) -> None:
    """Where the configuration has lowered the capacity meanwhile, those that would be served last are told."""
    for name in ("n1", "l1", "n2", "a1", "l2"):
        lives.submit(name, {"l": "low", "n": "normal", "a": "alert"}[name[0]])
    lives.capacity = 2
    lives.die()
    assert lives.closing("l1")["error"] == lives.closing("l2")["error"] == "QueueFullError"
    assert lives.serve() == ["a1", "n1", "n2"]
    assert lives.files() == 0


def test_a_full_line_and_the_one_in_service_all_come_back(tmp_path: Path) -> None:
    """One more than may wait had been accepted: the first is taken into service again, so the others have room."""
    lives = Lives(tmp_path, capacity=2)
    lives.submit("current")
    lives.take()
    lives.submit("a")
    lives.submit("b")
    lives.die()
    with pytest.raises(QueueFullError):
        lives.submit("c")
    assert lives.serve() == ["current", "a", "b"]


def test_an_orderly_stop_keeps_what_is_in_the_journal(lives: Lives) -> None:
    """The request in service is interrupted and those in the journal wait for the next start without a closing report;
    what lives in memory alone, a task or the appliance's own words, is ended as ever."""
    lives.submit("current")
    lives.submit("waiting")
    lives.queue.submit(Job(Task("task", lambda networks, should_stop: iter([]))))
    lives.queue.submit(Job(sentence("phrase", "after the tone, please")))
    job = lives.take()
    lives.queue.close(timeout_s=0)
    lives.queue.finish(job, job.stop_reason() or Outcome("done"))
    for name in ("current", "task", "phrase"):
        assert lives.closing(name) == {"reason": "shutdown"}
    assert lives.stages("waiting") == ["accepted"]
    assert lives.queue.dequeue(0) is None
    lives.die()
    assert lives.serve() == ["waiting"]


def test_a_request_that_the_full_line_refuses_leaves_no_file(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it cost a write; and one that finds the line full only after its write is taken out again."""
    lives.capacity = 1
    lives.start()
    lives.submit("a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: pytest.fail("the disk was asked"))
        with pytest.raises(QueueFullError):
            lives.submit("b")
    lives.queue.stop("a")
    add = lives.queue._journal.add

    def slow(request: SpeakRequest, envelope: Envelope) -> Any:
        page = add(request, envelope)
        if request.id == "late":
            lives.submit("early")
        return page

    monkeypatch.setattr(lives.queue._journal, "add", slow)
    with pytest.raises(QueueFullError):
        lives.submit("late")
    assert lives.stages("late") == []
    lives.die()
    assert lives.serve() == ["early"]


def test_a_full_disk_costs_the_memory_and_not_the_speech(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are accepted and spoken all the same; what waits at an orderly stop is then told at once."""

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    lives.submit("kept")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for name in ("spoken", "stopped"):
            lives.submit(name)
        for name in ("kept", "spoken"):
            job = lives.take()
            assert job.request.id == name
            lives.queue.finish(job, Outcome("done"))
        lives.queue.close(timeout_s=0)
    assert lives.closing("stopped") == {"reason": "shutdown"}
    lives.die()
    assert lives.serve() == []


STEPS = st.one_of(
    st.sampled_from(["take", "finish", "serve", "stop", "stop one", "skip", "pass time", "die", "die", "shut down"]),
    st.tuples(st.sampled_from(["alert", "normal", "low"]), st.none() | st.sampled_from([5.0, 500.0])),
)


@given(steps=st.lists(STEPS, max_size=40))
def test_over_all_lives_every_accepted_request_gets_exactly_one_closing_report(steps: list[Any]) -> None:
    """However lives end, no accepted request is forgotten, closed twice, or begun a third time or after its end."""
    with tempfile.TemporaryDirectory() as folder:
        lives, accepted, begun = Lives(Path(folder), capacity=3), list[str](), list[str]()
        current: Job | None = None

        def take() -> Job | None:
            job = lives.queue.dequeue(0)
            if job is not None:
                assert not CLOSING & set(lives.stages(job.request.id))
                begun.append(job.request.id)
            return job

        def finish(job: Job | None) -> None:
            if job is not None:
                lives.queue.finish(job, job.stop_reason() or Outcome("done"))

        for number, step in enumerate(steps):
            if step in ("take", "serve") and current is None:
                current = take()
            if step in ("finish", "serve"):
                finish(current)
                current = None
            if step in ("stop", "stop one"):
                lives.queue.stop(None if step == "stop" else (accepted or ["?"])[-1])
            if step == "skip":
                lives.queue.skip()
            if step == "pass time":
                lives.clock.now += 10
                lives.wall.now += 10
            if step == "shut down":
                lives.queue.close(timeout_s=0)
                finish(current)
            if step in ("die", "shut down"):
                current = None
                lives.die()
            if isinstance(step, tuple):
                try:
                    lives.submit(str(number), step[0], step[1])
                    accepted.append(str(number))
                except QueueFullError:
                    assert lives.stages(str(number)) == []
        finish(current)
        while (job := take()) is not None:
            finish(job)
        for name in accepted:
            assert len([stage for stage in lives.stages(name) if stage in CLOSING]) == 1
            assert begun.count(name) <= 2
        assert lives.files() == 0 if accepted else not lives.folder.exists()
