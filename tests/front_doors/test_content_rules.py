"""Content rules at the front doors: what is refused, and what the receipt and the log tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from dispatcher_rig import DispatcherRig

from edge_tts.config import ContentRule
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.http.answers import STATUS_OF
from edge_tts.speaking.journal import Journal
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.spoken_rules import SpokenRules

RULES = [
    ContentRule(name="rude", words=("damn",)),
    ContentRule(name="tone", action="bleep", words=("heck",)),
    ContentRule(name="note", action="report", words=("surprise party",)),
]


def with_rules(it: DispatcherRig) -> DispatcherRig:
    content = ContentRules(100, front_end=TextFrontEnd(rules=SpokenRules(RULES)))
    it.dispatcher._rules = replace(it.dispatcher._rules, content=content)
    return it


def test_a_refused_text_is_never_queued() -> None:
    """The report names the rule, it is the caller's matter, and HTTP answers 403."""
    it = with_rules(DispatcherRig())
    it.handle('{"id": "a", "text": "d\u200ba\u200bm\u200bn"}'.encode())
    [report] = it.notes.reports
    assert (report.stage, report.details["error"], report.details["rule"]) == ("failed", "ContentError", "rude")
    assert "damn" not in str(report.details)
    assert it.jobs.dequeue(0) is None
    assert STATUS_OF["ContentError"] == 403


def test_every_receipt_names_the_rules(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """From `accepted` on and after a restart, and the log, without a word of the text."""
    caplog.set_level("DEBUG")
    it = with_rules(DispatcherRig(journal=Journal(tmp_path / "jobs", clock=lambda: 0.0)))
    it.handle(b'{"id": "a", "text": "What the heck, a surprise party!"}')
    assert it.notes.reports[0].details["rules"] == ["tone", "note"]
    assert "a meets content.rules: tone, note" in caplog.text
    assert "heck" not in caplog.text
    again = DispatcherRig(journal=Journal(tmp_path / "jobs", clock=lambda: 0.0))
    again.dispatcher.resume(Journal(tmp_path / "jobs", clock=lambda: 0.0), oldest_s=100, reply=lambda address: print)
    assert again.request().rules == ("tone", "note")
    it.handle(b'{"id": "b", "text": "Fine."}')
    assert "rules" not in it.notes.reports[-1].details


def test_a_caller_cannot_claim_rules() -> None:
    """`rules` is no key of a message."""
    it = DispatcherRig()
    it.handle(b'{"text": "Hello.", "rules": ["x"]}')
    assert "rules" in it.failures()[0]
