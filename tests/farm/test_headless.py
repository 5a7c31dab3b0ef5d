"""An appliance in a replica, with the shipped voice."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_tts.config import Config, load_config
from edge_tts.errors import DeviceLostError, ModelError
from edge_tts.farm.headless import HeadlessAppliance

MODELS = Path(__file__).resolve().parent.parent.parent / "models"


@pytest.fixture
def broker_port() -> Iterator[socket.socket]:
    """Where a broker would be asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture
def config(tmp_path: Path, broker_port: socket.socket) -> Config:
    (tmp_path / "token").write_text("secret")
    path = tmp_path / "config.yaml"
    path.write_text(
        f"models: {{dir: {MODELS}, name: none}}\nstate_dir: state\nhttp: {{token_file: token}}\n"
        "engine: {threads: 1, flavour: plain}\nbucket: {url: null}\n"
        f"mqtt: {{host: 127.0.0.1, port: {broker_port.getsockname()[1]}}}\n"
    )
    return load_config(path)


@pytest.fixture
def appliance(config: Config) -> Iterator[HeadlessAppliance]:
    running = HeadlessAppliance(config, "starter")
    yield running
    running.close()


def answered(appliance: HeadlessAppliance, payload: dict[str, Any], *, most: int | None = None) -> list[dict[str, Any]]:
    """The events of an answer, or the first `most`, after which it is closed."""

    async def run() -> list[dict[str, Any]]:
        headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer secret")]
        scope = {"type": "http", "method": "POST", "path": "/v1/audio/speech", "headers": headers, "query_string": b""}
        events, answer = [], appliance.answer(scope, json.dumps(payload).encode())
        async for event in answer:
            events.append(event)
            if len(events) == most:
                break
        await answer.aclose()  # type: ignore[attr-defined]
        return events

    return asyncio.run(run())


def test_a_replica_speaks_and_leaves_nothing(config: Config, appliance: HeadlessAppliance) -> None:
    """The sound comes in pieces and ends; a wrong request is refused by name; the replica's folder goes with it."""
    events = answered(appliance, {"input": "Hello. Dinner is ready.", "response_format": "pcm"})
    assert events[0]["status"] == 200
    assert sum(len(event.get("body", b"")) for event in events) > 24000
    assert not events[-1].get("more_body")
    wrong = answered(appliance, {"input": "x", "voice": "nobody"})
    assert (wrong[0]["status"], b"nobody" in wrong[1]["body"]) == (404, True)
    appliance.check()
    appliance.close()
    appliance.close()
    assert list((config.state_dir / "replicas").iterdir()) == []


def test_no_broker_is_asked(appliance: HeadlessAppliance, broker_port: socket.socket) -> None:
    """With mqtt.enabled false nobody connects, and the journal is swept all the same."""
    answered(appliance, {"input": "Hello."})
    appliance.check()
    with pytest.raises(BlockingIOError):
        broker_port.accept()


def test_a_closed_answer_makes_room(appliance: HeadlessAppliance) -> None:
    """The speech of a caller that has left is stopped: the next one is heard at once, whole."""
    answered(appliance, {"input": "One, two, three, four, five. " * 400, "response_format": "pcm"}, most=2)
    events = answered(appliance, {"input": "Hello.", "response_format": "pcm"})
    assert (events[0]["status"], events[-1].get("more_body", False)) == (200, False)


def test_a_replica_that_lost_a_part_says_so(appliance: HeadlessAppliance) -> None:
    """Ray's health check fails, and Ray starts another one."""
    appliance._fail("worker", RuntimeError("the engine is gone"))
    with pytest.raises(DeviceLostError, match="the engine is gone"):
        appliance.check()


def test_a_set_that_is_not_there_is_named(config: Config) -> None:
    """The replica refuses it, and leaves nothing."""
    with pytest.raises(ModelError, match="absent"):
        HeadlessAppliance(config, "absent")
    assert list((config.state_dir / "replicas").iterdir()) == []
