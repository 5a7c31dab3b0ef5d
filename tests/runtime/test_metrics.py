"""Prometheus' metrics: what is counted under which labels, and that nothing of it can stop speech."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.runtime.event_bus import EventBus, PartHealth, State
from edge_tts.runtime.metrics import MOST_VOICES, Metrics, ScrapeSources
from edge_tts.values import Report, Stage

pytest.importorskip("prometheus_client", reason="prometheus-client IS NOT INSTALLED: metrics were not tested")
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


class Observed:
    """Metrics over an event bus."""

    def __init__(self) -> None:
        self.metrics = Metrics(now=lambda: 1000.0)
        self.another_appliance()

    def another_appliance(self) -> None:
        self.events = EventBus(state=State())
        sources = ScrapeSources(broker_connected=lambda: True, journal=lambda: (2, 700), set="toy 1", version="9")
        self.metrics.attach(sources)
        self.events.subscribe(self.metrics)

    def report(self, name: str, stage: Stage, ms: float = 0.0, caller: str = "mqtt", **details: Any) -> None:
        self.events.report(Report(name, stage, ms, details, caller))

    def value(self, name: str, **labels: str) -> float | None:
        value: float | None = self.metrics.registry.get_sample_value(f"edge_tts_{name}", labels)
        return value

    def requests(self, outcome: str, caller_class: str, door: str, voice: str) -> float | None:
        return self.value("requests_total", outcome=outcome, caller_class=caller_class, door=door, voice=voice)


def test_requests_are_counted_by_outcome_caller_door_and_voice() -> None:
    """Addresses are no labels, a named caller is only a class, our own words are apart, a report that is sent again is
    not counted twice."""
    it = Observed()
    it.report("a", "done", caller="wyoming 192.168.1.9", voice="hum")
    it.report("b", "done", caller="http kitchen", voice="hum")
    it.report("c", "failed", caller="mqtt", error="TextError")
    it.report("d", "failed", caller="mqtt", error="EngineError", voice="hum")
    it.report("e", "done", caller="enrolment", kind="enrolment", voice="hum")
    it.report("d", "failed", caller="mqtt", error="EngineError", voice="hum", resent=True)
    assert it.requests("done", "anonymous", "wyoming", "hum") == 1
    assert it.requests("done", "named", "http", "hum") == 1
    assert it.requests("failed", "anonymous", "mqtt", "none") == 1
    assert it.requests("failed", "anonymous", "mqtt", "hum") == 1
    assert it.requests("done", "own", "none", "hum") == 1
    assert it.value("failures_total", error="TextError", blame="caller") == 1
    assert it.value("failures_total", error="EngineError", blame="appliance") == 1


def test_voices_beyond_the_first_are_other() -> None:
    """A fleet of voices does not make a fleet of series."""
    it = Observed()
    for number in range(MOST_VOICES + 5):
        it.report(f"a{number}", "done", voice=f"v{number}")
    assert it.requests("done", "anonymous", "mqtt", "other") == 5
    assert it.requests("done", "anonymous", "mqtt", "v0") == 1


def test_times_are_measured_from_stage_to_stage() -> None:
    """The wait from accepted, the first sound from started, and not over a pause; factors without the phrase cache."""
    it = Observed()
    it.report("a", "accepted")
    it.report("a", "started", 400.0)
    it.report("a", "first_audio", 1000.0)
    it.report("a", "done", 2000.0, rtf=0.25, audio_s=1.5, retried=2, guard={"loop": 1}, underruns=3)
    it.report("b", "started", 0.0)
    it.events.update(paused=True)
    it.report("b", "first_audio", 90_000.0)
    it.report("b", "done", 91_000.0, rtf=0.01, audio_s=1.0, cached=True)
    assert it.value("queue_wait_seconds_sum") == 0.4
    assert (it.value("first_audio_seconds_sum"), it.value("first_audio_seconds_count")) == (0.6, 1)
    assert (it.value("real_time_factor_sum"), it.value("real_time_factor_count")) == (0.25, 1)
    assert it.value("audio_seconds_total") == 2.5
    assert (it.value("guard_retries_total"), it.value("guard_faults_total", fault="loop")) == (2, 1)
    assert it.value("underruns_total") == 3


def test_counters_go_on_over_a_change_of_the_model_set() -> None:
    """They are the process's; the change itself is counted."""
    it = Observed()
    it.report("a", "done", voice="hum")
    it.another_appliance()
    it.report("b", "done", voice="hum")
    assert it.requests("done", "anonymous", "mqtt", "hum") == 2
    assert it.value("restarts_total") == 1


def test_exemplars_name_the_request_where_they_are_asked_for() -> None:
    """OpenMetrics by the Accept header has the id, shortened to what an exemplar holds; plain text has none."""
    it = Observed()
    it.report("x" * 128, "started", 10.0)
    body, kind = it.metrics.exposition(OPEN_METRICS)
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert b'# {request_id="' + b"x" * 118 + b'"} 0.01' in body
    body, kind = it.metrics.exposition("*/*")
    assert kind.startswith("text/plain")
    assert b"request_id" not in body


def test_gauges_are_those_of_the_retained_topics() -> None:
    """State, health, telemetry, service level and sync, in base units; what is not known has no sample."""
    it = Observed()
    it.events.set_health("sync", PartHealth("failing", None, "no bucket"))
    it.events.update(
        waiting=3,
        stuck=("worker",),
        telemetry={"gpu_load_percent": 40, "temperature_c": 52.0, "power_w": 7.0, "throttles": ["heat"]},
        service_level={
            "hour": {"requests": 0, "success_percent": None, "first_audio_p95_s": None},
            "day": {"requests": 9, "success_percent": 99.5, "first_audio_p95_s": 0.7},
            "target": {"first_audio_s": 2.0, "success_percent": 99.5},
            "met": True,
        },
    )
    sync = {"status": "failed", "last_success": 400.0, "problems": ["one"], "more_problems": 2}
    it.events.retain("voices", {"sync": sync})
    assert (it.value("queue_waiting"), it.value("stuck_threads"), it.value("part_ok", part="sync")) == (3, 1, 0)
    assert (it.value("gpu_load_ratio"), it.value("temperature_celsius"), it.value("power_watts")) == (0.4, 52, 7)
    assert it.value("throttles") == 1
    assert it.value("memory_used_bytes") is None
    assert it.value("service_level_success_ratio", window="day") == pytest.approx(0.995)
    assert it.value("service_level_success_ratio", window="hour") is None
    assert it.value("service_level_target_first_audio_seconds") == 2
    assert (it.value("sync_age_seconds"), it.value("sync_problems"), it.value("bucket_reachable")) == (600, 3, 0)
    assert (it.value("journal_files"), it.value("journal_bytes"), it.value("broker_connected")) == (2, 700, 1)
    assert it.value("info", set="toy 1", version="9") == 1


STAGES: list[Stage] = ["accepted", "started", "first_audio", "done", "interrupted", "expired", "failed"]
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "error": st.text(),
        "voice": st.text(),
        "rtf": st.none() | st.floats(0, 1e9),
        "audio_s": st.floats(0, 1e9),
        "retried": st.integers(0, 10),
        "guard": st.dictionaries(st.sampled_from(["loop", "silence"]), st.integers(0, 9)),
        "kind": st.just("enrolment"),
    },
)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=128), st.sampled_from(STAGES), st.text(), DETAILS), max_size=8))
def test_no_report_can_raise(reports: list[tuple[str, Stage, str, dict[str, Any]]]) -> None:
    """Whatever ids, callers and voices look like, the publisher goes on, and the exposition is text."""
    it = Observed()
    for name, stage, caller, details in reports:
        it.report(name, stage, 5.0, caller, **details)
    for accept in (OPEN_METRICS, "text/plain"):
        it.metrics.exposition(accept)[0].decode()
