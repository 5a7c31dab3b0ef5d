"""The service level: what counts, for how long, and what the state says of it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from fakes import FakeClock

from edge_tts.config import ServiceLevelConfig
from edge_tts.runtime.event_bus import EventBus, PartHealth, State
from edge_tts.runtime.service_level import ServiceLevel
from edge_tts.values import Report, Stage


class Bench:
    """A service level over an event bus and a clock that stands still."""

    def __init__(self) -> None:
        self.clock, self.events = FakeClock(), EventBus(state=State())
        self.level = ServiceLevel(
            ServiceLevelConfig(),
            clock=self.clock,
            now=lambda: datetime(2026, 1, 2, tzinfo=timezone.utc),
        )
        self.events.subscribe(self.level)

    def report(self, name: str, stage: Stage, **details: Any) -> None:
        self.events.report(Report(name, stage, 0.0, details))

    def serve(self, name: str, first_audio_s: float) -> None:
        self.report(name, "accepted")
        self.report(name, "started")
        self.clock.now += first_audio_s
        self.report(name, "first_audio")
        self.report(name, "done")

    def state(self) -> State:
        self.events.update(**self.level.as_state())
        return self.events.state


def test_first_audio_and_success_are_measured_over_windows() -> None:
    """P95 is the nearest rank; what has left the hour still counts for the day."""
    bench = Bench()
    for number in range(19):
        bench.serve(f"a{number}", 0.5)
    bench.serve("slow", 5.0)
    level = bench.state().service_level
    assert level["hour"] == {"requests": 20, "success_percent": 100.0, "first_audio_p95_s": 0.5}
    assert level["met"] is True
    bench.clock.now += 3601
    bench.serve("b", 3.0)
    level = bench.state().service_level
    assert level["hour"] == {"requests": 1, "success_percent": 100.0, "first_audio_p95_s": 3.0}
    assert level["day"]["requests"] == 21
    assert level["day"]["first_audio_p95_s"] == 3.0
    assert level["met"] is False
    bench.clock.now += 86401
    assert bench.state().service_level["day"] == {
        "requests": 0,
        "success_percent": None,
        "first_audio_p95_s": None,
    }
    assert bench.state().service_level["met"] is None


@pytest.mark.parametrize(
    ("stage", "details", "success"),
    [
        ("failed", {"error": "EngineError", "message": "no"}, 50.0),
        ("expired", {}, 50.0),
        ("failed", {"error": "PayloadError", "message": "no"}, 100.0),
        ("failed", {"error": "UnknownVoiceError", "message": "no"}, 100.0),
        ("failed", {"error": "Refused", "message": "too noisy"}, 100.0),
        ("interrupted", {"reason": "stopped"}, 100.0),
        ("failed", {"error": "EngineError", "kind": "enrolment"}, 100.0),
        ("failed", {"error": "EngineError", "resent": True}, 100.0),
    ],
)
def test_only_what_the_appliance_owed_and_missed_lowers_the_success(
    stage: Stage, details: dict[str, Any], success: float
) -> None:
    """Not what was stopped, was the caller's mistake, was our own or was told before a restart."""
    bench = Bench()
    bench.serve("a", 0.1)
    bench.report("b", stage, **details)
    assert bench.state().service_level["hour"]["success_percent"] == success


def test_the_share_is_never_rounded_up_to_the_target() -> None:
    """One of 100,001 missed is less than 100 percent."""
    bench = Bench()
    for number in range(9_999):
        bench.report(f"a{number}", "done")
    bench.report("b", "failed", error="EngineError")
    assert bench.state().service_level["day"]["success_percent"] == 99.99
    for number in range(20_000):
        bench.report(f"c{number}", "started")  # bounded, also without an end
    assert bench.state().service_level["day"]["requests"] == 10_000


def test_a_pause_is_not_slow_speech() -> None:
    """First audio after a pause is not measured; the request counts."""
    bench = Bench()
    bench.report("a", "started")
    bench.events.update(paused=True)
    bench.clock.now += 100
    bench.report("a", "first_audio")
    bench.report("a", "done")
    hour = bench.state().service_level["hour"]
    assert (hour["requests"], hour["first_audio_p95_s"]) == (1, None)


def test_the_state_tells_uptime_counters_and_the_last_error() -> None:
    """Of requests and of parts; the message of a refusal that may quote the text is left out."""
    bench = Bench()
    bench.serve("a", 0.1)
    bench.report("b", "failed", error="TextError", message="the text is only 'secret'")
    bench.clock.now += 125
    state = bench.state()
    assert (state.started_at, state.uptime_s) == ("2026-01-02T00:00:00+00:00", 120)
    assert state.counters == {"done": 1, "expired": 0, "failed": 1, "interrupted": 0}
    assert state.last_error == {"at": "2026-01-02T00:00:00+00:00", "id": "b", "error": "TextError"}
    bench.events.set_health("sync", PartHealth("failing", "2026-01-02T00:00:01+00:00", "no bucket"))
    last = {"at": "2026-01-02T00:00:01+00:00", "part": "sync", "message": "no bucket"}
    assert bench.state().last_error == last


def test_a_change_of_the_model_set_counts_on() -> None:
    """Uptime, counters and windows are those of the process: another event bus does not begin them anew."""
    bench = Bench()
    bench.serve("a", 0.5)
    bench.clock.now += 60
    bench.events = EventBus(state=State())
    bench.events.subscribe(bench.level)
    bench.serve("b", 0.5)
    state = bench.state()
    assert state.counters["done"] == 2
    assert state.uptime_s == 60
    assert state.service_level["day"]["requests"] == 2
