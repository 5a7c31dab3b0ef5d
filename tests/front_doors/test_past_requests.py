"""What became of a request, asked later over HTTP and over a real mosquitto, and its sound behind a link."""

from __future__ import annotations

import base64
import io
import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import soundfile
from broker import Broker, Ear, free_port
from daemon_process import daemon, write_config
from fakes import WAIT_S, FakeSynthesizer
from http_stage import SECRET, Stage, stage
from s3 import KEY, s3_server
from s3 import SECRET as SECRET_KEY

from edge_tts.config import AccessConfig
from edge_tts.errors import ConfigError
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.message import Message
from edge_tts.schema import check

pytestmark = pytest.mark.long
pytest.importorskip("starlette", reason="THE PACKAGE starlette IS NOT INSTALLED: nothing was asked over HTTP")
pytest.importorskip("uvicorn", reason="THE PACKAGE uvicorn IS NOT INSTALLED: nothing was asked over HTTP")
SETS = Path(__file__).resolve().parents[2] / "models"


def told(it: Stage, request_id: str, **fields: str) -> dict[str, Any]:
    """As `GET /v1/requests/ID` answers."""
    answer, data = it.ask("GET", f"/v1/requests/{request_id}", **fields)
    assert answer.status == 200
    value: dict[str, Any] = json.loads(data)
    return value


def local(link: str) -> str:
    """Path and query of a link."""
    return link[link.index("/v1/") :]


def test_a_request_is_asked_for_while_it_waits_and_afterwards(tmp_path: Path) -> None:
    """Its stage is the latest, its text is not there, and an unknown one is 404."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it:
        assert it.ask("POST", "/v1/audio/speech", {"input": "psst", "play": True, "id": "a/b"})[0].status == 202
        it.notes.wait("a/b", "first_audio")
        assert told(it, "a/b")["stage"] == "first_audio"
        synthesizer.gate.set()
        it.notes.wait("a/b", "done")
        after = told(it, "a/b")
        assert list(after["stages"]) == ["accepted", "started", "first_audio", "done"]
        assert after["at"].endswith("+00:00")
        assert "psst" not in json.dumps(after)
        assert it.refused("GET", "/v1/requests/none")[:2] == (404, "UnknownRequestError")


@pytest.mark.parametrize(
    ("path", "keys", "form"),
    [
        ("/v1/audio/speech", {"input": "Hello.", "response_format": "flac"}, "FLAC"),
        ("/v1/audio/speech", {"input": "Hello.", "response_format": "mp3"}, "MP3"),
        ("/tts", {"text": "Hello.", "text_lang": "en"}, "WAV"),
    ],
)
def test_a_result_is_fetched_by_its_link_without_a_token(
    tmp_path: Path, path: str, keys: dict[str, Any], form: str
) -> None:
    """The link is the right to it: a part or all, until it is forged or has expired."""
    token = {"authorization": f"Bearer {SECRET}"}
    with stage(tmp_path, token=True) as it:
        assert it.ask("POST", path, {**keys, "id": "a", "deliver": "link"}, **token)[0].status == 202
        it.notes.wait("a", "done")
        assert it.refused("GET", "/v1/requests/a")[0] == 401
        result = told(it, "a", **token)["result"]
        answer, data = it.ask("GET", local(result["link"]))
        assert (answer.status, len(data)) == (200, result["bytes"])
        assert soundfile.info(io.BytesIO(data)).format == form
        part, head = it.ask("GET", local(result["link"]), Range="bytes=0-3")
        assert (part.status, head) == (206, data[:4])
        assert it.refused("GET", local(result["link"])[:-3])[:2] == (403, "forbidden")
        assert it.refused("GET", local(result["link"]).partition("?")[0])[:2] == (403, "forbidden")
        it.results._wall = lambda: 4e9
        assert it.refused("GET", local(result["link"]))[:2] == (410, "gone")
        assert "result" not in told(it, "a", **token)
    assert len(it.loudspeaker.heard) == 0


def test_a_named_callers_requests_are_its_own(tmp_path: Path) -> None:
    """Another caller is told what it is told of unknown ones, also where it uses the same id itself; without the
    command among its own a caller may not ask at all; what nobody in particular asked for is told to all."""
    rules = {"kitchen": {}, "shop": {}, "guest": {"commands": ["say"]}}
    access = Access(check(AccessConfig, {"callers": rules}, error=ConfigError, what="test"))
    kitchen, shop, guest = ({"authorization": f"Bearer {name}-token"} for name in rules)
    tokens = "".join(f"{name} {name}-token\n" for name in rules)
    with stage(tmp_path, tokens=tokens, access=access) as it:
        it.ask("POST", "/v1/audio/speech", {"input": "Hello.", "id": "a", "deliver": "link"}, **kitchen)
        it.notes.wait("a", "done")
        assert "link" in told(it, "a", **kitchen)["result"]
        unknown = it.refused("GET", "/v1/requests/none", **shop)
        assert it.refused("GET", "/v1/requests/a", **shop) == (*unknown[:2], unknown[2].replace("none", "a"))
        assert it.refused("GET", "/v1/requests/a", **guest)[:2] == (403, "AccessError")
        assert it.ask("POST", "/v1/audio/speech", {"input": "Hi.", "id": "a"}, **shop)[0].status == 200
        assert "result" not in told(it, "a", **shop)
        it.dispatcher.handle(Message("say", b'{"text": "Hello.", "id": "b"}'))
        it.notes.wait("b", "done")
        assert told(it, "b", **shop)["stage"] == "done"


def test_what_cannot_be_delivered_is_refused(tmp_path: Path) -> None:
    """A format that is not kept, and any delivery to somebody who could not be told."""
    with stage(tmp_path) as it:
        asked = {"input": "Hello.", "deliver": "link", "response_format": "pcm"}
        assert it.refused("POST", "/v1/audio/speech", asked)[:2] == (422, "PayloadError")
        it.dispatcher.handle(Message("say", b'{"text": "Hello.", "id": "m", "deliver": "base64"}'))
        assert "with a response topic" in it.notes.wait("m", "failed").details["message"]


def test_requests_are_asked_for_over_mqtt_after_a_restart(tmp_path: Path, broker: Broker) -> None:
    """The daemon delivers in base64 and by a link, and tells both once more after a restart, on the response topic
    alone: what everybody hears on `events` has neither."""
    port = free_port()
    sets = {"models": {"dir": str(SETS), "name": "starter"}, "http": {"port": port}}
    config = write_config(tmp_path, SETS, broker.port, "kept", **sets)
    back = {"ResponseTopic": "answers/edge-tts/kept"}

    def answered(ear: Ear, **wanted: Any) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            flat = ({**report, **report["details"]} for report, _ in ear.replies)
            return next((one for one in flat if all(one.get(key) == value for key, value in wanted.items())), None)

        answer: dict[str, Any] = ear.wait_for(found, 4 * WAIT_S)
        return answer

    with Ear(broker, "edge-tts/kept") as ear:
        with daemon(config) as process:
            ear.wait_topic("status", "online")
            ear.publish("say", {"id": "a", "text": "Hi.", "deliver": "base64", "format": "ogg"}, **back)
            ear.publish("say", {"id": "b", "text": "Hi.", "deliver": "link"}, **back)
            sound = base64.b64decode(answered(ear, id="a", stage="done")["result"]["audio"])
            link = answered(ear, id="b", stage="done")["result"]["link"]
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=WAIT_S)
        ear.replies.clear()
        with daemon(config):
            ear.wait_for(lambda: ear.on("status").count("online") == 2, 4 * WAIT_S)
            ear.publish("requests/get", "a", **back)
            ear.publish("requests/get", {"id": "b"}, **back)
            ear.publish("requests/get", {"id": "c"}, **back)
            again = answered(ear, of="a")
            assert base64.b64decode(again["result"]["audio"]) == sound
            assert list(again["stages"]) == ["accepted", "started", "first_audio", "done"]
            assert answered(ear, of="b")["result"]["link"] == link
            assert "no request 'c'" in answered(ear, kind="requests/get", stage="failed")["message"]
            ear.publish("requests/get", "a")
            public = ear.wait_for(lambda: [one for one in ear.events() if one["details"].get("of") == "a"])
            assert public[0]["details"]["stage"] == "done"
            with urllib.request.urlopen(link, timeout=WAIT_S) as answer:
                assert soundfile.info(io.BytesIO(answer.read())).format == "WAV"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/requests/b", timeout=WAIT_S) as answer:
                assert json.loads(answer.read())["result"]["link"] == link
    assert soundfile.info(io.BytesIO(sound)).format == "OGG"
    assert "result" not in json.dumps(ear.events())


def test_a_daemon_delivers_by_links_of_its_bucket(tmp_path: Path, broker: Broker) -> None:
    """Without an HTTP server, as the configuration and the environment have it."""
    with s3_server() as s3, Ear(broker, "edge-tts/afar") as ear:
        s3.make_bucket("afar")
        bucket = {"url": "s3://afar/home", "endpoint": f"http://127.0.0.1:{s3.port}"}
        sets = {"models": {"dir": str(SETS), "name": "starter"}, "results": {"place": "bucket"}, "bucket": bucket}
        config = write_config(tmp_path, SETS, broker.port, "afar", **sets)
        with daemon(config, AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY):
            ear.wait_topic("status", "online")
            asked = {"id": "a", "text": "Hi.", "deliver": "link", "format": "opus"}
            ear.publish("say", asked, ResponseTopic="answers/edge-tts/afar")
            done = ear.wait_for(lambda: [one for one, _ in ear.replies if one["stage"] == "done"], 4 * WAIT_S)
            with urllib.request.urlopen(done[0]["details"]["result"]["link"], timeout=WAIT_S) as answer:
                data = answer.read()
    assert (soundfile.info(io.BytesIO(data)).format, soundfile.info(io.BytesIO(data)).subtype) == ("OGG", "OPUS")
    assert "X-Amz" not in json.dumps(ear.events())
