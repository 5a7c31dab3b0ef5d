"""Log lines on stderr, as text or JSON, with priorities where journald reads them."""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Mapping
from copy import copy
from datetime import datetime, timezone
from typing import Any, TextIO

from edge_tts.config import LogConfig
from edge_tts.errors import MOST_CHARS, one_line
from edge_tts.runtime.caller_errors import without_texts
from edge_tts.values import Report, Stage

log = logging.getLogger(__name__)

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""Lowest level of Python's -> syslog's priority, see sd-daemon(3)."""
_FIELDS = ("request", "caller", "stage", "error", "ms")
"""What a record may bring as `extra`."""
_LEVELS: Mapping[Stage, int] = {
    "accepted": logging.DEBUG,
    "started": logging.DEBUG,
    "first_audio": logging.DEBUG,
    "done": logging.INFO,
    "interrupted": logging.INFO,
    "expired": logging.WARNING,
    "failed": logging.WARNING,
}


def log_to_stderr(config: LogConfig, stream: TextIO, *, environ: Mapping[str, str] = os.environ) -> None:
    """Send all records to `stream`."""
    formatter: logging.Formatter = JsonFormatter() if config.format == "json" else OneLine()
    formatter = formatter if config.texts else WithoutTexts(formatter)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(WithPriority(formatter) if is_journal(stream, environ) else formatter)
    logging.basicConfig(level=config.level.upper(), handlers=[handler])


def is_journal(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether journald reads `stream`: JOURNAL_STREAM has its device and inode, see systemd.exec(5)."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class OneLine(logging.Formatter):
    """One line per record, whatever it quotes; a traceback keeps its lines."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record), most=4 * MOST_CHARS)


class JsonFormatter(logging.Formatter):
    """A JSON object per record, on one line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        values: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": one_line(record.getMessage(), most=4 * MOST_CHARS),
        }
        values |= {name: getattr(record, name) for name in _FIELDS if getattr(record, name, None) is not None}
        if record.exc_text:
            values["traceback"] = record.exc_text
        elif record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, default=str)


class WithoutTexts(logging.Formatter):
    """Leaves out of another formatter's tracebacks what exceptions say that `quotes` marks: it may be a request's."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info and getattr(record, "quotes", False) else None
        if error is not None:
            record = copy(record)
            record.exc_text, record.exc_info = _frames(error), None
        return self._inner.format(record)


def _frames(error: BaseException | None) -> str:
    """Where it was raised and its type, and those of what it came from."""
    lines: list[str] = []
    while error is not None:
        lines = [*traceback.format_tb(error.__traceback__), f"{type(error).__name__} (log.texts is off)\n", *lines]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(["Traceback (most recent call last):\n", *lines]).rstrip()


class WithPriority(logging.Formatter):
    """Puts `<N>` before every line of another formatter's."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        priority = next(number for level, number in _PRIORITIES if record.levelno >= level)
        return "\n".join(f"<{priority}>{line}" for line in self._inner.format(record).splitlines())


class ReportLog:
    """An event listener that logs every report. Texts of requests only if `texts`."""

    def __init__(self, *, texts: bool = False) -> None:
        self._texts = texts

    def on_report(self, report: Report) -> None:
        details = report.details if self._texts else without_texts(report.details)
        why = ": ".join(str(details[name]) for name in ("error", "reason", "message") if name in details)
        fields = {
            "request": report.id,
            "caller": report.caller or None,
            "stage": report.stage,
            "error": details.get("error"),
            "ms": report.ms,
        }
        log.log(_LEVELS[report.stage], "%s %s%s", report.id, report.stage, why and f": {why}", extra=fields)

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        """Only reports are logged."""
