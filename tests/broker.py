"""A real mosquitto as a child process, and a client that remembers what it hears."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from fakes import WAIT_S
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def free_port() -> int:
    """A TCP port on the loopback that nobody uses. It is below those that the system gives to whoever connects: so no
    client takes it while a broker restarts, and two runs side by side hardly meet."""
    draw = random.SystemRandom()  # hypothesis gives every run the same random numbers
    while True:
        port = draw.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Broker:
    """mosquitto on a free loopback port; `stop` and `start` keep the sessions, as a restart on a real machine does."""

    def __init__(self, folder: Path, *, settings: str = "allow_anonymous true") -> None:
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/sbin")
        if found is None:
            pytest.skip("MOSQUITTO IS NOT INSTALLED: nothing that needs a broker was tested (apt install mosquitto)")
        self.port = free_port()
        self._program = found
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\n{settings}\n"
            f"persistence true\npersistence_location {folder}/\nuser {_user(folder)}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when connections are taken."""
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, "mosquitto did not start"
                time.sleep(0.02)
        raise AssertionError("mosquitto does not listen")

    def stop(self) -> None:
        """End it, orderly, so that it saves its sessions."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(WAIT_S)
            self._process = None

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _user(folder: Path) -> str:
    return folder.owner()  # without it a mosquitto started by root would drop to a user that cannot write here


def write_password_file(path: Path, **passwords: str) -> None:
    """A file for mosquitto's `password_file` with these users."""
    program = shutil.which("mosquitto_passwd") or shutil.which("mosquitto_passwd", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("MOSQUITTO_PASSWD IS NOT INSTALLED: passwords were not tested")
    path.touch()
    for user, password in passwords.items():
        subprocess.run([program, "-b", str(path), user, password], check=True, capture_output=True)
    path.chmod(0o644)


def make_certificate(folder: Path, name: str) -> None:
    """NAME.crt and NAME.key: a certificate for 127.0.0.1 that is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("OPENSSL IS NOT INSTALLED: encryption was not tested")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
    subprocess.run(command, check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o644)


def send_as_stranger(broker: Broker, topic: str, payload: bytes, response_topic: str) -> bool:
    """Publish as a client of its own. Whether the broker took the message: some throw out who sends such a one."""
    settled = threading.Condition()
    taken: list[bool] = []

    def settle(passed: bool) -> None:
        with settled:
            taken.append(passed)
            settled.notify_all()

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = response_topic
    client.on_connect = lambda *_: client.publish(topic, payload, qos=1, properties=properties)
    client.on_publish = lambda *_: settle(True)
    client.on_disconnect = lambda *_: settle(False)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    with settled:
        assert settled.wait_for(lambda: taken, WAIT_S), "the broker neither takes nor refuses it"
    client.disconnect()
    client.loop_stop()
    return taken[0]


class Ear:
    """A client that subscribes to a device's topics and writes down what it hears."""

    def __init__(self, broker: Broker, base: str, *, v5: bool = True) -> None:
        self.base = base
        self.messages: list[tuple[str, str, bool]] = []
        self.replies: list[tuple[dict[str, Any], bytes | None]] = []
        self._condition = threading.Condition()
        self._subscribed = threading.Event()
        self._v5 = v5
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5 if v5 else paho.MQTTv311)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe([(f"{base}/#", 1), (f"answers/{base}", 1)])
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.connect("127.0.0.1", broker.port)

    def __enter__(self) -> Ear:
        self.client.loop_start()
        assert self._subscribed.wait(WAIT_S)
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, command: str, payload: Any = b"", *, retain: bool = False, **properties: Any) -> None:
        """Send a command: bytes and text as they are, anything else as JSON. Returns when the broker has it."""
        if not isinstance(payload, (bytes, str)):
            payload = json.dumps(payload)
        wire = None
        if properties:
            wire = Properties(PacketTypes.PUBLISH)
            for name, value in properties.items():
                setattr(wire, name, value)
        sent = self.client.publish(f"{self.base}/{command}", payload, qos=1, retain=retain, properties=wire)
        sent.wait_for_publish(WAIT_S)

    def events(self) -> list[dict[str, Any]]:
        """Every report heard so far."""
        return [json.loads(payload) for topic, payload, _ in list(self.messages) if topic == f"{self.base}/events"]

    def wait_event(self, **wanted: Any) -> dict[str, Any]:
        """The first report with these values."""

        def found() -> dict[str, Any] | None:
            return next((e for e in self.events() if all(e[key] == value for key, value in wanted.items())), None)

        event = self._wait(found)
        assert event is not None, f"no event {wanted} among {self.events()}"
        return event

    def wait_topic(self, topic: str, payload: str | None = None) -> str:
        """The first message on that topic (with that payload)."""

        def found() -> list[str]:  # a list, because an empty payload is a payload too
            return [p for t, p, _ in self.messages if t == f"{self.base}/{topic}" and payload in (None, p)]

        texts = self._wait(found)
        assert texts, f"nothing on {topic} among {self.messages}"
        return str(texts[0])

    def wait_state(self, **wanted: Any) -> dict[str, Any]:
        """The first state with these values."""

        def found() -> dict[str, Any] | None:
            states = [json.loads(payload) for topic, payload, _ in self.messages if topic == f"{self.base}/state"]
            return next((s for s in states if all(s[key] == value for key, value in wanted.items())), None)

        state = self._wait(found)
        assert state is not None, f"no state {wanted}"
        return state

    def wait_replies(self, count: int) -> list[tuple[dict[str, Any], bytes | None]]:
        """Reports that came to the response topic, with their correlation data."""
        assert self._wait(lambda: len(self.replies) >= count), f"only {self.replies}"
        return self.replies

    def on(self, topic: str) -> list[str]:
        """Every payload heard on that topic so far."""
        return [payload for heard, payload, _ in list(self.messages) if heard == f"{self.base}/{topic}"]

    def wait_for(self, found: Any, timeout_s: float = WAIT_S) -> Any:
        """What `found` returns as soon as it is something; asked after every message. Fails when it never is."""
        result = self._wait(found, timeout_s)
        assert result, f"it never came to that: {self.messages[-10:]}"
        return result

    def _wait(self, found: Any, timeout_s: float = WAIT_S) -> Any:
        with self._condition:
            return self._condition.wait_for(found, timeout_s)

    def _on_message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        with self._condition:
            if message.topic.startswith("answers/"):
                correlation = getattr(message.properties, "CorrelationData", None)
                self.replies.append((json.loads(message.payload), correlation))
            else:
                self.messages.append((message.topic, message.payload.decode(errors="replace"), message.retain))
            self._condition.notify_all()
