"""Log lines: their two forms, journald's priorities, and that they hold no texts."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from edge_tts.errors import PayloadError
from edge_tts.runtime.log_lines import JsonFormatter, OneLine, ReportLog, WithoutTexts, WithPriority, is_journal
from edge_tts.speaking.job import failure
from edge_tts.values import Report, Stage


def record(level: int, message: str, *, exception: bool = False) -> logging.LogRecord:
    info = None
    if exception:
        try:
            raise ValueError("broken\nin two")
        except ValueError:
            info = sys.exc_info()
    return logging.LogRecord("edge_tts.x", level, "x.py", 1, message, (), info)


def test_a_record_is_one_json_object_on_one_line() -> None:
    """Line breaks, control characters and tracebacks are within it."""
    line = JsonFormatter().format(record(logging.ERROR, "two\nlines \x1b[0m 晚安", exception=True))
    assert "\n" not in line
    values = json.loads(line)
    assert values["level"] == "error"
    assert values["logger"] == "edge_tts.x"
    assert "晚安" in values["message"]
    assert values["traceback"].startswith("Traceback")


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_every_line_has_the_priority_of_its_record(level: int, priority: int) -> None:
    """Those of a traceback, too: journald takes each line for a message."""
    for formatter in (OneLine(), JsonFormatter()):
        lines = WithPriority(formatter).format(record(level, "it ends", exception=True)).split("\n")
        assert {line[:3] for line in lines} == {f"<{priority}>"}


def test_the_journal_is_told_from_other_files(tmp_path: Path) -> None:
    """Only a stream with the device and inode of JOURNAL_STREAM is the journal's."""
    with (tmp_path / "log").open("w") as stream:
        status = os.fstat(stream.fileno())
        assert is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
        assert not is_journal(stream, {})


def test_reports_are_logged_with_request_caller_and_stage(caplog: pytest.LogCaptureFixture) -> None:
    """As fields of the JSON object; what failed is a warning."""
    caplog.set_level(logging.DEBUG)
    stages: tuple[Stage, ...] = ("accepted", "started", "first_audio", "done", "interrupted", "expired", "failed")
    for stage in stages:
        ReportLog().on_report(Report("a1", stage, 12.5, caller="http"))
    lines = [json.loads(JsonFormatter().format(one)) for one in caplog.records]
    assert [line["stage"] for line in lines] == list(stages)
    assert {(line["request"], line["caller"], line["ms"]) for line in lines} == {("a1", "http", 12.5)}
    assert [line["level"] for line in lines[3:]] == ["info", "info", "warning", "warning"]


@pytest.mark.parametrize("texts", [False, True])
def test_a_refusal_is_logged_without_the_text_it_quotes(caplog: pytest.LogCaptureFixture, texts: bool) -> None:
    """Unless log.texts asks for it; the kind of the mistake is always there."""
    outcome = failure(PayloadError("say: 'my secret' is no JSON"))
    ReportLog(texts=texts).on_report(Report("a1", outcome.stage, 0.0, outcome.details))
    assert ("my secret" in caplog.text) is texts
    assert "PayloadError" in caplog.text


@pytest.mark.parametrize("inner", [OneLine(), JsonFormatter()])
def test_a_traceback_that_may_quote_a_text_has_no_messages(inner: logging.Formatter) -> None:
    """Frames and types are there, also of what it came from; others keep their words."""
    try:
        try:
            raise ValueError("a very private text")
        except ValueError as error:
            raise KeyError("private, too") from error
    except KeyError:
        info = sys.exc_info()
    marked = logging.LogRecord("edge_tts.x", logging.ERROR, "x.py", 1, "it met a defect", (), info)
    marked.quotes = True
    line = WithoutTexts(inner).format(marked)
    assert "private" not in line.replace('raise ValueError("a very private text")', "").replace(
        'raise ValueError(\\"a very private text\\")', ""
    ).replace('raise KeyError("private, too")', "").replace('raise KeyError(\\"private, too\\")', "")
    assert line.index("ValueError (log.texts is off)") < line.index("KeyError (log.texts is off)")
    assert "test_log_lines.py" in line
    assert "broken" in WithoutTexts(inner).format(record(logging.ERROR, "it ends", exception=True))
