"""Prometheus' metrics of one process. prometheus-client's one home, which a machine may lack.

Names and labels are in docs/monitoring.md; dashboards and alerts rely on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import ModuleType
from typing import Any, get_args

from edge_tts.errors import ConfigError, install_hint
from edge_tts.runtime.caller_errors import is_callers
from edge_tts.runtime.service_level import WINDOWS
from edge_tts.values import CLOSING, Door, Report

MOST_VOICES = 20
"""Voices with a label of their own; the rest are `other`."""
_DOORS = frozenset(get_args(Door))
_MOST_OPEN = 1_000
_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
_FACTORS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 2.0, 5.0)
_MOST_EXEMPLAR = 128 - len("request_id")
"""Characters, see OpenMetrics."""
_DEVICE: Mapping[str, tuple[str, float]] = {
    "gpu_load_percent": ("gpu_load_ratio", 0.01),
    "gpu_clock_mhz": ("gpu_clock_hertz", 1e6),
    "memory_used_mb": ("memory_used_bytes", 2.0**20),
    "memory_total_mb": ("memory_total_bytes", 2.0**20),
    "temperature_c": ("temperature_celsius", 1.0),
    "power_w": ("power_watts", 1.0),
}
"""Key of `Telemetry.as_state` -> name and factor."""
_LEVEL = (
    ("requests", "requests", 1.0),
    ("success_percent", "success_ratio", 0.01),
    ("first_audio_p95_s", "first_audio_p95_seconds", 1.0),
)
"""Key of a window of `ServiceLevel.measured`, name and factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeSources:
    """What is asked for at a scrape, on its thread."""

    broker_connected: Callable[[], bool]
    journal: Callable[[], tuple[int, int]]
    """Its files and bytes."""
    set: str
    """Name and version of the model set."""
    version: str


class Metrics:
    """An event listener of one appliance after the other. Reports are counted as they come; everything else is put
    together at a scrape, which takes no lock of the event bus. Raises ConfigError without the library."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._library, self._now = _prometheus(), now
        self._sources: ScrapeSources | None = None
        self._retained: dict[str, Mapping[str, Any]] = {}
        self._started: dict[str, float] = {}
        """Id -> its `ms` at `started`."""
        self._voices: set[str] = set()
        self.registry = self._library.CollectorRegistry()
        self._library.ProcessCollector(registry=self.registry)
        self._make_counters()
        self._make_histograms()
        self.registry.register(self)

    def attach(self, sources: ScrapeSources) -> None:
        """Another appliance begins; the counters go on."""
        if self._sources is not None:
            self._model_changes.inc()
        self._sources = sources
        self._started.clear()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their media type: OpenMetrics, with exemplars, where `accept` asks for it."""
        encode, kind = self._library.exposition.choose_encoder(accept)
        return encode(self.registry), kind

    def on_report(self, report: Report) -> None:
        """Reports come one at a time, under the bus's lock."""
        if "resent" in report.details:
            return
        if report.stage == "started":
            self._start(report)
        elif report.stage == "first_audio" and report.id in self._started:
            seconds = (report.ms - self._started[report.id]) / 1000
            self._first_audio.observe(max(0.0, seconds), _exemplar(report))
        elif report.stage in CLOSING:
            self._close(report)

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        self._retained[topic] = value
        if topic == "state" and value["paused"]:
            self._started.clear()  # a pause is not slow speech

    def collect(self) -> Iterator[Any]:
        """Gauges, for the registry."""
        if self._sources is None:
            return
        yield from self._of_sources(self._sources)
        yield from self._of_state(self._retained.get("state", {}))
        yield from self._of_sync(self._retained.get("voices", {}).get("sync") or {})

    def _make_counters(self) -> None:
        names = ("outcome", "caller_class", "door", "voice")
        self._requests = self._counter("requests", "Requests by their closing report.", *names)
        self._failures = self._counter("failures", "Requests that failed.", "error", "blame")
        self._audio = self._counter("audio_seconds", "Speech that was played or sent.")
        self._retries = self._counter("guard_retries", "Segments that were decoded again.")
        self._faults = self._counter("guard_faults", "Segments that stayed wrong.", "fault")
        self._underruns = self._counter("underruns", "Gaps in speech: the next sound was not there in time.")
        self._model_changes = self._counter("restarts", "Restarts within the process, for another model set.")

    def _make_histograms(self) -> None:
        self._wait = self._histogram("queue_wait_seconds", "From accepted to started.", _SECONDS)
        self._first_audio = self._histogram("first_audio_seconds", "From started to the first sound.", _SECONDS)
        self._factor = self._histogram("real_time_factor", "Seconds of synthesis per second of speech.", _FACTORS)

    def _start(self, report: Report) -> None:
        while len(self._started) >= _MOST_OPEN:
            self._started.pop(next(iter(self._started)))
        if "kind" not in report.details:
            self._started[report.id] = report.ms
            self._wait.observe(max(0.0, report.ms / 1000), _exemplar(report))

    def _close(self, report: Report) -> None:
        self._started.pop(report.id, None)
        details, exemplar = report.details, _exemplar(report)
        caller_class, door = _caller(report)
        self._requests.labels(report.stage, caller_class, door, self._voice(details)).inc(1, exemplar)
        if report.stage == "failed":
            blame = "caller" if is_callers(details) else "appliance"
            self._failures.labels(details.get("error", ""), blame).inc(1, exemplar)
        self._audio.inc(details.get("audio_s") or 0.0)
        for key, counter in (("retried", self._retries), ("underruns", self._underruns)):
            if details.get(key):
                counter.inc(details[key], exemplar)
        for fault, count in details.get("guard", {}).items():
            self._faults.labels(fault).inc(count, exemplar)
        if report.stage == "done" and details.get("rtf") is not None and not details.get("cached"):
            self._factor.observe(details["rtf"], exemplar)

    def _voice(self, details: Mapping[str, Any]) -> str:
        voice = str(details.get("voice", "none"))
        if len(self._voices) < MOST_VOICES:
            self._voices.add(voice)
        return voice if voice in self._voices else "other"

    def _of_sources(self, sources: ScrapeSources) -> Iterator[Any]:
        info = self._library.core.InfoMetricFamily("edge_tts", "The program and its model set.")
        info.add_metric([], {"set": sources.set, "version": sources.version})
        yield info
        files, size = sources.journal()
        yield self._gauge("journal_files", "Requests and closing reports on disk.", files)
        yield self._gauge("journal_bytes", "Their size.", size)
        connected = sources.broker_connected()
        yield self._gauge("broker_connected", "Whether there is a connection to the MQTT broker.", connected)

    def _of_state(self, state: Mapping[str, Any]) -> Iterator[Any]:
        if not state:
            return
        yield self._gauge("queue_waiting", "Requests that wait.", state["waiting"])
        yield self._gauge("speaking", "Whether a request is in service.", state["speaking"] is not None)
        yield self._gauge("paused", "Whether playing is paused.", state["paused"])
        yield self._gauge("networks_loaded", "Whether the networks are in memory.", state["networks"] == "loaded")
        yield self._gauge("stuck_threads", "Threads without a heartbeat for health.stall_s.", len(state["stuck"]))
        parts = {name: health["status"] == "ok" for name, health in state["health"].items()}
        yield self._family("part_ok", "Whether a part that depends on something outside works.", "part", parts)
        yield from self._of_telemetry(state["telemetry"])
        yield from self._of_service_level(state["service_level"])

    def _of_telemetry(self, telemetry: Mapping[str, Any]) -> Iterator[Any]:
        for key, (name, factor) in _DEVICE.items():
            if telemetry.get(key) is not None:
                yield self._gauge(name, f"{key} of state.telemetry, which is rounded.", factor * telemetry[key])
        yield self._gauge("throttles", "What slows the device down.", len(telemetry.get("throttles", ())))

    def _of_service_level(self, level: Mapping[str, Any]) -> Iterator[Any]:
        for key, name, factor in _LEVEL:
            values = {window: level[window][key] for window in WINDOWS if window in level}
            known = {window: factor * value for window, value in values.items() if value is not None}
            yield self._family(f"service_level_{name}", f"{key} of state.service_level.", "window", known)
        if target := level.get("target"):
            success, first_audio_s = target["success_percent"] / 100, target["first_audio_s"]
            yield self._gauge("service_level_target_success_ratio", "As configured.", success)
            yield self._gauge("service_level_target_first_audio_seconds", "As configured.", first_audio_s)

    def _of_sync(self, sync: Mapping[str, Any]) -> Iterator[Any]:
        if not sync:
            return
        if sync["last_success"] is not None:
            age_s = max(0.0, self._now() - sync["last_success"])
            yield self._gauge("sync_age_seconds", "Since the last sync without problems.", age_s)
        problems = len(sync["problems"]) + sync["more_problems"]
        yield self._gauge("sync_problems", "What the last sync could not carry.", problems)
        reached = sync["status"] != "failed"
        yield self._gauge("bucket_reachable", "Whether the last sync reached the bucket.", reached)

    def _counter(self, name: str, words: str, *labels: str) -> Any:
        return self._library.Counter(f"edge_tts_{name}", words, labels, registry=self.registry)

    def _histogram(self, name: str, words: str, buckets: tuple[float, ...]) -> Any:
        return self._library.Histogram(f"edge_tts_{name}", words, buckets=buckets, registry=self.registry)

    def _gauge(self, name: str, words: str, value: float) -> Any:
        return self._library.core.GaugeMetricFamily(f"edge_tts_{name}", words, value=float(value))

    def _family(self, name: str, words: str, label: str, values: Mapping[str, float]) -> Any:
        family = self._library.core.GaugeMetricFamily(f"edge_tts_{name}", words, labels=[label])
        for text, value in values.items():
            family.add_metric([text], float(value))
        return family


def _caller(report: Report) -> tuple[str, str]:
    """Class of the caller (`own`: the appliance itself; `named`, `anonymous`) and front door."""
    if "kind" in report.details:
        return "own", "none"
    door, *who = report.caller.split() or [""]
    named = any(not _is_address(word) for word in who)
    return "named" if named else "anonymous", door if door in _DOORS else "other"


def _is_address(word: str) -> bool:
    try:
        ip_address(word)
    except ValueError:
        return False
    return True


def _exemplar(report: Report) -> dict[str, str]:
    return {"request_id": report.id[:_MOST_EXEMPLAR]}


def _prometheus() -> ModuleType:
    try:
        import prometheus_client
        import prometheus_client.core
    except ModuleNotFoundError as missing:
        raise ConfigError(f"http.port: prometheus-client not installed; {install_hint('http')}") from missing
    return prometheus_client
