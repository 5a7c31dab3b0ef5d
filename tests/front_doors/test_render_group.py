"""Appliances that render for others: the broker shares out requests among those that are there."""

from __future__ import annotations

import base64
import itertools
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Ear
from daemon_process import daemon, write_config
from fakes import RATE, WAIT_S, FakeLoudspeaker, FakeSynthesizer, until
from humming import appliance, config_for
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from rig import make_runtime

from edge_tts.config import MqttConfig, config_from
from edge_tts.errors import ConfigError
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.mqtt.render_group import RenderGroup
from tools.demo_model import write_untrained_set

_numbers = itertools.count(1)


class Asker(Ear):
    """Somebody without an appliance who has a group render; its answers are told apart by their correlation data."""

    def __init__(self, broker: Broker, group: str) -> None:
        super().__init__(broker, f"asks/{group}")
        self._topic = f"edge-tts/{group}"
        self._reasons: list[Any] = []
        self.client.on_publish = lambda client, data, number, reason, properties: self._reasons.append(reason)

    def ask(self, name: str, *, command: str = "render", **more: Any) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic, properties.CorrelationData = f"answers/{self.base}", name.encode()
        payload = json.dumps({"text": name, "id": name, **more})
        sent = self.client.publish(f"{self._topic}/{command}", payload, qos=1, properties=properties)
        sent.wait_for_publish(WAIT_S)

    def stages(self, name: str) -> list[str]:
        return [report["stage"] for report, told in list(self.replies) if told == name.encode()]

    def wait_stage(self, name: str, stage: str) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [r for r, told in self.replies if told == name.encode() and r["stage"] == stage]

        return dict(self.wait_for(found)[0])

    def wait_members(self, *members: Ear) -> None:
        """Ask, one at a time, until each has had something to do: then all have joined."""

        def had_work() -> bool:
            name = f"probe{next(_numbers)}"
            self.ask(name)
            if self.reached_somebody():
                self.wait_stage(name, "done")
            return all(any(event["stage"] == "done" for event in ear.events()) for ear in members)

        until(had_work)

    def reached_somebody(self) -> bool:
        """Whether the broker had a subscriber for what was asked last."""
        reason = self.wait_for(lambda: self._reasons and self._reasons.pop())
        return str(reason) != "No matching subscribers"


@contextmanager
def member(broker: Broker, model: Path, device: str, group: str, **sections: Any) -> Iterator[tuple[Ear, Any, Any]]:
    """A humming appliance of the group: who listens to it, its synthesizer, its loudspeaker."""
    config = config_for(broker.port, device)
    config = {**config, "mqtt": config["mqtt"].model_copy(update={"render_group": group}), **sections}
    config["state_dir"] = f".state-{device}"
    config["results"] = {"dir": f".state-{device}/results"}
    synthesizer, speaker = FakeSynthesizer(), FakeLoudspeaker()
    try:
        with Ear(broker, f"edge-tts/{device}") as ear, appliance(config, model, synthesizer, speaker):
            ear.wait_topic("status", "online")
            yield ear, synthesizer, speaker
    finally:
        synthesizer.gate.set()


def test_each_request_is_rendered_once_by_one_member_and_heard_by_nobody(broker: Broker, model: Path) -> None:
    """Two members share the requests of a client, which gets each sound once, in base64, with its correlation data;
    neither makes a sound, whatever the request asks for, and both render at low priority."""
    with (
        Asker(broker, "farmers") as asker,
        member(broker, model, "one", "farmers") as (ear, synthesizer, speaker),
        member(broker, model, "two", "farmers") as (other_ear, other_synthesizer, other_speaker),
    ):
        asker.wait_members(ear, other_ear)
        names = [f"r{number}" for number in range(6)]
        for name in names:
            asker.ask(name, priority="normal", play=True, format="flac")
        for name in names:
            sound = asker.wait_stage(name, "done")["details"]["result"]
            assert base64.b64decode(sound["audio"]).startswith(b"fLaC")
        spoken = synthesizer.spoken + other_synthesizer.spoken
        assert sorted(text for text in spoken if text in names) == names
        assert set(names) & set(synthesizer.spoken)
        assert set(names) & set(other_synthesizer.spoken)
        assert not len(speaker.heard)
        assert not len(other_speaker.heard)
        assert [asker.stages(name) for name in names] == [["accepted", "started", "first_audio", "done"]] * 6


def test_the_own_house_goes_first(broker: Broker, model: Path) -> None:
    """What is said at the device is heard while a request of others stands still in the middle of its sound."""
    with (
        Asker(broker, "neighbours") as asker,
        member(broker, model, "host", "neighbours") as (ear, synthesizer, speaker),
    ):
        asker.wait_members(ear)
        synthesizer.gate.clear()
        asker.ask("theirs")
        asker.wait_stage("theirs", "first_audio")
        ear.publish("say", {"text": "ours", "id": "ours"})
        ear.wait_event(id="ours", stage="accepted")
        synthesizer.gate.set()
        ear.wait_event(id="theirs", stage="done")
        done = [event["id"] for event in ear.events() if event["stage"] == "done"]
        assert done[-2:] == ["ours", "theirs"]
        assert len(speaker.heard) == int(0.3 * RATE)


def test_access_holds_for_those_who_have_something_rendered(broker: Broker, model: Path) -> None:
    """The last level of the topic names the caller; who is denied is told so, and gets no sound."""
    access = {"deny": ["mallory"]}
    with (
        Asker(broker, "guild") as asker,
        member(broker, model, "guildhall", "guild", access=access) as (ear, synthesizer, _),
    ):
        asker.wait_members(ear)
        asker.ask("m", command="render/mallory")
        assert asker.wait_stage("m", "failed")["details"]["rule"] == "access.deny"
        asker.ask("a", command="render/alice")
        asker.wait_stage("a", "done")
        assert "m" not in synthesizer.spoken


def test_who_asks_again_gets_what_is_kept(broker: Broker, model: Path) -> None:
    """A request that comes a second time, since its answer was lost, is answered from what is kept, not rendered."""
    with (
        Asker(broker, "patient") as asker,
        member(broker, model, "keeper", "patient") as (ear, synthesizer, _),
    ):
        asker.wait_members(ear)
        asker.ask("again")
        first = asker.wait_stage("again", "done")
        asker.replies.clear()
        asker.ask("again")
        second = asker.wait_stage("again", "done")
        assert second["details"]["resent"]
        assert second["details"]["result"]["audio"] == first["details"]["result"]["audio"]
        assert synthesizer.spoken.count("again") == 1


def test_a_member_that_leaves_gets_no_more(broker: Broker, model: Path) -> None:
    """Once a member has stopped, all requests go to the one that is there: none waits for its return."""
    with (
        Asker(broker, "leavers") as asker,
        member(broker, model, "stays", "leavers") as (ear, _, _),
    ):
        with member(broker, model, "leaves", "leavers") as (other, _, _):
            asker.wait_members(ear, other)
        for number in range(4):
            asker.ask(f"late{number}")
        for number in range(4):
            asker.wait_stage(f"late{number}", "done")


@pytest.mark.long
def test_a_killed_member_loses_nothing(tmp_path: Path, broker: Broker) -> None:
    """Two real daemons, one killed in the middle of a rendering: what it had accepted is answered after its restart,
    the rest by the other; each sound comes once."""
    write_untrained_set(tmp_path / "models" / "untrained")
    with ExitStack() as stack:
        asker = stack.enter_context(Asker(broker, "mortals"))
        configs, ears = [], []
        for device in ("mortal", "other"):
            (tmp_path / device).mkdir()
            mqtt = {"host": "127.0.0.1", "port": broker.port, "render_group": "mortals"}
            configs.append(write_config(tmp_path / device, tmp_path / "models", broker.port, device, mqtt=mqtt))
            ears.append(stack.enter_context(Ear(broker, f"edge-tts/{device}")))
        first = stack.enter_context(daemon(configs[0]))
        stack.enter_context(daemon(configs[1]))
        asker.wait_members(*ears)
        names = [f"k{number}" for number in range(8)]
        for name in names:
            asker.ask(name, text=f"This is the sentence called {name}. And here is another one behind it. " * 3)
        ears[0].wait_for(lambda: any(e["id"] in names and e["stage"] == "started" for e in ears[0].events()))
        for name in names:
            asker.wait_stage(name, "accepted")
        first.kill()
        first.wait(WAIT_S)
        ears[0].wait_topic("status", "offline")
        unfinished = [name for name in names if "done" not in asker.stages(name)]
        assert unfinished, "it was killed too late to prove anything"
        stack.enter_context(daemon(configs[0]))
        for name in names:
            assert asker.wait_stage(name, "done")["details"]["result"]["bytes"] > 1000
        resumed = {e["id"] for e in ears[0].events() if e["details"].get("resumed")}
        assert resumed & set(unfinished)
        assert all(asker.stages(name).count("done") == 1 for name in names)


def test_a_group_needs_mqtt_5_and_another_name(tmp_path: Path) -> None:
    """MQTT 3.1.1 has no response topics, and a group called like the device would share its topics."""
    with pytest.raises(ConfigError, match="needs MQTT 5"):
        config_from({"mqtt": {"protocol": "3.1.1", "render_group": "g"}}, folder=tmp_path)
    with pytest.raises(ConfigError, match="own name"):
        config_from({"device": "hall", "mqtt": {"render_group": "hall"}}, folder=tmp_path)


class Slow:
    """A link whose reports leave when it is told so."""

    def __init__(self) -> None:
        self.room = False

    def has_room(self) -> bool:
        return self.room

    def read(self, message: Any, *, called: str) -> Message:
        return Message("say", bytes(message.payload))


def test_a_flood_is_taken_as_fast_as_its_answers_leave(broker: Broker) -> None:
    """While the reports wait for the broker no further request is taken; then they all are."""
    link, taken = Slow(), list[bytes]()
    config = MqttConfig(host="127.0.0.1", port=broker.port, client_id="slow-one")
    part = RenderGroup(
        runtime=make_runtime(),
        config=config,
        group="floods",
        link=link,
        carry_out=lambda message: taken.append(message.payload),
    )
    with Asker(broker, "floods") as asker, part:

        def reached() -> bool:
            asker.ask("first")
            return asker.reached_somebody()

        until(reached)
        asker.ask("second")
        assert not taken
        link.room = True
        until(lambda: len(taken) == 2)


@pytest.mark.parametrize(
    ("connack", "words"),
    [
        (bytes([0x20, 5, 0, 0, 2, 42, 0]), "no shared subscriptions"),
        (bytes([0x20, 3, 0, 0x87, 0]), "refuses us: Not authorized"),
    ],
)
def test_a_broker_that_cannot_share_is_told(connack: bytes, words: str, caplog: pytest.LogCaptureFixture) -> None:
    """A broker that says it has no shared subscriptions, or refuses us, costs only this part; the log says which."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server, caplog.at_level(logging.WARNING):

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1024)
                client.sendall(connack)
                over.wait(WAIT_S)

        thread = threading.Thread(target=serve)
        thread.start()
        config = MqttConfig(host="127.0.0.1", port=server.getsockname()[1], client_id="m")
        part = RenderGroup(
            runtime=make_runtime(),
            config=config,
            group="g",
            link=Slow(),
            carry_out=lambda message: None,
        )
        with part:
            until(lambda: words in caplog.text)
        over.set()
        thread.join()
