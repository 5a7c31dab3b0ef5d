"""Errands: whatever others say or ask for under the id of one, its owner hears how his own ended."""

from __future__ import annotations

from fakes import FakeClock, Notes

from edge_tts.service.board import Board, State
from edge_tts.service.errands import Errands
from edge_tts.service.jobs import JobQueue, Outcome, failure
from edge_tts.values import Report, SpeakRequest


def test_nobody_else_can_end_an_errand() -> None:
    """Its id is there for all to read: a message refused under it, or a request spoken under it, is not the errand."""
    board, notes = Board(state=State(voice="hum")), Notes()
    board.listen(notes)
    jobs = JobQueue(capacity=8, report=board.report, changed=lambda *_: None, clock=FakeClock())
    errands = Errands(jobs=jobs, board=board, new_id=lambda: "e0")
    jobs.submit(SpeakRequest("somebody else's", "e0", "hum"))
    errand = errands.do(lambda networks, should_stop: iter(()))
    board.refuse(Report("e0", "failed", 0.0, failure(ValueError("bogus")).details), None)
    assert errands.ended(errand) is None
    for mine in (False, True):
        job = jobs.take(0)
        assert job is not None
        jobs.finish(job, Outcome("done", {"mine": mine}))
        report = errands.ended(errand)
        assert report == (notes.reports[-1][0] if mine else None)
