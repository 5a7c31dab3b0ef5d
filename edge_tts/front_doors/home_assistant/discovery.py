"""Keeps the discovery message at the broker true."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from edge_tts.config import HomeAssistantConfig
from edge_tts.front_doors.home_assistant.payload import Device, Facts, discovery, read_facts
from edge_tts.front_doors.message import Message
from edge_tts.runtime.runtime import Runtime
from edge_tts.values import Report

BIRTH_S = 10.0
"""Devices answer a birth message spread over so many seconds: Home Assistant asks the whole house at once."""
SETTLE_S = 2.0
"""Until Home Assistant has made entities of a message."""


class Link(Protocol):
    """What is used of `MqttLink`."""

    def retain(self, topic: str, payload: str) -> None: ...

    def listen(self, topic: str, listener: Callable[[Message], None]) -> None: ...


class HomeAssistant:
    """Announces the device, or takes it back when it is switched off. An event listener."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        link: Link,
        config: HomeAssistantConfig,
        device: Device,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Make it before `link` is started. `jitter` draws from 0 to 1."""
        self._runtime, self._link, self._device, self._jitter = runtime, link, device, jitter
        self._enabled = config.enabled
        self._topic = f"{config.prefix}/device/{device.key}/config"
        self._facts: Facts | None = None
        self._announce_at: float | None = None
        self._state_at: float | None = None
        if self._enabled:
            link.listen(f"{config.prefix}/status", self._on_status)
        else:
            link.retain(self._topic, "")

    def start(self) -> None:
        """Announce the device. Call it when all parts are in the state, or their entities would come and go."""
        if self._enabled:
            self._runtime.events.subscribe(self)

    def poll(self) -> None:
        """What is due by now; call it every few seconds."""
        now = self._runtime.clock()
        if self._announce_at is not None and now >= self._announce_at:
            self._announce_at = None
            self._announce()
        if self._state_at is not None and now >= self._state_at:
            self._state_at = None
            self._runtime.events.republish("state")

    def on_report(self, report: Report) -> None:
        """No entity depends on it."""

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        facts = read_facts(self._runtime.events.retained())
        if facts != self._facts:
            self._facts = facts
            self._announce()
            # A new voice that speaks at once is unknown there when the state comes, and so ignored.
            self._state_at = self._runtime.clock() + SETTLE_S

    def _on_status(self, message: Message) -> None:
        if message.payload == b"online":  # the birth message
            self._announce_at = self._runtime.clock() + BIRTH_S * self._jitter()

    def _announce(self) -> None:
        if self._facts is not None:
            self._link.retain(self._topic, json.dumps(discovery(self._device, self._facts), ensure_ascii=False))
