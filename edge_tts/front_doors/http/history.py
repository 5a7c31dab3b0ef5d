"""The latest requests and their reports, for the page."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edge_tts.values import Report

MOST = 50


@dataclass(slots=True)
class _Request:
    id: str
    at: float
    """Of its first report, in seconds since 1970."""
    stages: dict[str, float] = field(default_factory=dict)
    """In their order, with the milliseconds since it was accepted."""
    details: dict[str, Any] = field(default_factory=dict)


class History:
    """An event listener; the oldest requests are forgotten. Thread-safe."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now, self._lock = now, threading.Lock()
        self._requests: OrderedDict[str, _Request] = OrderedDict()

    def on_report(self, report: Report) -> None:
        with self._lock:
            if report.stage == "accepted":  # an id that comes again is another request
                self._requests.pop(report.id, None)
            request = self._requests.setdefault(report.id, _Request(report.id, self._now()))
            request.stages[report.stage] = report.ms
            request.details.update(report.details)
            while len(self._requests) > MOST:
                self._requests.popitem(last=False)

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        """The bus keeps them itself."""

    def requests(self) -> list[dict[str, Any]]:
        """The oldest first."""
        with self._lock:
            return [asdict(request) for request in self._requests.values()]
