"""One message for several devices, and Hermes, over a real mosquitto."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from broker import Broker, Ear
from dispatcher_rig import DispatcherRig
from fakes import RATE, FakeLoudspeaker, FakeSynthesizer
from rig import no_defect
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import HermesConfig, config_from
from edge_tts.errors import ConfigError
from edge_tts.front_doors.hermes import Hermes
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.speaking.journal import ReplyTo
from edge_tts.values import FloatArray, Report


class TimedLoudspeaker(FakeLoudspeaker):
    """Notes when its first sound came."""

    began = 0.0

    def write(self, samples: FloatArray) -> None:
        self.began = self.began or time.monotonic()
        super().write(samples)


@contextmanager
def appliance(folder: Path, broker: Broker, device: str, **sections: Any) -> Iterator[TimedLoudspeaker]:
    """A device of that name that hums."""
    model, speaker = write_model_set(folder / device / "models" / "toy", voices=("hum",)), TimedLoudspeaker()
    mqtt = {"host": "127.0.0.1", "port": broker.port, **sections.pop("mqtt", {})}
    config = config_from({"device": device, "mqtt": mqtt, **sections}, folder=folder / device)
    surroundings = Surroundings(load=FakeSynthesizer().loaded, open_loudspeaker=lambda rate: speaker, fatal=no_defect)
    with Appliance(config, read_model_set(model), surroundings):
        yield speaker


def test_devices_of_a_group_begin_together(tmp_path: Path, broker: Broker) -> None:
    """One `say` to a group is spoken once by each of its devices, none too early, and `stop` reaches them all."""
    mqtt = {"groups": ["groups-house"], "group_delay_s": 1.0}
    with ExitStack() as stack:
        ears, speakers = [], []
        for device in ("groups-a", "groups-b"):
            ears.append(stack.enter_context(Ear(broker, f"edge-tts/{device}")))
            speakers.append(stack.enter_context(appliance(tmp_path, broker, device, mqtt=mqtt)))
            ears[-1].wait_topic("status", "online")
        house = stack.enter_context(Ear(broker, "edge-tts/groups-house"))
        sent = time.monotonic()
        house.publish("say", {"text": "dinner", "id": "together"})
        for ear, speaker in zip(ears, speakers, strict=True):
            ear.wait_event(id="together", stage="done")
            assert len(speaker.heard) == int(0.3 * RATE)
            assert speaker.began - sent >= 1.0
        house.publish("say", {"text": "wait", "id": "ended", "start_at": time.time() + 25})
        for ear in ears:
            ear.wait_event(id="ended", stage="accepted")
        house.publish("stop", b"")
        for ear in ears:
            assert ear.wait_event(id="ended", stage="interrupted")


def test_a_group_is_not_called_like_the_device(tmp_path: Path) -> None:
    """Its topics would be the device's own."""
    with pytest.raises(ConfigError, match="own name"):
        config_from({"device": "hall", "mqtt": {"groups": ["hall"]}}, folder=tmp_path)


def test_hermes_is_spoken_and_answered(tmp_path: Path, broker: Broker) -> None:
    """What is for our site is heard and gets `sayFinished` with its ids, also after an error, which is told; what
    is for other sites, or retained, is left alone."""
    with (
        Ear(broker, "hermes/tts") as tts,
        Ear(broker, "hermes/error") as errors,
        Ear(broker, "edge-tts/hermes-device") as ear,
        appliance(tmp_path, broker, "hermes-device", hermes={"site_ids": ["kitchen"]}) as speaker,
    ):
        ear.wait_topic("status", "online")
        tts.publish("say", {"text": "for others", "siteId": "hall", "id": "0"})
        tts.publish(
            "say", {"text": "good", "siteId": "kitchen", "id": "1", "sessionId": "s", "lang": "en-GB", "volume": 0.5}
        )
        tts.publish("say", {"text": " ", "siteId": "kitchen", "id": "2", "extra": None})
        assert tts.wait_for(lambda: len(answers(tts, "hermes/tts/sayFinished")) == 2)
        finished = {answer["id"]: answer for answer in answers(tts, "hermes/tts/sayFinished")}
        assert finished["1"] == {"id": "1", "siteId": "kitchen", "sessionId": "s"}
        assert finished["2"] == {"id": "2", "siteId": "kitchen", "sessionId": None}
        assert errors.wait_for(lambda: len(answers(errors, "hermes/error/tts")) == 1)
        assert "empty" in answers(errors, "hermes/error/tts")[0]["error"]
        assert len(speaker.heard) == int(0.3 * RATE)
        assert abs(speaker.heard).max() == pytest.approx(0.25, abs=0.01)
        tts.publish("say", b"{'text': 1}")
        assert ear.wait_for(lambda: any("hermes/tts/say: " in str(event["details"]) for event in ear.events()))


def answers(ear: Ear, topic: str) -> list[dict[str, Any]]:
    return [json.loads(payload) for name, payload, _ in ear.messages if name == topic]


def test_a_request_that_outlives_the_daemon_is_answered_in_hermes() -> None:
    """The address that the journal keeps leads to `sayFinished`; addresses of others are left to the link."""
    rig, sent = DispatcherRig(), list[tuple[str, str]]()
    link = SimpleNamespace(listen=lambda *_: None, publish=lambda *message: sent.append(message))
    hermes = Hermes(runtime=rig.runtime, link=link, config=HermesConfig(site_ids=("a",)), dispatcher=rig.dispatcher)
    answer = {"id": "1", "siteId": "a", "sessionId": None}
    reply = hermes.reply(ReplyTo("hermes/tts/say", json.dumps(answer).encode()))
    assert reply is not None
    for stage in ("accepted", "done"):
        reply(Report("x", stage, 0.0))
    assert [(topic, json.loads(payload)) for topic, payload in sent] == [("hermes/tts/sayFinished", answer)]
    assert hermes.reply(ReplyTo("answers/somewhere", b"{}")) is None


def test_other_sound_is_turned_down_and_up_over_mqtt(tmp_path: Path, broker: Broker) -> None:
    """The topic gets one message before we speak, and one after, at the latest when the daemon stops."""
    with Ear(broker, "music") as music, Ear(broker, "edge-tts/duck-device") as ear:
        with appliance(tmp_path, broker, "duck-device", ducking={"topic": "music/duck", "linger_s": 60.0}):
            ear.wait_topic("status", "online")
            ear.publish("say", {"text": "x", "id": "x"})
            ear.wait_event(id="x", stage="done")
        assert music.wait_for(lambda: music.on("duck") == ["ON", "OFF"])
