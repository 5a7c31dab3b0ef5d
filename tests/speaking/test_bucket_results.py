"""Results behind links of the bucket: a real S3 server, a flaky way to it, and what callers are told meanwhile."""

from __future__ import annotations

import io
import itertools
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import soundfile
from fakes import WAIT_S, FakeSynthesizer, until
from flaky_proxy import FlakyProxy
from rig import Rig, sentence
from s3 import KEY, S3, SECRET, s3_place, s3_server

from edge_tts.buckets.bucket import Bucket, Place
from edge_tts.buckets.credentials import Secrets
from edge_tts.config import ResultsConfig
from edge_tts.request import SpeakMessage
from edge_tts.speaking.bucket_results import WAIT_S as PATIENCE_S
from edge_tts.speaking.bucket_results import BucketResults
from edge_tts.speaking.job import Job
from edge_tts.speaking.results import Results
from edge_tts.values import CLOSING, Report

OWNER, LOGIN = "kitchen", Secrets({"access_key_id": KEY, "secret_access_key": SECRET})
_numbers = itertools.count()


class Way:
    """An empty bucket, and a flaky way to it."""

    def __init__(self, s3: S3, proxy: FlakyProxy) -> None:
        self.s3, self.proxy, self.name = s3, proxy, f"results-{next(_numbers)}"
        s3.make_bucket(self.name)

    def objects(self) -> list[str]:
        """Paths, asked for without the proxy."""
        place = Place(f"s3://{self.name}/home", endpoint=f"http://127.0.0.1:{self.s3.port}", timeout_s=WAIT_S)
        with Bucket(place=place, secrets=LOGIN) as bucket:
            return sorted(bucket.list("results"))

    def sent(self, method: str) -> int:
        return sum(request.method == method for request in self.proxy.requests)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture
def way(s3: S3) -> Iterator[Way]:
    with FlakyProxy(upstream_port=s3.port) as proxy:
        yield Way(s3, proxy)


class Kept(Rig):
    """Queue, worker, results and their mirror in the bucket."""

    def __init__(self, folder: Path, way: Way, *, address: str | None = "http://box:8080", **config: Any) -> None:
        super().__init__(synthesizer=FakeSynthesizer())
        self.ahead_s, self.way = 0.0, way

        def wall() -> float:
            return time.time() + self.ahead_s

        def open_bucket(abandon: Callable[[], bool]) -> Bucket:
            return Bucket(place=s3_place(way.proxy, way.name), secrets=LOGIN, abandon=abandon)

        self.results = Results(ResultsConfig(dir=folder / "results", **config), address=address, wall=wall)
        self.bucket = BucketResults(
            runtime=self.runtime,
            device="box",
            open_bucket=open_bucket,
            listed=self.results.linked_ones,
            retry_s=0.05,
            wall=wall,
        )
        self.results.attach(self.bucket)
        self.replies: list[Report] = []

    @contextmanager
    def serving(self) -> Iterator[None]:
        with self.running(), self.bucket:
            yield

    def submit(self, name: str, **keys: Any) -> None:
        request = sentence(name, **{"deliver": "link", **keys})
        sink = self.results.sink(request, OWNER, self.player, self.runtime)
        self.jobs.submit(Job(request, sink=sink, reply=self.results.reply(self.replies.append, OWNER)))

    def told(self, name: str) -> dict[str, Any]:
        """What its caller was told of the result at the end; empty until then."""
        closing = [one for one in self.replies if one.id == name and one.stage in CLOSING]
        result: dict[str, Any] = closing[-1].details["result"] if closing else {}
        return result

    def ask(self, name: str, **keys: Any) -> dict[str, Any]:
        self.submit(name, **keys)
        until(lambda: self.told(name))
        return self.told(name)

    def later(self, name: str) -> dict[str, Any]:
        """What it is told that asks afterwards."""
        result = self.results.find(name, OWNER)
        return {} if result is None else self.results.offer(result)


def test_a_link_of_the_bucket_leads_to_the_sound(tmp_path: Path, way: Way) -> None:
    """To anybody, with its media type, for as long as the result is kept; base64 that fits stays out of the bucket."""
    it = Kept(tmp_path, way, address=None, keep_s=500)
    it.results.check(SpeakMessage(text="x", deliver="link"))
    with it.serving():
        told = it.ask("a", format="mp3")
        assert "audio" in it.ask("b", deliver="base64", format="opus")
        with urllib.request.urlopen(told["link"], timeout=WAIT_S) as answer:
            assert answer.headers["content-type"] == "audio/mpeg"
            data = answer.read()
        assert len(data) == told["bytes"]
        assert soundfile.info(io.BytesIO(data)).format == "MP3"
        assert 480 < int(parse_qs(urlsplit(told["link"]).query)["X-Amz-Expires"][0]) <= 500
        assert "why" not in told
        assert [path.split("/")[:2] for path in way.objects()] == [["results", "box"]]
        assert it.later("a")["link"] == told["link"]


def test_the_bucket_holds_what_the_disk_holds(tmp_path: Path, way: Way) -> None:
    """What has expired, or was said by a voice that is gone, leaves the bucket; the rest, and others', stays."""
    it = Kept(tmp_path, way, keep_s=100)
    with it.serving():
        for name, voice in (("a", "hum"), ("b", "buzz")):
            it.ask(name, voice=voice)
        other = "results/boxes/1.wav"
        way.s3._call("PUT", f"/{way.name}/home/{other}", b"of another device")
        it.results.sweep(["buzz"])
        it.bucket.wake()
        until(lambda: len(way.objects()) == 2)
        assert "link" in it.later("b")
        it.ahead_s = 200
        it.results.sweep(["buzz"])
        it.bucket.wake()
        until(lambda: way.objects() == [other])
        assert it.later("b") == {}


def test_a_restart_sends_nothing_twice(tmp_path: Path, way: Way) -> None:
    """What is in the bucket already has a link again, and what expired meanwhile leaves it."""
    first = Kept(tmp_path, way)
    with first.serving():
        first.ask("a")
        first.ask("b")
    assert way.sent("PUT") == 2
    gone = first.results.find("b", OWNER)
    assert gone is not None
    gone.path.unlink()
    second = Kept(tmp_path, way)
    with second.serving():
        until(lambda: "X-Amz-Signature" in second.later("a").get("link", ""))
        until(lambda: len(way.objects()) == 1)
    assert way.sent("PUT") == 2


def test_a_bucket_that_is_away_is_told_of(tmp_path: Path, way: Way) -> None:
    """The caller has the device's own link and why; the part's health says so; what waits is sent when it is back."""
    way.proxy.fault = lambda request: "error"
    it = Kept(tmp_path, way)
    with it.serving():
        told = it.ask("a")
        assert told["link"].startswith("http://box:8080/v1/results/")
        assert f"not in the bucket: s3://{way.name}/home" in told["why"]
        until(lambda: it.events.state.health["results_bucket"].status == "failing")
        assert it.ask("b")["link"].startswith("http://box:8080")
        way.proxy.fault = lambda request: None
        until(lambda: "X-Amz-Signature" in it.later("b")["link"])
        until(lambda: it.events.state.health["results_bucket"].status == "ok")
        assert "why" not in it.later("b")
        assert "X-Amz-Signature" in it.ask("c")["link"]


def test_without_http_a_bucket_that_is_away_leaves_no_link(tmp_path: Path, way: Way) -> None:
    """It is told why, and later has the bucket's."""
    way.proxy.fault = lambda request: "busy"
    it = Kept(tmp_path, way, address=None)
    with it.serving():
        told = it.ask("a")
        assert "link" not in told
        assert "not in the bucket: " in told["why"]
        way.proxy.fault = lambda request: None
        until(lambda: "link" in it.later("a"))


def test_a_slow_upload_holds_up_nobody(tmp_path: Path, way: Way) -> None:
    """The next request is spoken meanwhile, and after a while the caller is told without the bucket."""
    way.proxy.fault = lambda request: "stall" if request.method == "PUT" else None
    it = Kept(tmp_path, way)
    with it.serving():
        it.submit("a")
        assert way.proxy.stalled.wait(WAIT_S)
        it.submit("b", deliver=None)
        it.notes.wait("b", "done")
        assert it.notes.stages("a")[-1] == "done"
        assert it.told("a") == {}
        it.clock.now += PATIENCE_S
        until(lambda: it.told("a"))
        assert it.told("a")["why"] == "not in the bucket yet"
        it.submit("c")
        it.notes.wait("c", "done")
    assert it.told("c")["link"].startswith("http://box:8080"), "whoever waits at the stop is told"


def test_a_file_that_is_swept_before_it_is_sent_costs_nothing(tmp_path: Path, way: Way) -> None:
    """The others are sent all the same."""
    way.proxy.fault = lambda request: "error"
    it = Kept(tmp_path, way)
    with it.serving():
        it.ask("a")
        lost = it.results.find("a", OWNER)
        assert lost is not None
        it.ask("b")
        listed = it.results.linked_ones()
        it.bucket._listed = lambda: listed
        lost.path.unlink()
        way.proxy.fault = lambda request: None
        until(lambda: "X-Amz-Signature" in it.later("b")["link"])
    assert len(way.objects()) == 1
