"""Metrics over HTTP, and dashboard and alert rules against their names and against a real Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from broker import free_port
from fakes import WAIT_S
from http_stage import SECRET, Stage, stage

from edge_tts.runtime.event_bus import PartHealth
from edge_tts.runtime.metrics import Metrics

pytest.importorskip("starlette", reason="THE PACKAGE starlette IS NOT INSTALLED: no HTTP server was tested")
pytest.importorskip("uvicorn", reason="THE PACKAGE uvicorn IS NOT INSTALLED: no HTTP server was tested")
parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client IS NOT INSTALLED: no metrics")

GRAFANA = Path(__file__).resolve().parents[2] / "docs" / "grafana"
OF_PROMETHEUS = {"instance", "job"}
WORDS = set("by without on ignoring group_left group_right and or unless bool offset".split())
FUNCTIONS = set("sum min max avg count rate increase changes histogram_quantile".split())


def dashboard() -> list[str]:
    """Its queries, as Grafana would send them."""
    value = json.loads((GRAFANA / "edge-tts.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in value["panels"] for target in panel["targets"]]
    return [query.replace("$__rate_interval", "1m").replace("$instance", ".*") for query in queries]


def alerts() -> list[str]:
    groups = yaml.safe_load((GRAFANA / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def names_in(query: str) -> tuple[dict[str, set[str]], set[str]]:
    """Metric -> labels it is matched by; and the labels that are grouped by."""
    bare = re.sub(r'"[^"]*"', '""', query)
    bare = re.sub(r"\[\w+\]", "", bare)
    grouped: set[str] = set()
    for labels in re.findall(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", bare):
        grouped |= set(re.findall(r"\w+", labels))
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    metrics: dict[str, set[str]] = {}
    for name, matchers in re.findall(r"([A-Za-z_:][\w:]*)(?:\s*\{([^}]*)\})?", bare):
        if name in FUNCTIONS | WORDS:
            continue
        metrics.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!]", matchers))
    return metrics, grouped


def exposed(metrics: Metrics) -> dict[str, set[str]]:
    """Sample -> its labels."""
    text = metrics.exposition("text/plain")[0].decode()
    found: dict[str, set[str]] = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@contextmanager
def watched(folder: Path, **how: Any) -> Iterator[tuple[Stage, Metrics]]:
    """A server that has spoken and refused, with everything in its state that a device may show."""
    metrics = Metrics()
    with stage(folder, metrics=metrics, **how) as it:
        it.events.update(
            telemetry={
                "gpu_load_percent": 40,
                "gpu_clock_mhz": 600,
                "memory_used_mb": 900,
                "memory_total_mb": 8000,
                "temperature_c": 52,
                "power_w": 7,
                "throttles": [],
            },
            service_level={
                window: {"requests": 9, "success_percent": 99.9, "first_audio_p95_s": 0.7} for window in ("hour", "day")
            }
            | {"target": {"first_audio_s": 2.0, "success_percent": 99.5}, "met": True},
        )
        sync = {"status": "done", "last_success": time.time(), "problems": [], "more_problems": 0}
        it.events.retain("voices", {**it.events.retained()["voices"], "sync": sync})
        it.say("spoken")
        done = it.notes.wait("spoken", "done")
        it.events.report(type(done)("bad", "done", 1.0, {"voice": "hum", "rtf": 0.3, "guard": {"loop": 1}}, "mqtt"))
        it.events.report(type(done)("worse", "failed", 1.0, {"error": "EngineError"}, "mqtt"))
        yield it, metrics


def test_metrics_are_answered_over_http_to_whom_they_belong(tmp_path: Path) -> None:
    """Text or OpenMetrics by the Accept header, and only with the token."""
    with watched(tmp_path, token=True) as (it, _):
        answer, body = it.ask("GET", "/metrics", authorization=f"Bearer {SECRET}")
        assert (answer.status, b"edge_tts_requests_total{" in body) == (200, True)
        accept = "application/openmetrics-text; version=1.0.0, text/plain; q=0.5"
        answer, body = it.ask("GET", "/metrics", authorization=f"Bearer {SECRET}", accept=accept)
        assert (answer.getheader("content-type") or "").startswith("application/openmetrics-text")
        assert b'request_id="spoken"' in body
        assert it.refused("GET", "/metrics")[0] == 401


def test_a_server_for_metrics_alone_answers_nothing_else(tmp_path: Path) -> None:
    """With `http.metrics_only` there are metrics and the health, and no way to speak or to see what is said."""
    with watched(tmp_path, metrics_only=True) as (it, _):
        assert it.ask("GET", "/metrics")[0].status == 200
        assert it.ask("GET", "/healthz")[0].status == 200
        for method, path in (("POST", "/v1/audio/speech"), ("POST", "/tts"), ("GET", "/v1/state"), ("GET", "/")):
            assert it.refused(method, path)[0] == 404


@pytest.mark.parametrize("source", [dashboard, alerts])
def test_every_query_is_about_metrics_and_labels_that_exist(tmp_path: Path, source: Any) -> None:
    """No panel and no alert asks for a name that is not exposed, or for a label that the metric has not."""
    with watched(tmp_path) as (_, metrics):
        there = exposed(metrics) | {"up": set()}
    assert source()
    for query in source():
        names, grouped = names_in(query)
        assert names, query
        for name, labels in names.items():
            assert name in there, f"{query}: there is no {name}"
            assert labels <= there[name] | OF_PROMETHEUS, f"{query}: {name} has no {labels - there[name]}"
        of_all = set().union(*(there[name] for name in names)) | OF_PROMETHEUS
        assert grouped <= of_all, f"{query}: nothing has {grouped - of_all}"


def test_a_query_about_nothing_is_found() -> None:
    """The check above reads names, matchers and groups out of a query."""
    names, grouped = names_in('sum by (le, x) (rate(a_bucket{q="b{c}", w=~".*"}[5m])) / on (job) d > 0')
    assert names == {"a_bucket": {"q", "w"}, "d": set()}
    assert grouped == {"le", "x", "job"}


class Prometheus:
    """A real one that scrapes a server, with our alert rules."""

    def __init__(self, folder: Path, target: int) -> None:
        self.port, self._folder = free_port(), folder
        scrape = {
            "job_name": "edge-tts",
            "scrape_interval": "200ms",
            "scrape_timeout": "200ms",
            "authorization": {"credentials": SECRET},
            "static_configs": [{"targets": [f"127.0.0.1:{target}"]}],
        }
        config = {"rule_files": [str(GRAFANA / "alerts.yml")], "scrape_configs": [scrape]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def __enter__(self) -> Prometheus:
        command = ["prometheus", f"--config.file={self._folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={self._folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        command += ["--enable-feature=exemplar-storage"]
        with (self._folder / "prometheus.log").open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(WAIT_S)

    def ask(self, path: str, **keys: Any) -> Any:
        """The data of an answer; None while it does not listen yet."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(keys)}"
        try:
            with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
                value = json.load(answer)
        except urllib.error.HTTPError as refused:
            if refused.code == 503:  # it starts
                return None
            raise AssertionError(f"{keys}: {refused.read().decode()}") from refused
        except OSError:
            return None
        assert value["status"] == "success"
        return value["data"]

    def results(self, query: str) -> list[Any]:
        data = self.ask("query", query=query)
        return [] if data is None else list(data["result"])

    def wait(self, query: str) -> list[Any]:
        """The samples of a query, once there are any."""
        deadline = time.monotonic() + WAIT_S
        while not (found := self.results(query)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found


def test_the_alert_rules_are_promtools(tmp_path: Path) -> None:
    """promtool takes the rules, and our part of Prometheus' configuration."""
    if shutil.which("promtool") is None:
        pytest.skip("PROMTOOL IS NOT INSTALLED (Debian's prometheus): the alert rules were not checked with it")
    text = (GRAFANA / "prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "token").write_text("secret")
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/edge-tts-token", str(tmp_path / "token")))
    shutil.copy(GRAFANA / "alerts.yml", tmp_path)
    for what in (["rules", "alerts.yml"], ["config", "prometheus.yml"]):
        checked = subprocess.run(["promtool", "check", *what], cwd=tmp_path, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_real_prometheus_finds_something_for_every_query(tmp_path: Path) -> None:
    """Each panel's query and the left side of each alert have samples, a histogram leads to the request's id, and
    alerts fire when something is wrong, and not before."""
    if shutil.which("prometheus") is None:
        pytest.skip("PROMETHEUS IS NOT INSTALLED (Debian's prometheus): no query was tried on it")
    with watched(tmp_path, token=True) as (it, _), Prometheus(tmp_path, it.port) as prometheus:
        assert prometheus.wait("count_over_time(edge_tts_requests_total[1m]) > 3"), "nothing is scraped"
        for query in (*dashboard(), *(re.split(r" (?:==|<|>) ", expr)[0] for expr in alerts())):
            assert prometheus.wait(query), f"no samples for {query}"
        [series] = prometheus.ask("query_exemplars", query="edge_tts_first_audio_seconds_bucket", start=0, end=2**31)
        assert series["exemplars"][0]["labels"] == {"request_id": "spoken"}
        assert [expr for expr in alerts() if prometheus.results(expr)] == []  # nothing is wrong
        it.events.set_health("sync", PartHealth("failing", None, "no bucket"))
        it.events.update(stuck=("worker",), telemetry={**it.events.state.telemetry, "throttles": ["heat"]})
        for expr in ("edge_tts_part_ok == 0", "edge_tts_stuck_threads > 0", "edge_tts_throttles > 0"):
            assert expr in alerts()
            assert prometheus.wait(expr), f"{expr} does not fire"
