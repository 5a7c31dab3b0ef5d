"""Requests on their way to a replica."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from edge_tts.errors import EdgeTTSError, QueueFullError, TransportError
from edge_tts.farm.forward import ATTEMPTS, Forwarder

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"audio/wav")]}
STREAM = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
SOUND = {"type": "http.response.body", "body": b"sound", "more_body": True}
END = {"type": "http.response.body", "body": b"", "more_body": False}

Script = list[Any]


class Replicas:
    """Each call plays the next script: events, and an error to end with."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = iter(scripts)
        self.calls: list[tuple[str, dict[str, Any], bytes]] = []
        self.closed = asyncio.Event()

    async def call(self, model_set: str, scope: Any, body: bytes) -> AsyncIterator[dict[str, Any]]:
        self.calls.append((model_set, dict(scope), body))
        try:
            for step in next(self._scripts):
                if isinstance(step, EdgeTTSError):
                    raise step
                if step == "for ever":
                    await asyncio.Future()
                yield step
        finally:
            self.closed.set()


def ask(
    replicas: Replicas,
    body: bytes = b"{}",
    *,
    path: str = "/tts",
    gone: bool = False,
    forwarder: Forwarder | None = None,
) -> list[dict[str, Any]]:
    """What is sent to a caller, who is `gone` after its request."""
    sent: list[dict[str, Any]] = []

    async def run() -> None:
        events = [{"type": "http.request", "body": body[:3], "more_body": True}]
        events += [{"type": "http.request", "body": body[3:]}]
        events += [{"type": "http.disconnect"}] if gone else []
        coming = iter(events)

        async def receive() -> Any:
            event = next(coming, None)
            return await asyncio.Future() if event is None else event

        async def send(event: Any) -> None:
            sent.append(event)

        plain = Forwarder(replicas.call, sets=lambda: ["starter", "other"], default="starter", payload_bytes=1000)
        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "extensions": object()}
        await asyncio.wait_for((forwarder or plain)(scope, receive, send), 30)

    asyncio.run(run())
    return sent


def code(sent: list[dict[str, Any]]) -> tuple[int, str]:
    """Status and name of an error."""
    return sent[0]["status"], json.loads(sent[1]["body"])["error"]["code"]


def test_an_answer_is_passed_on() -> None:
    """Events arrive as the replica made them; its request has all of the body and nothing that cannot be pickled."""
    replicas = Replicas([START, SOUND, END])
    assert ask(replicas, b'{"text": "Hello."}') == [START, SOUND, END]
    [(model_set, scope, body)] = replicas.calls
    assert (model_set, body) == ("starter", b'{"text": "Hello."}')
    assert "extensions" not in scope


@pytest.mark.parametrize(
    ("body", "model_set"),
    [
        (b'{"model": "other"}', "other"),
        (b'{"model": "tts-1"}', "starter"),
        (b'{"model": ["other"]}', "starter"),
        (b"[1]", "starter"),
        (b"\xff{", "starter"),
        (b"[" * 900, "starter"),
    ],
)
def test_the_set_is_that_of_the_request(body: bytes, model_set: str) -> None:
    """OpenAI's `model` chooses a set that there is; whatever else stands there, the default speaks."""
    replicas = Replicas([START, END])
    ask(replicas, body)
    assert replicas.calls[0][0] == model_set


def test_a_replica_that_dies_before_its_answer_is_replaced() -> None:
    """The caller hears the whole answer of the second one."""
    replicas = Replicas([TransportError("died")], [START, SOUND, END])
    assert ask(replicas) == [START, SOUND, END]


def test_only_so_many_replicas_are_asked() -> None:
    """When all of them die the caller gets a named error."""
    replicas = Replicas(*[[TransportError("died")]] * (ATTEMPTS + 1))
    assert code(ask(replicas)) == (503, "TransportError")
    assert len(replicas.calls) == ATTEMPTS


def test_a_part_is_never_taken_for_the_whole() -> None:
    """A replica that dies in mid-answer leaves the body without its end, and is not asked again: the server breaks the
    connection off."""
    replicas = Replicas([START, SOUND, TransportError("died")], [START, SOUND, END])
    with pytest.raises(TransportError, match="died"):
        ask(replicas)
    assert len(replicas.calls) == 1


def test_server_sent_events_end_with_the_reason() -> None:
    """Their last event is the error, by name."""
    sent = ask(Replicas([STREAM, SOUND, TransportError("died")]))
    assert sent[:2] == [STREAM, SOUND]
    assert json.loads(sent[2]["body"].removeprefix(b"data: "))["error"]["code"] == "TransportError"
    assert not sent[2].get("more_body")


def test_a_full_farm_says_so() -> None:
    """429, with a time to come back, and no second try."""
    replicas = Replicas([QueueFullError("all replicas are busy")])
    sent = ask(replicas)
    assert code(sent) == (429, "QueueFullError")
    assert b"retry-after" in dict(sent[0]["headers"])
    assert len(replicas.calls) == 1


def test_a_caller_that_leaves_stops_its_speech() -> None:
    """The replica's answer is closed."""
    replicas = Replicas([START, "for ever"])
    ask(replicas, gone=True)
    assert replicas.closed.is_set()


def test_a_farm_has_no_page_and_no_commands() -> None:
    """What belongs to one device is not found, without asking a replica."""
    replicas = Replicas()
    assert code(ask(replicas, path="/v1/commands/volume/set")) == (404, "not_found")
    assert replicas.calls == []


def test_a_body_is_bounded() -> None:
    """One beyond limits.payload_bytes is refused by name."""
    assert code(ask(Replicas(), b"x" * 2000)) == (413, "PayloadError")


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"voice": "clara"}', "starter/clara"),
        (b'{"voice": "clara", "model": "other"}', "other/clara"),
        (b'{"model": "other"}', "other"),
        (b'{"voice": "Clara"}', "starter/clara"),
        (b'{"voice": {"id": "clara"}}', "starter"),
        (b'{"voice": "\\ud800"}', "starter"),
        (b"{", "starter"),
    ],
)
def test_a_voice_goes_where_it_has_spoken(body: bytes, model: str) -> None:
    """What Ray chooses a replica by names the set and the voice, as far as the body tells them."""
    replicas = Replicas([START, END])
    forwarder = Forwarder(
        replicas.call, sets=lambda: ["starter", "other"], default="starter", payload_bytes=1000, by_voice=True
    )
    ask(replicas, body, forwarder=forwarder)
    assert replicas.calls[0][0] == model
