"""A device that has a group of appliances speak for it, over a real mosquitto."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broker import Broker, Ear, free_port
from fakes import RATE, WAIT_S, FakeClock, FakeLoudspeaker, FakeSynthesizer, until
from humming import appliance, config_for
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from toy_model_sets import write_model_set

from edge_tts.config import MqttConfig, config_from
from edge_tts.doctor.findings import Finding
from edge_tts.doctor.remote_check import check_group
from edge_tts.errors import ConfigError, TransportError
from edge_tts.front_doors.mqtt.group_voices import GroupVoices
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.remote import RETRY_S, RemoteLine
from edge_tts.values import FloatArray, GuardCounts, Sampling

LINE = RemoteLine(
    text="Dinner is ready.", voice="hum", language="en", sampling=Sampling(seed=7), speed=1.0, priority="normal"
)


@contextmanager
def asking(broker: Broker, model: Path, group: str, **changes: Any) -> Iterator[GroupVoices]:
    """One that asks the group, connected; its clock stands still."""
    config = MqttConfig(host="127.0.0.1", port=broker.port, client_id=f"weak-{group}")
    own = replace(read_model_set(model), sample_rate=RATE, **changes)
    clock = FakeClock()
    with GroupVoices(config, own, group=group, device=f"weak-{group}", first_audio_s=60.0, clock=clock) as voices:
        assert voices.is_connected(WAIT_S)
        voices.clock = clock  # type: ignore[attr-defined]
        yield voices


@contextmanager
def member(broker: Broker, model: Path, group: str, *, payload_bytes: int = 262144, **more: Any) -> Iterator[Ear]:
    """A humming appliance that takes part."""
    config = config_for(broker.port, f"strong-{group}", payload_bytes=payload_bytes)
    mqtt = config["mqtt"].model_copy(update={"render_group": group})
    synthesizer, speaker = FakeSynthesizer(), FakeLoudspeaker()
    with (
        Ear(broker, f"edge-tts/strong-{group}") as ear,
        appliance({**config, "mqtt": mqtt, **more}, model, synthesizer, speaker),
    ):
        ear.wait_topic("status", "online")
        yield ear


def spoken(voices: GroupVoices, line: RemoteLine = LINE) -> tuple[FloatArray, GuardCounts]:
    """All that is heard, and what the guard did."""
    speaking, heard = voices.speak(line, lambda: False), [np.zeros(0, np.float32)]
    while True:
        try:
            heard.append(next(speaking))
        except StopIteration as end:
            return np.concatenate(heard), end.value


def spoken_once_joined(voices: GroupVoices) -> FloatArray:
    """A member joins a moment after it has started."""
    heard: list[FloatArray] = []

    def is_heard() -> bool:
        with suppress(TransportError):
            heard.append(spoken(voices)[0])
        return bool(heard)

    until(is_heard)
    return heard[0]


def test_a_number_that_comes_again_is_not_lost_again(broker: Broker, model: Path) -> None:
    """That a message of before reached nobody, told after its request was given up, does not end a later request: there
    are 65,535 numbers."""
    with member(broker, model, "numbers"), asking(broker, model, "numbers") as voices:
        assert len(spoken_once_joined(voices))
        voices._lost.update(dict.fromkeys(range(1, 200), "of a request before"))
        assert len(spoken(voices)[0]) == int(0.3 * RATE)


@pytest.mark.parametrize("by_link", [False, True])
def test_a_member_speaks_a_sentence(broker: Broker, model: Path, by_link: bool) -> None:
    """Its whole sound comes, in the message or, where that is too large, behind a link; the member renders it for the
    caller of the device's name."""
    group = f"speakers-{by_link}".lower()
    size = 1024 if by_link else 262144
    with (
        member(broker, model, group, payload_bytes=size, http={"port": free_port()}) as ear,
        asking(broker, model, group) as voices,
    ):
        assert len(spoken_once_joined(voices)) == int(0.3 * RATE)
        _, counts = spoken(voices)
        assert counts.retried == 0
        assert not voices._asked
        assert ear.wait_event(stage="done")


def test_a_group_without_a_member_costs_no_time(broker: Broker, model: Path) -> None:
    """The broker says at once that nobody is there; for half a minute it is not asked again."""
    with asking(broker, model, "nobodies") as voices:
        assert voices.is_due()
        with pytest.raises(TransportError, match="the group nobodies: nobody renders for it: No matching subscribers"):
            spoken(voices)
        assert not voices.is_due()
        voices.clock.now += RETRY_S  # type: ignore[attr-defined]
        assert voices.is_due()


def test_what_a_member_refuses_is_spoken_here(broker: Broker, model: Path) -> None:
    """A request that fails there, and a member with another model set, are errors that say why."""
    with member(broker, model, "refusers"):
        with asking(broker, model, "refusers") as voices:
            spoken_once_joined(voices)
            with pytest.raises(TransportError, match="failed: nothing in the text can be spoken"):
                spoken(voices, replace(LINE, text="!"))
        with (
            asking(broker, model, "refusers", name="another") as voices,
            pytest.raises(TransportError, match="this device with another"),
        ):
            spoken(voices)


def test_what_does_not_come_in_time_is_spoken_here(broker: Broker, model: Path) -> None:
    """A subscriber that never answers is given up after `first_audio_s`; a stop ends the wait at once."""
    with Ear(broker, "edge-tts/sleepers"), asking(broker, model, "sleepers") as voices:
        stops = iter([False, False, True])
        assert list(voices.speak(LINE, lambda: next(stops))) == []

        def later() -> bool:
            voices.clock.now += 40.0  # type: ignore[attr-defined]
            return False

        with pytest.raises(TransportError, match="no sound within 60 s"):
            list(voices.speak(LINE, later))


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (b"", "the group liars: "),
        (b"[" * 100_000, "the group liars: "),
        (b"[1]", "the group liars: "),
        (b'{"stage": "done", "details": {}}', "the group liars: 'result'"),
        (b'{"stage": "done", "details": {"result": {"audio": "%%%"}}}', "the group liars: "),
        (b'{"stage": "done", "details": {"result": {"audio": "UklGRg=="}}}', "not a mono WAV|is empty"),
        (b'{"stage": "done", "details": {"result": {"link": "file:///etc/passwd"}}}', "it sends no sound"),
        (b'{"stage": "done", "details": {"result": {"why": "too large"}}}', "it sends no sound: too large"),
        (b'{"stage": "expired", "details": {"message": "too late"}}', "expired: too late"),
    ],
)
def test_rubbish_from_a_group_is_an_error_by_name(broker: Broker, model: Path, report: bytes, why: str) -> None:
    """Whatever comes on the topic of the answers instead of sound ends the sentence there, and nothing else."""
    with Ear(broker, "edge-tts/liars") as ear, asking(broker, model, "liars") as voices:

        def lie() -> bool:
            for name in list(voices._asked):
                wire = Properties(PacketTypes.PUBLISH)
                wire.CorrelationData = name
                ear.client.publish("edge-tts/weak-liars/rendered", report, properties=wire)
            return False

        with pytest.raises(TransportError, match=why):
            list(voices.speak(LINE, lie))


@pytest.mark.parametrize(
    ("remote", "mqtt", "why"),
    [
        ({}, {}, "either url or group"),
        ({"url": "http://a", "group": "g"}, {}, "either url or group"),
        ({"group": "g"}, {"protocol": "3.1.1"}, "MQTT 5"),
        ({"group": "g"}, {"enabled": False}, "MQTT 5"),
        ({"group": "g"}, {"render_group": "h"}, "circle"),
    ],
)
def test_a_group_that_cannot_be_asked_is_refused(
    tmp_path: Path, remote: dict[str, Any], mqtt: dict[str, Any], why: str
) -> None:
    """The configuration says which key stands in the way."""
    with pytest.raises(ConfigError, match=why):
        config_from({"engine": {"execution": "remote"}, "remote": remote, "mqtt": mqtt}, folder=tmp_path)


def test_the_doctor_has_the_group_say_a_word(broker: Broker, tmp_path: Path) -> None:
    """Nobody there is found, with what to do; a member that renders with our set and voice is fine; one that lacks the
    voice is told."""
    model = write_model_set(tmp_path / "models" / "toy", voices=("hum",), sample_rate=RATE)

    def found(voice: str) -> Finding:
        values = {
            "voice": voice,
            "engine": {"execution": "remote"},
            "models": {"name": "toy"},
            "remote": {"group": "wards", "first_audio_ms": 60000},
            "mqtt": {"host": "127.0.0.1", "port": broker.port},
        }
        (finding,) = check_group(config_from(values, folder=tmp_path))
        return finding

    assert (found("hum").level, "No matching subscribers" in found("hum").text) == ("broken", True)
    with member(broker, model, "wards"):
        until(lambda: found("hum").level == "ok")
        assert found("hum").text == "the group wards has rendered 0.3 s for us"
        assert "there is no voice" in found("lisa").text
