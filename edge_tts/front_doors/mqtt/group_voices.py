"""Asks a group of appliances to speak for this one (MQTT 5); `render_group` has the other side."""

from __future__ import annotations

import base64
import json
import math
import queue
import threading
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import asdict
from http.client import HTTPException
from typing import Any
from uuid import uuid4

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_tts.config import MqttConfig
from edge_tts.errors import AudioError, TransportError
from edge_tts.front_doors.mqtt.client import make_client
from edge_tts.front_doors.mqtt.render_group import render_topic
from edge_tts.synthesis.remote import RETRY_S, STALL_S, RemoteLine, WavStream, guard_counts
from edge_tts.values import FloatArray, GuardCounts, ModelSet

_TICK_S = 0.05
_NOBODY = 0x10
"""PUBACK's reason code `no matching subscribers`; from here on a message has reached nobody."""
_RUBBISH = (OSError, HTTPException, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What an answer that is none can raise."""
_MOST_BYTES = 1 << 26


class GroupVoices:
    """A group that speaks for us, each sentence by one of its members, which sends it when it is whole. A context
    manager that owns a connection with a session of its own; `speak` is for one thread."""

    def __init__(
        self,
        config: MqttConfig,
        model: ModelSet,
        *,
        group: str,
        device: str,
        first_audio_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`config` with the `client_id` that is used. `first_audio_s` bounds the wait for a segment."""
        self._config, self._model, self._group = config, model, group
        self._first_audio_s, self._clock, self._not_before = first_audio_s, clock, float("-inf")
        self._topic = f"{render_topic(config, group)}/{device}"
        self._answers = f"{config.base_topic}/{device}/rendered"
        self._asked: dict[bytes, queue.SimpleQueue[bytes]] = {}
        """By correlation data."""
        self._lost: dict[int, str] = {}
        """Numbers of messages that reached nobody, and why."""
        self._client = client = make_client(config, f"{config.client_id}-asks")
        self._listening = threading.Event()
        client.reconnect_delay_set(1, 30)
        client.on_subscribe = lambda *_: self._listening.set()
        client.on_connect, client.on_message, client.on_publish = self._on_connect, self._on_message, self._on_publish

    def __enter__(self) -> GroupVoices:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 0
        config = self._config
        self._client.connect_async(config.host, config.port, config.keepalive_s, clean_start=True, properties=session)
        self._client.loop_start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def is_connected(self, timeout_s: float = 0.0) -> bool:
        """Whether an answer would reach us, by then."""
        return self._listening.wait(timeout_s) and self._client.is_connected()

    def is_due(self) -> bool:
        """Whether to ask; for `RETRY_S` after a failure it is not."""
        return self._clock() >= self._not_before

    def speak(self, line: RemoteLine, should_stop: Callable[[], bool]) -> Generator[FloatArray, None, GuardCounts]:
        """As `RemoteVoices.speak`, with the segment in one piece. Raises TransportError when it does not come."""
        name = uuid4().hex
        self._asked[name.encode()] = queue.SimpleQueue()
        try:
            done = self._done(name, self._publish(name, line), should_stop)
            if done is None:
                return GuardCounts()
            samples = self._samples(done["result"])
            if not len(samples):
                raise TransportError("the sound that it sends is empty")
            yield samples
            return guard_counts(done)
        except (TransportError, AudioError, *_RUBBISH) as error:
            self._not_before = self._clock() + RETRY_S
            raise TransportError(f"the group {self._group}: {error or type(error).__name__}") from error
        finally:
            del self._asked[name.encode()]

    def _publish(self, name: str, line: RemoteLine) -> int:
        """The number of the message. Raises TransportError."""
        if not self.is_connected():
            raise TransportError("there is no connection to the broker")
        sampling = {key: value for key, value in asdict(line.sampling).items() if value is not None}
        say = {
            "id": name,
            "text": line.text,
            "voice": line.voice,
            "language": line.language,
            "speed": line.speed,
            "split": "cut0",
            "fragment_interval": 0,
            **sampling,
        }
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic, properties.CorrelationData = self._answers, name.encode()
        properties.MessageExpiryInterval = math.ceil(self._first_audio_s)
        self._lost.clear()  # numbers come again, and an answer may have come after its request was given up
        return self._client.publish(self._topic, json.dumps(say), qos=1, properties=properties).mid

    def _done(self, name: str, number: int, should_stop: Callable[[], bool]) -> dict[str, Any] | None:
        """Details of the request's closing report; None when stopped. Raises TransportError, and whatever rubbish
        raises."""
        until = self._clock() + self._first_audio_s
        while not should_stop():
            if (why := self._lost.pop(number, None)) is not None:
                raise TransportError(f"nobody renders for it: {why}")
            if self._clock() >= until:
                raise TransportError(f"no sound within {self._first_audio_s:g} s")
            with suppress(queue.Empty):
                report = json.loads(self._asked[name.encode()].get(timeout=_TICK_S))
                if (details := self._progress(report)) is not None:
                    return details
        return None

    def _progress(self, report: dict[str, Any]) -> dict[str, Any] | None:
        """The details of `done`, else None. Raises TransportError for a request that ended otherwise."""
        details: dict[str, Any] = report["details"]
        own = f"{self._model.name} {self._model.version}"
        if details.get("set", own) != own:
            raise TransportError(f"it speaks with the set {details['set']}, this device with {own}")
        if report["stage"] in ("failed", "expired", "interrupted"):
            raise TransportError(f"{report['stage']}: {details.get('message') or details.get('reason')}")
        return details if report["stage"] == "done" else None

    def _samples(self, result: dict[str, Any]) -> FloatArray:
        """Raises TransportError, OSError, AudioError, ValueError."""
        if "audio" in result:
            return WavStream(self._model.sample_rate).push(base64.b64decode(result["audio"], validate=True))
        link = str(result.get("link", ""))
        if not link.startswith(("http://", "https://")):
            raise TransportError(f"it sends no sound: {result.get('why')}")
        with urllib.request.urlopen(link, timeout=STALL_S) as answer:
            return WavStream(self._model.sample_rate).push(answer.read(_MOST_BYTES))

    # -- paho's callbacks, on its thread; none may raise

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        self._listening.clear()
        if not reason.is_failure:
            client.subscribe(self._answers, qos=1)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        waiting = self._asked.get(getattr(message.properties, "CorrelationData", b""))
        if waiting is not None:  # else it comes too late
            waiting.put(bytes(message.payload))

    def _on_publish(self, client: paho.Client, data: Any, number: int, reason: ReasonCode, properties: Any) -> None:
        if reason.value >= _NOBODY:
            self._lost[number] = str(reason)
