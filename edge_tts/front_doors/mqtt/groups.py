"""Groups: `say` and `stop` for several devices at once, which begin to speak together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from edge_tts.config import MqttConfig
from edge_tts.front_doors.message import Message

_TOPICS = {"say": "say", "say/+": "say", "stop": "stop"}
"""To their commands."""


Listen = Callable[[str, Callable[[Message], None]], None]
"""`MqttLink.listen`."""


def listen_to_groups(listen: Listen, config: MqttConfig, carry_out: Callable[[Message], None]) -> None:
    """Call it before the link is started. A broker hands a message to all devices within milliseconds, so they begin
    `group_delay_s` after it has come, whatever their clocks say."""

    def handle(command: str, message: Message) -> None:
        carry_out(replace(message, command=command, starts_in_s=config.group_delay_s))

    for group in config.groups:
        for topic, command in _TOPICS.items():
            listen(f"{config.base_topic}/{group}/{topic}", partial(handle, command))
