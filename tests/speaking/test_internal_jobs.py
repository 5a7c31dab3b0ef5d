"""Jobs of the appliance's own: whatever others send under the id of one, its owner gets its closing report."""

from __future__ import annotations

from rig import Rig, sentence

from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job import Discard, Job, Outcome, failure
from edge_tts.values import Report


def test_an_internal_job_says_what_it_is() -> None:
    """Every report on it carries its kind, so that nobody takes its `done` for his own."""
    rig = Rig()
    for number in range(2):
        own = InternalJobs(runtime=rig.runtime, jobs=rig.jobs, sink=Discard(), kind="encoding")
        own.do(lambda networks, should_stop: iter(()), priority="low" if number else "normal")
    rig.say("a")
    for _ in range(3):
        job = rig.jobs.dequeue(0)
        assert job is not None
        rig.jobs.finish(job, Outcome("done"))
    kinds = [(report.id, report.stage, report.details.get("kind")) for report in rig.notes.reports]
    assert {kind for name, _, kind in kinds if name.startswith("auto")} == {"encoding"}
    assert {kind for name, _, kind in kinds if name == "a"} == {None}
    assert [stage for name, stage, _ in kinds if name == "auto1"] == ["accepted", "done"]


def test_nobody_else_can_end_an_internal_job() -> None:
    """Its id is there for all to read: a message refused under it, or a request spoken under it, is another one."""
    rig = Rig()
    internal_jobs = rig.internal_jobs()
    rig.jobs.submit(Job(sentence("auto1", "somebody else's")))
    job_id = internal_jobs.do(lambda networks, should_stop: iter(()))
    assert job_id == "auto1"
    rig.events.report(Report(job_id, "failed", 0.0, failure(ValueError("bogus")).details))
    assert internal_jobs.ended(job_id) is None
    for mine in (False, True):
        job = rig.jobs.dequeue(0)
        assert job is not None
        rig.jobs.finish(job, Outcome("done", {"mine": mine}))
        report = internal_jobs.ended(job_id)
        assert report == (rig.notes.reports[-1] if mine else None)
