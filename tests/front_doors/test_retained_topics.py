"""Another client overwrites what stands retained on our topics: noticed, said, and put right, but not for ever."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import paho.mqtt.client as paho
import pytest
from broker import Broker, Ear
from fakes import FakeClock
from paho.mqtt.enums import CallbackAPIVersion
from rig import DeafDispatcher, make_runtime

from edge_tts.config import MqttConfig
from edge_tts.front_doors.mqtt.link import MqttLink
from edge_tts.front_doors.mqtt.retained_guard import MOST_CORRECTIONS, QUIET_S, RetainedGuard
from edge_tts.runtime.event_bus import EventBus, State
from edge_tts.runtime.runtime import Runtime

PROTOCOLS = ["5", "3.1.1"]


@contextmanager
def device(broker: Broker, name: str, protocol: str, clock: Callable[[], float] = lambda: 0.0) -> Iterator[Runtime]:
    """A link that is connected, with a retained topic `voices`."""
    runtime = make_runtime(clock=clock)
    runtime.events.retain("voices", {"voices": ["Änne"]})
    config = MqttConfig(host="127.0.0.1", port=broker.port, protocol=protocol, reconnect_min_s=0.05)
    with MqttLink(runtime=runtime, config=config, device=name, dispatcher=DeafDispatcher()):
        yield runtime


def health(runtime: Runtime) -> str:
    return runtime.events.state.health["retained_topics"].status


def standing(broker: Broker, base: str) -> dict[str, str]:
    """What a client that comes now is told."""
    with Ear(broker, base) as ear:
        ear.publish("end")
        ear.wait_topic("end")
        return {topic.removeprefix(f"{base}/"): payload for topic, payload, retained in ear.messages if retained}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("topic", "payload"), [("state", '{"speaking": "x"}'), ("voices", ""), ("status", "offline")])
def test_what_a_stranger_overwrites_is_put_right(
    broker: Broker, caplog: pytest.LogCaptureFixture, topic: str, payload: str, protocol: str
) -> None:
    """A false or empty message on a retained topic is followed by ours, warned of once, and shown in the health; what
    we publish ourselves, and a lost topic's recovery, is nobody's."""
    name = f"guard-{topic}-{protocol[0]}"
    with Ear(broker, f"edge-tts/{name}") as ear, device(broker, name, protocol) as runtime:
        ear.wait_topic("status", "online")
        for volume in range(20):
            runtime.events.update(volume=float(volume))
        assert health(runtime) == "ok"
        with caplog.at_level(logging.WARNING):
            for count in range(1, 3):
                ear.publish(topic, payload, retain=True)
                ear.wait_for(lambda count=count: ear.on(topic).count(payload) == count and ear.on(topic)[-1] != payload)
        ear.wait_for(lambda: '"retained_topics": {"status": "failing"' in ear.on("state")[-1])
        now = standing(broker, ear.base)
        expected = {"status": "online", "voices": '{"voices": ["Änne"]}'}
        assert {key: now[key] for key in expected} == expected
        assert json.loads(now["state"])["volume"] == 19
        assert json.loads(now["state"])["health"]["retained_topics"]["why"] == f"another client overwrites {topic}"
    told = [record.getMessage() for record in caplog.records if "overwritten" in record.getMessage()]
    assert len(told) == 1
    assert f"edge-tts/{name}/{topic}" in told[0]
    assert "ACL" in told[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_devices_of_one_name_do_not_fight_for_ever(broker: Broker, protocol: str) -> None:
    """Two daemons that each put their own right end after a few messages, and both say so."""
    name = f"twins{protocol[0]}"
    with Ear(broker, f"edge-tts/{name}") as ear, device(broker, name, protocol) as one:
        ear.wait_topic("status", "online")
        other = make_runtime()
        other.events.retain("voices", {"voices": ["Bert"]})
        config = MqttConfig(host="127.0.0.1", port=broker.port, protocol=protocol, client_id=f"other-{name}")
        with MqttLink(runtime=other, config=config, device=name, dispatcher=DeafDispatcher()):
            ear.wait_for(lambda: len(ear.on("voices")) >= MOST_CORRECTIONS)
            for runtime in (one, other):
                ear.wait_for(lambda runtime=runtime: health(runtime) == "failing")
            settled = threading.Event()
            before = -1
            while len(ear.messages) != before:
                before = len(ear.messages)
                settled.wait(0.3)
            assert len(ear.on("voices")) <= 2 * (MOST_CORRECTIONS + 1) + 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_daemon_s_own_will_is_not_a_stranger_s(broker: Broker, protocol: str) -> None:
    """When the broker publishes our last will, because another client has taken our name, the next connection puts
    `online` there again, and the health stays as it is."""
    name = f"will{protocol[0]}"
    thief = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"edge-tts-{name}", reconnect_on_failure=False)
    with Ear(broker, f"edge-tts/{name}") as ear, device(broker, name, protocol) as runtime:
        ear.wait_topic("status", "online")
        thief.connect("127.0.0.1", broker.port)
        thief.loop_start()
        ear.wait_topic("status", "offline")
        ear.wait_for(lambda: ear.on("status")[-1] == "online")
        for volume in range(50, 53):
            runtime.events.update(volume=float(volume))
            ear.wait_for(lambda volume=volume: json.loads(ear.on("state")[-1])["volume"] == volume)
        assert health(runtime) == "ok"
    thief.disconnect()
    thief.loop_stop()


def guard(clock: FakeClock, *, echoes: bool = False) -> RetainedGuard:
    events = EventBus(state=State())
    events.retain("voices", {"a": 1})
    made = RetainedGuard(events=events, base="edge-tts/home", clock=clock, echoes=echoes)
    made.begin()
    return made


def test_corrections_are_bounded_until_it_has_been_quiet() -> None:
    """After so many corrections of a topic none follows, however long it is overwritten; after a quiet time the next
    one does, with a new warning."""
    clock = FakeClock()
    it = guard(clock)
    for _ in range(3):
        answers = [it.correction("voices", b"x") for _ in range(50)]
        assert answers == ['{"a": 1}'] * MOST_CORRECTIONS + [None] * 45
        clock.now += QUIET_S - 1
        it.poll()
        assert it.correction("voices", b"x") is None
        clock.now += QUIET_S + 1
        it.poll()


def test_echoes_of_our_own_are_no_stranger_s() -> None:
    """Where the broker sends back what we publish, an older value of ours is not taken for another client's."""
    it = guard(FakeClock(), echoes=True)
    for value in ("old", "older", "oldest"):
        it.sent("voices", value)
    assert [it.correction("voices", value) for value in (b"older", b"old", b'{"a": 1}')] == [None] * 3
    assert it.correction("voices", b"false") == '{"a": 1}'
