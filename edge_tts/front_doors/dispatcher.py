"""The dispatcher: checks each message and calls its handler, or refuses it with one report."""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from edge_tts.errors import PayloadError, TextError, named
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import id_in, parse_say, parse_voice, parse_volume, parse_which
from edge_tts.request import SpeakMessage, SpeakRequest
from edge_tts.runtime.runtime import Runtime
from edge_tts.schema import nearest
from edge_tts.speaking.finished_ids import REMEMBERED, Key
from edge_tts.speaking.job import Job, Reply, failure, no_reply
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Envelope, Page, ReplyTo
from edge_tts.speaking.player import Player
from edge_tts.text.language_runs import check_option
from edge_tts.values import Report

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestRules:
    resolve_voice: Callable[[str], str]
    """Name or id of a voice -> its id. Raises UnknownVoiceError."""
    text_chars: int
    payload_bytes: int


class Dispatcher:
    """Serves its own commands and `more`."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        rules: RequestRules,
        jobs: JobQueue,
        player: Player,
        more: Mapping[str, Callable[[Message], None]] = MappingProxyType({}),
    ) -> None:
        self._runtime, self._rules, self._jobs, self._player = runtime, rules, jobs, player
        self._seen: OrderedDict[Key, None] = OrderedDict()
        self._commands: Mapping[str, Callable[[Message], None]] = {
            "say": self._say,
            "stop": self._stop,
            "skip": lambda message: self._jobs.skip(),
            "pause": lambda message: self._pause(True),
            "resume": lambda message: self._pause(False),
            "volume/set": self._set_volume,
            "voice/set": self._set_voice,
            **more,
        }

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(self._commands)

    def handle(self, message: Message) -> None:
        """Carry out a message, or report `failed` with the reason. Never raises."""
        try:
            self._check(message)
            self._commands[message.command](message)
        except Exception as error:  # noqa: BLE001 - no message may end the process
            request_id = id_in(message.payload[: self._rules.payload_bytes]) or self._runtime.new_id()
            refused = named(error, request_id)
            log.warning("refused %s: %s", request_id, refused)
            outcome = failure(refused)
            report = Report(request_id, outcome.stage, 0.0, outcome.details)
            self._runtime.events.report(report)
            message.reply(report)

    def resume(
        self, pages: Sequence[Page], *, oldest_s: float, reply: Callable[[ReplyTo], Reply], finished: Iterable[Key] = ()
    ) -> None:
        """Queue what an earlier run accepted up to `oldest_s` ago, and remember what it finished. Call it before the
        first message, which may be a duplicate."""
        for key in (*finished, *(page.key for page in pages)):
            self._remember(key)

        def job_of(page: Page) -> Job:
            address = page.envelope.reply_to
            answer = no_reply if address is None else reply(address)
            return Job(page.request, sink=self._player, reply=answer, envelope=page.envelope)

        self._jobs.resume(pages, oldest_s=oldest_s, job_of=job_of)

    def _check(self, message: Message) -> None:
        command, size, limit = message.command, len(message.payload), self._rules.payload_bytes
        if command not in self._commands:  # subscribed by another version in this MQTT session
            raise PayloadError(f"there is no command '{command}'{nearest(command, list(self._commands))}")
        if message.retained:
            raise PayloadError(f"{command}: a retained command is ignored; publish it without retain")
        if size > limit:
            raise PayloadError(f"{command}: the payload has {size} bytes; limits.payload_bytes is {limit}")

    def _say(self, message: Message) -> None:
        arrived = self._runtime.clock()
        say = parse_say(message.payload)
        key: Key = say.id or (message.number, hashlib.sha256(message.payload).hexdigest())
        if self._is_duplicate(key, known_by_id=say.id is not None, redelivered=message.redelivered):
            level = logging.INFO if message.redelivered else logging.WARNING  # a sender may reuse an id
            log.log(level, "dropped a second delivery of %s: an id is spoken once", say.id or "a message without id")
            return
        self._check_text(say)
        voice = self._rules.resolve_voice(say.voice or self._runtime.events.state.voice)
        request = SpeakRequest.accept(say, id=say.id or self._runtime.new_id(), voice=voice)
        lifetimes = [s for s in (say.ttl_s, message.expires_in_s) if s is not None]
        expires_at = arrived + min(lifetimes) if lifetimes else None
        envelope = Envelope(expires_at, message.reply_to, key if isinstance(key, tuple) else None)
        self._jobs.submit(Job(request, sink=self._player, reply=message.reply, envelope=envelope))
        self._remember(key)

    def _stop(self, message: Message) -> None:
        self._jobs.stop(parse_which(message.payload))

    def _pause(self, paused: bool) -> None:
        self._player.pause(paused)
        self._runtime.events.update(paused=paused)

    def _set_volume(self, message: Message) -> None:
        volume = parse_volume(message.payload)
        self._player.set_volume(volume / 100)
        self._runtime.events.update(volume=volume)

    def _set_voice(self, message: Message) -> None:
        self._runtime.events.update(voice=self._rules.resolve_voice(parse_voice(message.payload)))

    def _check_text(self, say: SpeakMessage) -> None:
        """Raises TextError."""
        if not say.text.strip():
            raise TextError("the text is empty")
        if len(say.text) > self._rules.text_chars:
            raise TextError(f"the text has {len(say.text)} characters; limits.text_chars is {self._rules.text_chars}")
        check_option(say.language)

    def _is_duplicate(self, key: Key, *, known_by_id: bool, redelivered: bool) -> bool:
        """An id is never reused; without one only the broker's DUP flag marks a duplicate."""
        return key in self._seen and (known_by_id or redelivered)

    def _remember(self, key: Key) -> None:
        self._seen[key] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
