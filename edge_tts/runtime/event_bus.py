"""The event bus: parts publish reports and retained topics."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from edge_tts.values import Report


@dataclass(frozen=True, slots=True)
class PartHealth:
    """How something outside does: a device, a bucket, a service."""

    status: Literal["ok", "failing", "stuck"] = "ok"
    """`ok` until it failed, so also before it was used; `stuck`: a call into its driver does not return."""
    since: str | None = None
    """When it began to fail: UTC, ISO 8601."""
    why: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The retained topic `state`."""

    speaking: str | None = None
    """Id of the request in service."""
    waiting: int = 0
    paused: bool = False
    voice: str = ""
    """The default voice."""
    volume: float = 100.0
    """0 to 100."""
    rtf: float | None = None
    """Real-time factor of the request that was rendered to its end last."""
    networks: Literal["loading", "loaded", "unloaded"] = "loading"
    """`unloaded`: not needed for `engine.unload_after_s`; the next text that is not in the phrase cache loads them."""
    cold_start_s: float | None = None
    """How long loading them took last."""
    microphone: Literal["open", "closed"] = "closed"
    telemetry: Mapping[str, Any] = field(default_factory=dict)
    """`Telemetry.as_state`."""
    health: Mapping[str, PartHealth] = field(default_factory=dict)
    """Of each configured part that depends on something outside, by name."""
    stuck: tuple[str, ...] = ()
    """Threads without a heartbeat for `health.stall_s`."""
    started_at: str | None = None
    """When the process started: UTC, ISO 8601."""
    uptime_s: int = 0
    """Since then, in whole minutes."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """Closing stage -> requests since then."""
    last_error: Mapping[str, Any] | None = None
    """`at`, `message`, and `id` and `error` of a request or the `part`."""
    service_level: Mapping[str, Any] = field(default_factory=dict)
    """`ServiceLevel.measured`."""


class EventListener(Protocol):
    """Called with every event in the publisher's thread, under the bus's lock; must return at once."""

    def on_report(self, report: Report) -> None: ...

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        """A new value of a retained topic."""


class EventBus:
    """Passes on reports, and keeps the latest value of each retained topic. Thread-safe."""

    def __init__(self, *, state: State) -> None:
        self._lock = threading.RLock()
        self._state = state
        self._retained: dict[str, Mapping[str, Any]] = {"state": asdict(state)}
        self._listeners: list[EventListener] = []

    @property
    def state(self) -> State:
        return self._state

    def subscribe(self, listener: EventListener) -> None:
        """Call `listener` with every retained value now, then with every event."""
        with self._lock:
            self._listeners.append(listener)
            for topic, value in self._retained.items():
                listener.on_retained(topic, value)

    def retained(self) -> dict[str, Mapping[str, Any]]:
        """Topic -> latest value."""
        with self._lock:
            return dict(self._retained)

    def report(self, report: Report) -> None:
        with self._lock:
            for listener in self._listeners:
                listener.on_report(report)

    def update(self, **changes: Any) -> None:
        """Change fields of the state; publish it if something differs."""
        with self._lock:
            state = replace(self._state, **changes)
            if state != self._state:
                self._state = state
                self.retain("state", asdict(state))

    def set_health(self, part: str, health: PartHealth) -> None:
        with self._lock:
            self.update(health={**self._state.health, part: health})

    def retain(self, topic: str, value: Mapping[str, Any]) -> None:
        with self._lock:
            self._retained[topic] = value
            for listener in self._listeners:
                listener.on_retained(topic, value)

    def republish(self, topic: str) -> None:
        """Publish the latest value of a retained topic again."""
        with self._lock:
            self.retain(topic, self._retained[topic])
