"""Errands: whatever others say or ask for under the id of one, its owner hears how his own ended."""

from __future__ import annotations

from fakes import FakeClock, Notes

from edge_tts.runtime.event_bus import EventBus, State
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job_queue import JobQueue, Outcome, failure
from edge_tts.values import Report, SpeakRequest


def test_nobody_else_can_end_an_errand() -> None:
    """Its id is there for all to read: a message refused under it, or a request spoken under it, is not the errand."""
    events, notes = EventBus(state=State(voice="hum")), Notes()
    events.listen(notes)
    jobs = JobQueue(capacity=8, report=events.report, changed=lambda *_: None, clock=FakeClock())
    internal_jobs = InternalJobs(jobs=jobs, events=events, new_id=lambda: "e0")
    jobs.submit(SpeakRequest("somebody else's", "e0", "hum"))
    job_id = internal_jobs.do(lambda networks, should_stop: iter(()))
    events.refuse(Report("e0", "failed", 0.0, failure(ValueError("bogus")).details), None)
    assert internal_jobs.ended(job_id) is None
    for mine in (False, True):
        job = jobs.take(0)
        assert job is not None
        jobs.finish(job, Outcome("done", {"mine": mine}))
        report = internal_jobs.ended(job_id)
        assert report == (notes.reports[-1][0] if mine else None)
