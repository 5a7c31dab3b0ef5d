"""The event bus: parts publish reports and retained state, listeners hear of it. Knows nothing of MQTT; never waits."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from edge_tts.values import Report


@dataclass(frozen=True, slots=True)
class State:
    """What the appliance is doing."""

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
    """Hears every event. Both calls must return at once and may come from any thread."""

    def on_report(self, report: Report) -> None:
        """A request came a stage further."""

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        """A retained value changed."""


class EventBus:
    """Passes reports on, and keeps the latest value of each retained topic (state, voices, capabilities, ...)."""

    def __init__(self, *, state: State) -> None:
        self._lock = threading.RLock()
        self._state = state
        self._retained: dict[str, Mapping[str, Any]] = {"state": asdict(state)}
        self._listeners: list[EventListener] = []

    @property
    def state(self) -> State:
        """The state as it is now."""
        return self._state

    def subscribe(self, listener: EventListener) -> None:
        """Tell `listener` every retained value, and every event from now on."""
        with self._lock:
            self._listeners.append(listener)
            for topic, value in self._retained.items():
                listener.on_retained(topic, value)

    def retained(self) -> dict[str, Mapping[str, Any]]:
        """Every retained value by topic."""
        with self._lock:
            return dict(self._retained)

    def report(self, report: Report) -> None:
        """Publish how far a request has come."""
        with self._lock:
            for listener in self._listeners:
                listener.on_report(report)

    def update(self, **changes: Any) -> None:
        """Change fields of the state; listeners hear of it only if something is different."""
        with self._lock:
            state = replace(self._state, **changes)
            if state != self._state:
                self._state = state
                self.retain("state", asdict(state))

    def retain(self, topic: str, value: Mapping[str, Any]) -> None:
        """Publish a value that holds until the next one."""
        with self._lock:
            self._retained[topic] = value
            for listener in self._listeners:
                listener.on_retained(topic, value)
