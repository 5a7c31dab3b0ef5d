"""Renders for others: a member of a group of appliances among whom the broker shares out requests (MQTT 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_tts.config import MqttConfig
from edge_tts.errors import TransportError
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.mqtt.client import make_client, shares_subscriptions
from edge_tts.runtime.part import OptionalPart
from edge_tts.runtime.runtime import Runtime

_RETRY_S = 5.0
_STOP_S = 3.0
_TICK_S = 0.05


class GroupLink(Protocol):
    """What is used of `MqttLink`: its session outlasts a restart, so the answers go out over it."""

    def read(self, message: paho.MQTTMessage, *, called: str) -> Message: ...

    def has_room(self) -> bool: ...


def render_topic(config: MqttConfig, group: str) -> str:
    """Where a group is asked; the caller may be a level more."""
    return f"{config.base_topic}/{group}/render"


class RenderGroup(OptionalPart):
    """Takes part over a connection of its own, with a session that ends with it: the broker gives a request to one
    member that is there. With a persistent session it would wait for one that is away.

    A message is acknowledged once its request is in the journal, which finishes it after a crash.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        config: MqttConfig,
        group: str,
        link: GroupLink,
        carry_out: Callable[[Message], None],
    ) -> None:
        """`config` with the `client_id` that is used. `carry_out` must never raise."""
        advice = "it is tried again; `edge-ttsd doctor` asks the broker"
        super().__init__(name="render-group", runtime=runtime, advice=advice, retry_s=_RETRY_S, stop_timeout_s=_STOP_S)
        self._config, self._link, self._carry_out = config, link, carry_out
        topic = render_topic(config, group)
        self._called = f"{topic}/+"
        self._topics = [f"$share/{group}/{topic}", f"$share/{group}/{topic}/+"]
        self._client = client = make_client(config, f"{config.client_id}-render", persistent=True)
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_message = self._on_message

    def work(self) -> None:
        """Serve one connection. Raises TransportError when it cannot be had, or is gone."""
        self.ready()
        config, client = self._config, self._client
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 0
        try:
            client.connect(config.host, config.port, config.keepalive_s, clean_start=True, properties=session)
            while client.loop(timeout=1.0) == MQTTErrorCode.MQTT_ERR_SUCCESS and not self.stopping.is_set():
                pass
        except OSError as refused:
            raise TransportError(f"no broker at {config.host}:{config.port}: {refused}") from refused
        finally:
            client.disconnect()
        if not self.stopping.is_set():
            raise TransportError(f"the connection to {config.host}:{config.port} is gone")

    def wake(self) -> None:
        self._client.disconnect()

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            raise TransportError(f"the broker refuses us: {reason}")
        if not shares_subscriptions(properties):
            raise TransportError("the broker has no shared subscriptions, which mqtt.render_group needs")
        options = SubscribeOptions(qos=1, retainAsPublished=True)
        client.subscribe([(topic, options) for topic in self._topics])

    def _on_subscribe(self, client: paho.Client, data: Any, number: int, answers: list[ReasonCode], *_: Any) -> None:
        for refused in (answer for answer in answers if answer.is_failure):
            raise TransportError(f"the broker refuses us {self._topics[0]}: {refused}; see its ACL")
        self.status.ok()

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        while not self._link.has_room() and not self.stopping.wait(_TICK_S):
            pass  # the broker holds back the next
        if self.stopping.is_set():
            return  # unacknowledged: it is another member's
        asked = self._link.read(message, called=self._called)
        self._carry_out(replace(asked, command="say", renders=True))
        client.ack(message.mid, message.qos)
