"""The notice board: parts put up what happened, listeners hear of it. Knows nothing of MQTT; never waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from edge_tts.values import Report, Stage

CLOSING: frozenset[Stage] = frozenset({"done", "interrupted", "expired", "failed"})
"""One of these is the last report on a request."""


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where the sender of a request wants its reports (MQTT 5: response topic and correlation data)."""

    topic: str
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What the appliance is doing, for everybody to see."""

    speaking: str | None = None
    """Id of the request in service."""
    waiting: int = 0
    paused: bool = False
    voice: str = ""
    """The default voice."""
    volume: float = 100.0
    """0 to 100."""
    microphone: Literal["open", "closed"] = "closed"
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    """Load, heat, power and what slows the device down, where it shows them."""


class EventListener(Protocol):
    """Hears of everything that is put up. Both calls must return at once and may come from any thread."""

    def on_report(self, report: Report, reply_to: ReplyTo | None) -> None:
        """A request came a stage further."""

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        """A standing fact changed."""


class EventBus:
    """Reports pass through; facts (state, voices, capabilities) stay up until they change."""

    def __init__(self, *, state: State) -> None:
        self._lock = threading.RLock()
        self._state = state
        self._facts: dict[str, Mapping[str, Any]] = {"state": asdict(state)}
        self._replies: dict[str, ReplyTo] = {}
        self._listeners: list[EventListener] = []

    @property
    def state(self) -> State:
        """The state as it is now."""
        return self._state

    def listen(self, listener: EventListener) -> None:
        """Tell `listener` the standing facts, and everything from now on."""
        with self._lock:
            self._listeners.append(listener)
            for topic, value in self._facts.items():
                listener.on_retained(topic, value)

    def retained(self) -> dict[str, Mapping[str, Any]]:
        """Every standing fact by topic."""
        with self._lock:
            return dict(self._facts)

    def expect_replies(self, request_id: str, reply_to: ReplyTo) -> bool:
        """Send the reports on `request_id` to this address as well, up to the closing one. False, and nothing is
        changed, where somebody else waits for reports on that id already."""
        with self._lock:
            return self._replies.setdefault(request_id, reply_to) is reply_to

    @contextmanager
    def expecting_replies(self, request_id: str, reply_to: ReplyTo | None) -> Iterator[None]:
        """Like `expect`, but not when the block, which submits the request, raises."""
        mine = reply_to is not None and self.expect_replies(request_id, reply_to)
        try:
            yield
        except Exception:
            if mine:
                with self._lock:
                    self._replies.pop(request_id, None)
            raise

    def refuse(self, report: Report, reply_to: ReplyTo | None) -> None:
        """Pass a report on a message that never became a request, whatever id it claims."""
        with self._lock:
            for listener in self._listeners:
                listener.on_report(report, reply_to)

    def report(self, report: Report) -> None:
        """Pass a report on a request on."""
        with self._lock:
            reply_to = self._replies.get(report.id)
            if report.stage in CLOSING:
                self._replies.pop(report.id, None)
            for listener in self._listeners:
                listener.on_report(report, reply_to)

    def update(self, **changes: Any) -> None:
        """Change fields of the state; listeners hear of it only if something is different."""
        with self._lock:
            state = replace(self._state, **changes)
            if state != self._state:
                self._state = state
                self.put("state", asdict(state))

    def put(self, topic: str, value: Mapping[str, Any]) -> None:
        """Put up a standing fact."""
        with self._lock:
            self._facts[topic] = value
            for listener in self._listeners:
                listener.on_retained(topic, value)
