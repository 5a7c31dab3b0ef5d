"""Tests what the daemon needs of the broker: to connect, subscribe, publish and receive.

The client is the daemon's but for its id (the broker would disconnect a running daemon), its session and its last
will.
"""

from __future__ import annotations

import math
import socket
import ssl
import struct
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge_tts.config import MqttConfig
from edge_tts.front_doors.mqtt.client import daemon_client_id, make_client, shares_subscriptions

Step = Literal["find", "reach", "encrypt", "greet", "enter", "subscribe", "publish", "deliver"]
"""Host name, network, TLS, CONNACK, its reason code; then each right that the daemon needs."""

_TICK_S = 0.05
_VERSIONS = {paho.MQTTv31: "3.1", paho.MQTTv311: "3.1.1", paho.MQTTv5: "5"}
_GARBAGE = (MQTTException, ValueError, LookupError, struct.error)
"""What paho, depending on its version, raises for bytes that are not MQTT."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed step; the reason is the broker's or the system's."""

    step: Step
    reason: str


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What the broker allowed."""

    client_id: str
    topic: str
    """Published to, and subscribed to."""
    protocol: str
    """The accepted MQTT version; empty if the connection was refused."""
    failures: tuple[Failure, ...]
    shares: bool = True
    """Whether it has shared subscriptions."""


class BrokerProbe:
    """One connection to the broker, with `timeout_s` for each step."""

    def __init__(self, config: MqttConfig, device: str, *, timeout_s: float) -> None:
        """Raises TransportError for an unusable password or TLS file."""
        base = f"{config.base_topic}/{device}"
        self._config, self._timeout_s = config, timeout_s
        self._command, self._topic = f"{base}/say", f"{base}/doctor"
        self._client_id = f"{daemon_client_id(config, device)}-doctor"
        self._payload = uuid.uuid4().hex.encode()
        self._entered: ReasonCode | None = None
        self._subscribed: list[ReasonCode] = []
        self._published: ReasonCode | None = None
        self._delivered = False
        self._goodbye = ""
        self._shares = True
        self._client = client = make_client(config, self._client_id)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        client.on_message = self._on_message

    def run(self) -> ProbeResult:
        protocol = ""
        try:
            failures = [self._connect() or self._enter()]
            if failures == [None]:
                protocol = _VERSIONS[self._client.protocol]
                failures = [self._subscribe(), self._publish()]
            if failures == [None, None]:
                failures = [self._wait("deliver", lambda: self._delivered)]
        finally:
            self._client.disconnect()
        return ProbeResult(self._client_id, self._topic, protocol, tuple(filter(None, failures)), self._shares)

    # -- the steps

    def _connect(self) -> Failure | None:
        self._client.connect_timeout = self._timeout_s
        try:
            self._client.connect(self._config.host, self._config.port, keepalive=math.ceil(self._timeout_s))
        except ssl.SSLError as error:
            return Failure("encrypt", str(error))
        except socket.gaierror as error:
            return Failure("find", str(error))
        except OSError as error:
            hung_up = self._config.tls and isinstance(error, ConnectionResetError)
            return Failure("encrypt" if hung_up else "reach", str(error))
        return None

    def _enter(self) -> Failure | None:
        silent = self._wait("greet", lambda: self._entered is not None)
        return silent or _refusal("enter", self._entered)

    def _subscribe(self) -> Failure | None:
        self._client.subscribe([(self._command, 1), (self._topic, 1)])
        silent = self._wait("subscribe", lambda: bool(self._subscribed))
        return silent or next(filter(None, (_refusal("subscribe", reason) for reason in self._subscribed)), None)

    def _publish(self) -> Failure | None:
        self._client.publish(self._topic, self._payload, qos=1)
        return self._wait("publish", lambda: self._published is not None) or _refusal("publish", self._published)

    def _wait(self, step: Step, done: Callable[[], bool]) -> Failure | None:
        """Run paho's loop until `done`; a Failure at the time-out."""
        deadline = time.monotonic() + self._timeout_s
        try:
            while not done():
                if time.monotonic() >= deadline:
                    return Failure(step, f"no answer within {self._timeout_s:g} s")
                if self._client.loop(_TICK_S) != MQTTErrorCode.MQTT_ERR_SUCCESS and not done():
                    return Failure(step, f"it closed the connection {self._goodbye}".rstrip())
        except _GARBAGE as garbage:
            return Failure(step, f"its answer is not MQTT {self._config.protocol}: {garbage}")
        except OSError as gone:  # paho retries with an older protocol on a new connection
            return Failure(step, f"the connection broke: {gone}")
        return None

    # -- paho's callbacks, within its loop

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        self._entered, self._shares = reason, shares_subscriptions(properties)

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        self._goodbye = f"({reason})"

    def _on_subscribe(
        self, client: paho.Client, data: Any, number: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        self._subscribed = reasons

    def _on_publish(self, client: paho.Client, data: Any, number: int, reason: ReasonCode, properties: Any) -> None:
        self._published = reason

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if message.topic == self._topic and message.payload == self._payload:
            self._delivered = True  # a command that comes meanwhile is a copy: the daemon has it too


def _refusal(step: Step, reason: ReasonCode | None) -> Failure | None:
    return Failure(step, str(reason)) if reason is not None and reason.is_failure else None
