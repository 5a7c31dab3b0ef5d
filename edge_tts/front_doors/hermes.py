"""Hermes, the protocol of Rhasspy and Snips: `hermes/tts/say` is spoken here and answered."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from edge_tts.config import HermesConfig
from edge_tts.errors import PayloadError
from edge_tts.front_doors.dispatcher import Dispatcher
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_record, read_text
from edge_tts.runtime.runtime import Runtime
from edge_tts.schema import ConfigDict, Field, Record
from edge_tts.speaking.job import Reply, no_reply
from edge_tts.speaking.journal import ReplyTo
from edge_tts.values import CLOSING, Report

log = logging.getLogger(__name__)

SAY, FINISHED, FAILED = "hermes/tts/say", "hermes/tts/sayFinished", "hermes/error/tts"
_MOST = 1000


class _Say(Record):
    """hermes/tts/say"""

    model_config = ConfigDict(extra="ignore")
    text: str
    lang: str | None = Field(default=None, max_length=32)
    id: str | None = Field(default=None, max_length=_MOST)
    site_id: str = Field(default="default", alias="siteId", max_length=_MOST)
    session_id: str | None = Field(default=None, alias="sessionId", max_length=_MOST)
    volume: float | None = Field(default=None, ge=0, le=1)

    def answer(self) -> dict[str, Any]:
        """What names it in the answers."""
        return {"id": self.id, "siteId": self.site_id, "sessionId": self.session_id}

    def payload(self) -> bytes:
        """As `say` of our own."""
        language = "auto" if self.lang is None else self.lang.replace("_", "-").partition("-")[0]
        return json.dumps({"text": self.text, "language": language, "volume_level": self.volume}).encode()


class AnsweringLink(Protocol):
    """What is used of `MqttLink`."""

    def listen(self, topic: str, listener: Callable[[Message], None]) -> None: ...

    def publish(self, topic: str, payload: str) -> None: ...


class Hermes:
    """Speaks for the sites in the configuration; other sites' messages are left to others."""

    def __init__(self, *, runtime: Runtime, link: AnsweringLink, config: HermesConfig, dispatcher: Dispatcher) -> None:
        """Make it before `link` is started."""
        self._runtime, self._link, self._dispatcher = runtime, link, dispatcher
        self._site_ids = config.site_ids
        if self._site_ids:
            link.listen(SAY, self._on_say)

    def reply(self, address: ReplyTo) -> Reply | None:
        """The reply to a request in the journal; None for one that came another way."""
        if address.topic != SAY or address.correlation is None or not self._site_ids:
            return None
        try:
            return self._reply(json.loads(address.correlation))
        except ValueError:
            return no_reply

    def _on_say(self, message: Message) -> None:
        caller = replace(message.caller, door="hermes")
        try:
            say = parse_record(_Say, read_text(message.payload, what=SAY), what=SAY)
        except PayloadError as wrong:
            self._dispatcher.refuse(wrong, self._runtime.new_id(), no_reply, caller)
            return
        if say.site_id not in self._site_ids:
            return
        answer = say.answer()
        self._dispatcher.handle(
            replace(
                message,
                command="say",
                caller=caller,
                payload=say.payload(),
                reply=self._reply(answer),
                reply_to=ReplyTo(SAY, json.dumps(answer).encode()),
            )
        )

    def _reply(self, answer: Mapping[str, Any]) -> Reply:
        """`sayFinished` at the end, however it came, since a dialogue waits for it; before it what has failed."""

        def on_report(report: Report) -> None:
            if report.stage in ("failed", "expired"):
                error = {"error": report.details.get("message", report.stage), "context": answer.get("id")}
                self._link.publish(FAILED, json.dumps({**answer, **error}, ensure_ascii=False))
            if report.stage in CLOSING:
                self._link.publish(FINISHED, json.dumps(answer, ensure_ascii=False))

        return on_report
