"""docs/security.md is followed line by line: its certificates, its mosquitto, its ACL, its configuration."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import yaml
from broker import Broker
from fakes import WAIT_S, FakeLoudspeaker, FakeSynthesizer, until
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from rig import no_defect
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import config_from
from edge_tts.model_sets.manifest import read_model_set

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"


class Followed:
    """What the page has one do, in a folder in place of /etc, with the broker on the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        page = PAGE.read_text(encoding="utf-8").partition("## Mosquitto")[2]
        self._blocks = re.findall(r"```(sh|text|yaml)\n(.*?)```", page, re.DOTALL)
        for program in ("openssl", "mosquitto_passwd"):
            if shutil.which(program) is None:
                pytest.skip(f"{program.upper()} IS NOT INSTALLED: the page about security was not followed")
        self.run(self._block("sh", "openssl req"))
        (folder / "mosquitto/edge-tts/acl").write_text(self._block("text", "pattern write"))
        settings = self._block("text", "listener").replace("listener 8883\n", "")
        self.broker = Broker(folder, settings=settings)

    def _block(self, kind: str, text: str) -> str:
        """The block with that text in it."""
        found = next(block for name, block in self._blocks if name == kind and text in block)
        return found.replace("/etc/", f"{self.folder}/").replace("192.168.1.5", "127.0.0.1")

    def run(self, script: str) -> None:
        subprocess.run(["bash", "-euc", script], check=True, capture_output=True)

    def config(self) -> dict[str, Any]:
        """The device's, with what was copied to it."""
        (self.folder / "edge-tts").mkdir()
        for name in ("ca.crt", "edge-tts.password"):
            shutil.copy(self.folder / "mosquitto/edge-tts" / name, self.folder / "edge-tts" / name)
        values: dict[str, Any] = yaml.safe_load(self._block("yaml", "ca_file"))
        values["mqtt"] |= {"host": "127.0.0.1", "port": self.broker.port}
        return values

    def tries(self) -> list[subprocess.CompletedProcess[str]]:
        """The commands of the client."""
        block = self._block("sh", "mosquitto_pub").replace(
            "-h broker.lan -p 8883", f"-h 127.0.0.1 -p {self.broker.port}"
        )
        first, *commands = re.split(r"\n(?=mosquitto_pub)", block)
        return [subprocess.run(["bash", "-uc", f"{first}\n{one}"], capture_output=True, text=True) for one in commands]

    def password(self, user: str) -> str:
        return (self.folder / f"mosquitto/edge-tts/{user}.password").read_text().strip()


class Client:
    """A client of the broker, over TLS."""

    def __init__(self, it: Followed, user: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()
        self._answers: list[int] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set(user, it.password(user))
        self._client.tls_set(str(it.folder / "mosquitto/edge-tts/ca.crt"))
        self._client.on_message = lambda client, data, message: self._note(message.topic, message.payload)
        self._client.on_publish = lambda client, data, number, reason, properties: self._answer(reason.value)
        self._client.on_subscribe = lambda client, data, number, reasons, properties: self._answer(reasons[0].value)
        self._client.on_connect = lambda *_: self._answer(0)
        self._client.connect("127.0.0.1", it.broker.port)
        self._asked(self._client.loop_start)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: str, *, reply: str | None = None, caller: str | None = None) -> int:
        """The broker's reason code."""
        properties = Properties(PacketTypes.PUBLISH)
        if reply is not None:
            properties.ResponseTopic = reply
        if caller is not None:
            properties.UserProperty = ("client", caller)
        return self._asked(lambda: self._client.publish(topic, payload, qos=1, properties=properties))

    def subscribe(self, topic: str) -> int:
        return self._asked(lambda: self._client.subscribe(topic, 1))

    def _asked(self, ask: Any) -> int:
        with self._changed:
            before = len(self._answers)
            ask()
            assert self._changed.wait_for(lambda: len(self._answers) > before, WAIT_S)
            return self._answers[-1]

    def _answer(self, code: int) -> None:
        with self._changed:
            self._answers.append(code)
            self._changed.notify_all()

    def _note(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, payload))


NOT_AUTHORIZED = 135


@contextmanager
def client(it: Followed, user: str) -> Iterator[Client]:
    one = Client(it, user)
    try:
        yield one
    finally:
        one.close()


def test_the_page_about_security_is_true(tmp_path: Path) -> None:
    """With what the page has one set up, the device is in by TLS and its password, each client can speak as itself and
    as nobody else, by no topic and no property, hears answers to itself alone, and is held to its rules."""
    it, synthesizer = Followed(tmp_path), FakeSynthesizer()
    model = write_model_set(tmp_path / "models" / "toy", voices=("hum",))
    config = config_from({**it.config(), "device": "home"}, folder=tmp_path)
    surroundings = Surroundings(
        load=synthesizer.loaded, open_loudspeaker=lambda rate: FakeLoudspeaker(), fatal=no_defect
    )
    with (
        it.broker,
        client(it, "kitchen") as kitchen,
        client(it, "shop") as shop,
        client(it, "home-assistant") as house,
        Appliance(config, read_model_set(model), surroundings),
    ):
        assert house.subscribe("edge-tts/home/status") < 128
        until(lambda: ("edge-tts/home/status", b"online") in house.heard)
        assert kitchen.subscribe("answers/kitchen/#") < 128
        assert kitchen.publish("edge-tts/home/say/kitchen", "One.", reply="answers/kitchen/1", caller="shop") < 128
        until(lambda: any(b'"done"' in payload for _, payload in kitchen.heard))
        for topic in ("say", "say/shop", "stop", "volume/set", "events", "state"):
            assert kitchen.publish(f"edge-tts/home/{topic}", "Two.") == NOT_AUTHORIZED
        assert kitchen.publish("answers/shop/1", "no") == NOT_AUTHORIZED
        assert shop.subscribe("edge-tts/home/#") < 128  # the broker hands out nothing that may not be read
        assert shop.subscribe("answers/shop/#") < 128
        alarm = '{"text": "Three.", "priority": "alert"}'
        assert shop.publish("edge-tts/home/say/shop", alarm, reply="answers/shop/1") < 128
        until(lambda: any(b"access.callers.shop.priorities" in payload for _, payload in shop.heard))
        assert house.publish("edge-tts/home/say/home-assistant", "Four.") < 128
        until(lambda: "Four." in synthesizer.spoken)
        assert synthesizer.spoken == ["One.", "Four."]
        assert all(topic.startswith("answers/shop/") for topic, _ in shop.heard)
        if shutil.which("mosquitto_pub") is not None:
            first, second = it.tries()
            assert (first.returncode, "Not authorized" in second.stderr) == (0, True)
            until(lambda: "Dinner is ready." in synthesizer.spoken)
    assert synthesizer.spoken.count("Dinner is ready.") <= 1
