"""The MQTT link: topics and bytes between the broker and the dispatcher."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt import MQTTException
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_tts.config import MqttConfig
from edge_tts.front_doors.message import Message, caller_name
from edge_tts.front_doors.mqtt.client import daemon_client_id, make_client
from edge_tts.front_doors.mqtt.retained_guard import STATUS, RetainedGuard
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Reply, no_reply
from edge_tts.speaking.journal import ReplyTo
from edge_tts.values import CLOSING, Caller, Report

log = logging.getLogger(__name__)

MAX_UNSENT = 1000
"""Messages that may wait for the broker's acknowledgement. At half of it no message is handled, at three quarters
reports are dropped, closing ones only beyond it."""
IN_FLIGHT = 20
"""Unacknowledged messages from the broker (receive maximum)."""
GOODBYE_S = 2.0
"""How long a stop waits for the last reports to be sent."""
SHORT_S, CLASH = 10.0, 2
"""So many connections in a row, lost within so many seconds, mean that two clients have one name."""
REPLY_BYTES, REPLY_LEVELS = 1024, 100
"""Limits of a response topic. A broker disconnects a client that publishes to too many levels (mosquitto: 200)."""

SAY_AS = "say/+"
"""`say`, by the caller whose name is the last level: a broker can see to it that it is."""


class Handler(Protocol):
    """Handles messages; `Dispatcher` in production."""

    @property
    def commands(self) -> Sequence[str]:
        """Topics to subscribe to, below the device's base topic."""

    def handle(self, message: Message) -> None:
        """Carry out a message or refuse it; never raises."""


class MqttLink(Part):
    """Owns the connection: one thread that connects, reconnects with jittered back-off, and runs paho's network loop.

    The session is persistent, and a message is acknowledged after the dispatcher has handled it: what is published
    while the daemon is away arrives later. The loop is our own because paho's thread ends silently when a callback
    raises; here it is fatal.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        config: MqttConfig,
        device: str,
        dispatcher: Handler,
        jitter: Callable[[], float] = random.random,
        clash: Callable[[bool], None] = lambda clashing: None,
    ) -> None:
        """`clash` is called after a lost connection with whether another client seems to use our name."""
        super().__init__(name="mqtt", runtime=runtime)
        self._config, self._dispatcher, self._jitter, self._clash = config, dispatcher, jitter, clash
        self._client_id = daemon_client_id(config, device)
        self._base = f"{config.base_topic}/{device}"
        self._delay_s = config.reconnect_min_s
        self._v5 = config.protocol == "5"
        self._client = self._make_client()
        self._guard = RetainedGuard(events=runtime.events, base=self._base, clock=runtime.clock, echoes=not self._v5)
        self._watched: set[str] = set()
        """Our retained topics that are subscribed to on this connection."""
        self._lock = threading.Lock()
        self._held: deque[tuple[str, str, Properties | None]] | None = deque()
        """Reports made since the connection was lost; None while there is one."""
        self._others: dict[str, str] = {}
        """Retained messages outside the device's base topic."""
        self._listeners: dict[str, Callable[[Message], None]] = {}
        self._untaken: deque[paho.MQTTMessage] = deque()
        """Messages that wait until our reports are sent; only the thread uses them."""
        self._leaving = threading.Event()
        self._count = threading.Lock()
        """Acquired inside paho's locks: acquire no other lock inside it."""
        self._unsent, self._dropped = 0, 0
        self._listening = threading.Event()
        """Set once the broker has answered our first subscription, or there is none to wait for."""
        self._subscription: int | None = None
        """Number of the SUBSCRIBE packet of this connection."""
        self._answer: ReasonCode | None = None
        """The broker's CONNACK on this connection."""
        self._short_lived = 0
        """Connections in a row that were lost within seconds."""
        if config.enabled:
            runtime.events.subscribe(self)  # reports may come before there is a broker

    # -- for other threads; returns at once

    def on_report(self, report: Report) -> None:
        self._tell(f"{self._base}/events", report, None)

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        if self._client.is_connected():
            self._watch(topic)
            self._retain(topic, json.dumps(value, ensure_ascii=False))

    def reply(self, address: ReplyTo) -> Reply:
        """A reply that publishes to an address; `no_reply` for a topic that is not allowed, as one in the journal may
        be by now."""
        if not self._answers(address.topic):
            return no_reply
        properties = _properties(PacketTypes.PUBLISH)
        if address.correlation is not None:
            properties.CorrelationData = address.correlation
        return lambda report: self._tell(address.topic, report, properties)

    def wait_listening(self, timeout_s: float) -> bool:
        """Block until the broker keeps what is published to us, or cannot be reached; False after `timeout_s`."""
        return self._listening.wait(timeout_s)

    def is_connected(self) -> bool:
        return self._client.is_connected()

    def has_room(self) -> bool:
        """Whether reports leave as fast as messages are handled; the next ones are to wait until then."""
        return self._waiting() < MAX_UNSENT // 2

    def is_idle(self) -> bool:
        """Whether the broker has acknowledged everything that was published."""
        return self._waiting() == 0

    def retain(self, topic: str, payload: str) -> None:
        """Publish a retained message outside the device's base topic, now and at every connect."""
        self._others[topic] = payload
        if self._client.is_connected():
            self._send(topic, payload, retain=True)

    def publish(self, topic: str, payload: str) -> None:
        """Publish a message outside the device's base topic, in the order of the reports."""
        self._publish(topic, payload, None, room=MAX_UNSENT)

    def listen(self, topic: str, listener: Callable[[Message], None]) -> None:
        """Subscribe to a topic outside the device's base topic; call it before the start. `listener` gets each message,
        whose command is the topic, in the thread, and must never raise."""
        self._listeners[topic] = listener

    # -- the thread

    def work(self) -> None:
        self._guard.begin()
        self.ready()
        while not self.stopping.is_set():
            if self._connect():
                began = self.runtime.clock()
                self._run_loop()
                self._explain_loss(self.runtime.clock() - began)
                if self.runtime.clock() - began > self._config.reconnect_max_s:
                    self._delay_s = self._config.reconnect_min_s  # only a connection that lasts resets the back-off
            self._listening.set()  # READY does not wait for a broker that is away
            if not self.stopping.wait(self._next_delay_s()):
                log.info("connecting to %s:%s again", self._config.host, self._config.port)

    def wake(self) -> None:
        """Send the last reports and the status, then disconnect."""
        if self._client.is_connected():
            farewell = self._retain(STATUS, "offline")
            try:
                farewell.wait_for_publish(GOODBYE_S)
            except (RuntimeError, ValueError):
                log.warning("the broker left before the last reports were sent")
        self._leaving.set()
        self._client.disconnect()

    def _explain_loss(self, lasted_s: float) -> None:
        """Guesses why the connection is gone, for whom the broker tells nothing."""
        if self.stopping.is_set():
            return
        if self._answer is None:
            other = "does it speak MQTT over TLS?" if self._config.tls else "is this a TLS port (mqtt.tls: true)?"
            log.warning("it was closed before the broker had answered: %s", other)
        elif not self._answer.is_failure:
            self._short_lived += lasted_s < SHORT_S
            if lasted_s > 2 * self._config.reconnect_max_s + SHORT_S:  # the other one's back-off has grown, too
                self._short_lived = 0
            self._clash(self._short_lived >= CLASH)
            if self._short_lived == CLASH:
                log.error(
                    "another client seems to use the name %s: of two with one name the broker throws the older out; "
                    "give each its own mqtt.client_id",
                    self._client_id,
                )

    def _connect(self) -> bool:
        self._answer = None
        with self._lock:
            self._held = self._held or deque()
        self._untaken.clear()  # the broker resends what was not acknowledged
        try:
            self._client.connect(
                self._config.host,
                self._config.port,
                keepalive=self._config.keepalive_s,
                clean_start=False if self._v5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
                properties=self._connect_properties(),
            )
        except OSError as refused:
            plain = isinstance(refused, ConnectionResetError) or "WRONG_VERSION_NUMBER" in str(refused)
            hint = "; is this a port without TLS (mqtt.tls: false)?" if self._config.tls and plain else ""
            log.warning("no broker at %s:%s: %s%s", self._config.host, self._config.port, refused, hint)
            return False
        if self._leaving.is_set():  # `wake` came before there was a socket to close
            self._client.disconnect()
        return True

    def _run_loop(self) -> None:
        """Serve the connection until it breaks or is closed."""
        try:
            while self._client.loop(timeout=1.0) == MQTTErrorCode.MQTT_ERR_SUCCESS:
                if self._held is not None and self._client.is_connected():
                    self._release()
                self._take()
                self._guard.poll()
        except MQTTException as garbage:
            log.warning("what the broker sent is not MQTT %s: %s", self._config.protocol, garbage)

    def _tell(self, topic: str, report: Report, properties: Properties | None) -> None:
        """Publish reports in their order: paho would send one that comes between the socket and CONNACK before those
        that wait, or even before its own CONNECT."""
        payload = json.dumps(report.as_published(), ensure_ascii=False)
        room = MAX_UNSENT if report.stage in CLOSING else 3 * MAX_UNSENT // 4
        self._publish(topic, payload, properties, room=room)

    def _publish(self, topic: str, payload: str, properties: Properties | None, *, room: int) -> None:
        with self._lock:
            if self._waiting() >= room:
                self._drop()
            elif self._held is None:
                self._send(topic, payload, properties=properties)
            else:
                self._held.append((topic, payload, properties))

    def _release(self) -> None:
        """Publish the held reports, behind what paho has just resent."""
        with self._lock:
            held, self._held = self._held or (), None
            for topic, payload, properties in held:
                self._send(topic, payload, properties=properties)

    def _next_delay_s(self) -> float:
        """Doubles up to the maximum; drawn from the upper half so that many devices do not reconnect at once."""
        delay = self._delay_s
        self._delay_s = min(2 * delay, self._config.reconnect_max_s)
        return delay * (0.5 + 0.5 * self._jitter())

    # -- paho's callbacks, on the thread

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        self._answer = reason
        if reason.is_failure:
            log.error("the broker at %s:%s refuses us: %s", self._config.host, self._config.port, reason)
            return
        log.info("connected to %s:%s (MQTT %s)", self._config.host, self._config.port, self._config.protocol)
        commands = (*self._dispatcher.commands, SAY_AS)
        topics = [*(f"{self._base}/{command}" for command in commands), *self._listeners]
        _, self._subscription = client.subscribe([(topic, self._quality()) for topic in topics])
        self._watched.clear()
        retained = self.runtime.events.retained()
        self._watch(STATUS, *retained)
        for topic, value in retained.items():
            self._retain(topic, json.dumps(value, ensure_ascii=False))
        for topic, payload in list(self._others.items()):
            self._send(topic, payload, retain=True)
        self._retain(STATUS, "online")

    def _on_subscribe(self, client: paho.Client, data: Any, number: int, answers: list[ReasonCode], *_: Any) -> None:
        refused = [answer for answer in answers if answer.is_failure]
        if refused:
            log.error(
                "the broker refuses %d of %d topics to us (%s): see its ACL", len(refused), len(answers), refused[0]
            )
        if number == self._subscription:
            self._listening.set()

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if not self.stopping.is_set():
            log.warning("the connection to %s:%s is gone: %s", self._config.host, self._config.port, reason)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if self.stopping.is_set():
            return  # unacknowledged: the broker keeps it for the next start
        if not message.topic.startswith(f"{self._base}/") and self._listener(message.topic) is None:
            self._client.unsubscribe(message.topic)  # of an older configuration: the session still holds it
            self._client.ack(message.mid, message.qos)
            return
        topic = message.topic.removeprefix(f"{self._base}/")
        if topic in self._watched:
            self._correct(topic, message)
            return
        if message.qos == 0 and len(self._untaken) >= IN_FLIGHT:
            self._drop()  # QoS 0 has no flow control and no promise of delivery
            return
        self._untaken.append(message)
        self._take()

    def _on_publish(self, client: paho.Client, data: Any, number: int, reason: ReasonCode, properties: Any) -> None:
        with self._count:
            self._unsent -= 1

    # -- in and out

    def _take(self) -> None:
        """Handle messages while there is room for their reports. The rest stays unacknowledged, so the broker holds
        back the next."""
        if self._dropped and self.has_room():
            log.warning("%d messages were dropped in all", self._dropped)
            with self._count:
                self._dropped = 0
        while self._untaken and self.has_room() and not self.stopping.is_set():
            message = self._untaken.popleft()
            handle = self._listener(message.topic) or self._dispatcher.handle
            handle(self.read(message))
            self._client.ack(message.mid, message.qos)

    def _listener(self, topic: str) -> Callable[[Message], None] | None:
        return next((handle for own, handle in self._listeners.items() if paho.topic_matches_sub(own, topic)), None)

    def read(self, message: paho.MQTTMessage, *, called: str = "") -> Message:
        """What has come, here or on another connection. `called`: pattern of topics whose last level is the caller."""
        address = self._reply_to(message)
        command = message.topic.removeprefix(f"{self._base}/")
        return Message(
            command="say" if paho.topic_matches_sub(SAY_AS, command) else command,
            payload=bytes(message.payload),
            retained=message.retain,
            redelivered=message.dup,
            number=message.mid,
            expires_in_s=_expiry(message),
            reply=no_reply if address is None else self.reply(address),
            reply_to=address,
            caller=Caller("mqtt", self._caller_name(message, called)),
        )

    def _caller_name(self, message: paho.MQTTMessage, called: str) -> str:
        """By the topic, else by a user property; empty where neither tells."""
        patterns = (called, f"{self._base}/{SAY_AS}", *(own for own in self._listeners if own.endswith(SAY_AS)))
        if any(paho.topic_matches_sub(pattern, message.topic) for pattern in patterns):
            return caller_name(message.topic.rpartition("/")[2])
        told = getattr(message.properties, "UserProperty", ())
        return caller_name(next((value for key, value in told if key in ("client", "caller")), ""))

    def _waiting(self) -> int:
        """Messages of ours that have not reached the broker."""
        return self._unsent + len(self._held or ())

    def _send(
        self, topic: str, payload: str, *, retain: bool = False, properties: Properties | None = None
    ) -> paho.MQTTMessageInfo:
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            self._drop()
        else:
            with self._count:
                self._unsent += 1
        return info

    def _drop(self) -> None:
        with self._count:
            self._dropped += 1
            first = self._dropped == 1
        if first:
            log.warning("%d messages wait for the broker: the next are dropped until it has them", self._waiting())

    def _reply_to(self, message: paho.MQTTMessage) -> ReplyTo | None:
        """None without a response topic that is allowed."""
        topic = getattr(message.properties, "ResponseTopic", "")
        if not topic or not self._answers(topic):
            return None
        return ReplyTo(topic, getattr(message.properties, "CorrelationData", None))

    def _answers(self, topic: str) -> bool:
        """Whether a response topic is allowed: it must not get us disconnected, nor be one of our commands."""
        if len(topic.encode()) > REPLY_BYTES or topic.count("/") >= REPLY_LEVELS:
            why = "it is too long or too deep"
        elif not topic.isprintable() or "#" in topic or "+" in topic:
            why = "nobody can publish there"
        elif topic.startswith("$"):
            why = "it is the broker's own"
        elif f"{topic}/".startswith(f"{self._base}/") or topic in self._others:
            why = "it is the device's own"
        else:
            return True
        log.warning("nothing is sent to the response topic %.200r: %s", topic, why)
        return False

    # -- construction

    def _make_client(self) -> paho.Client:
        client = make_client(self._config, self._client_id, persistent=True)
        client.max_queued_messages_set(2 * MAX_UNSENT)  # leaves room for retained topics
        client.will_set(f"{self._base}/status", "offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        # Without this, paho writes to the socket in the publishing thread instead of waking our loop.
        client.on_socket_register_write = lambda *_: None
        return client

    def _connect_properties(self) -> Properties | None:
        if not self._v5:
            return None
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._config.session_expiry_s
        properties.ReceiveMaximum = IN_FLIGHT
        return properties

    def _watch(self, *topics: str) -> None:
        """Subscribe to retained topics of ours. QoS 0: what comes while we are away is overwritten when we connect."""
        new = [topic for topic in topics if topic not in self._watched]
        if new:
            self._watched.update(new)
            options: Any = SubscribeOptions(qos=0, noLocal=True, retainHandling=2) if self._v5 else 0
            self._client.subscribe([(f"{self._base}/{topic}", options) for topic in new])

    def _correct(self, topic: str, message: paho.MQTTMessage) -> None:
        correction = None if message.retain else self._guard.correction(topic, bytes(message.payload))
        if correction is not None:
            self._retain(topic, correction)
        self._client.ack(message.mid, message.qos)

    def _quality(self) -> Any:
        """QoS 1. MQTT 5: with the retain flag as published, else only a copy from the broker's store shows it."""
        return SubscribeOptions(qos=1, retainAsPublished=True) if self._v5 else 1

    def _retain(self, topic: str, payload: str) -> paho.MQTTMessageInfo:
        self._guard.sent(topic, payload)
        return self._send(f"{self._base}/{topic}", payload, retain=True)


def _properties(kind: int) -> Properties:
    return Properties(kind)  # type: ignore[no-untyped-call]  # paho leaves this constructor untyped


def _expiry(message: paho.MQTTMessage) -> float | None:
    seconds = getattr(message.properties, "MessageExpiryInterval", None)
    return None if seconds is None else float(seconds)
