"""The dispatcher: checks each message and calls its handler, or refuses it with one report."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from edge_tts.config import AccessConfig, ContentConfig, ResultsConfig
from edge_tts.errors import PayloadError, named
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.audit_trail import AuditTrail
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import id_in, parse_say, parse_switch, parse_which
from edge_tts.front_doors.quiet_hours import QuietHours
from edge_tts.front_doors.recent_requests import RecentRequests
from edge_tts.request import SpeakMessage, SpeakRequest
from edge_tts.runtime.runtime import Runtime
from edge_tts.schema import nearest
from edge_tts.speaking.finished_ids import REMEMBERED, Key
from edge_tts.speaking.job import Job, Reply, failure, no_reply
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Envelope, Journal, Page, ReplyTo
from edge_tts.speaking.player import Player
from edge_tts.speaking.results import Results
from edge_tts.values import Caller, Report

log = logging.getLogger(__name__)


MOST_AHEAD_S = 30.0
"""How far ahead `start_at` may lie: what waits for it holds up the others."""


@dataclass(frozen=True, slots=True)
class RequestRules:
    resolve_voice: Callable[[str], str]
    """Name or id of a voice -> its id. Raises UnknownVoiceError."""
    content: ContentRules
    payload_bytes: int
    dedupe_s: float = 0.0
    """Seconds within which the same request is dropped, where it does not say itself."""
    wall: Callable[[], float] = time.time
    """Unix time."""
    quiet: QuietHours = field(default_factory=lambda: QuietHours(ContentConfig()))
    """For what is spoken at this device."""
    access: Access = field(default_factory=lambda: Access(AccessConfig()))
    results: Results = field(default_factory=lambda: Results(ResultsConfig(max_mb=0)))
    """Where sound goes that is to be delivered."""
    owned: Callable[[str, str], None] = lambda request_id, owner: None
    """Called with the id of each accepted request and whose it is."""
    audit: AuditTrail = field(default_factory=AuditTrail)


class Dispatcher:
    """Serves its own commands and `more`, one message at a time. Thread-safe."""

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
        self._recent = RecentRequests()
        self._lock = threading.Lock()
        self._commands: Mapping[str, Callable[[Message], None]] = {
            "say": self._say,
            "stop": self._stop,
            "skip": lambda message: self._jobs.skip(),
            "pause": lambda message: self._pause(True),
            "resume": lambda message: self._pause(False),
            "paused/set": lambda message: self._pause(parse_switch(message.payload, what="paused/set")),
            **more,
        }

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(self._commands)

    def handle(self, message: Message) -> None:
        """Carry out a message, or report `failed` with the reason. Never raises."""
        try:
            self._check(message)
            with self._lock:
                self._commands[message.command](message)
                self._rules.audit.command(message)
        except Exception as error:  # noqa: BLE001 - no message may end the process
            request_id = id_in(message.payload[: self._rules.payload_bytes]) or self._runtime.new_id()
            self.refuse(error, request_id, message.reply, message.caller)

    @property
    def access(self) -> Access:
        return self._rules.access

    def accept(self, say: SpeakMessage, caller: Caller) -> SpeakRequest:
        """Check a message and find its voice, whichever way it came in. Raises RequestError."""
        self.access.enter(caller, "say")
        request_id = say.id or self._runtime.new_id()
        rules = self._rules.content.check(say, request_id)
        voice = self._rules.resolve_voice(say.voice or self._runtime.events.state.voice)
        request = SpeakRequest.accept(say, id=request_id, voice=voice, rules=rules)
        self.access.check(caller, request)
        return request

    def submit(self, job: Job, request: SpeakRequest, caller: Caller) -> None:
        """Queue an accepted request, at its caller's cost. Raises QuotaError, QueueFullError."""
        characters = self._rules.content.characters(request)
        job.meter, give_back = self.access.admit(caller, characters, request.priority)
        try:
            self._jobs.submit(job)
        except Exception:
            give_back()
            raise
        self._rules.audit.said(caller, request, characters)

    def refuse(self, error: Exception, request_id: str, reply: Reply, caller: Caller) -> None:
        """Report `failed` with the reason."""
        outcome = failure(named(error, request_id))
        report = Report(request_id, outcome.stage, 0.0, outcome.details, str(caller))
        self._runtime.events.report(report)
        reply(report)

    def resume(self, journal: Journal, *, oldest_s: float, reply: Callable[[ReplyTo], Reply]) -> None:
        """Queue what an earlier run accepted up to `oldest_s` ago, and send its closing reports again that may not have
        left. Call it before the first message, which may be a duplicate."""
        closed, pages = journal.read_closed(), journal.read()
        for key in (*journal.finished(), *(page.key for page in pages)):
            self._remember(key)

        def reply_to(address: ReplyTo | None) -> Reply:
            return no_reply if address is None else reply(address)

        def job_of(page: Page) -> Job:
            caller = page.envelope.caller or Caller("mqtt")
            self._rules.owned(page.request.id, self.access.owner(caller))
            job = self._job(page.request, reply_to(page.envelope.reply_to), page.envelope, caller)
            job.meter = self.access.meter(caller, page.request.priority)
            return job

        for page in closed:
            report = replace(page.report, details={**page.report.details, "resent": True})
            self._runtime.events.report(report)
            reply_to(page.reply_to)(report)
        self._jobs.resume(pages, oldest_s=oldest_s, job_of=job_of)

    def _check(self, message: Message) -> None:
        command, size, limit = message.command, len(message.payload), self._rules.payload_bytes
        if command not in self._commands:  # subscribed by another version in this MQTT session
            raise PayloadError(f"there is no command '{command}'{nearest(command, list(self._commands))}")
        if message.retained:
            raise PayloadError(f"{command}: a retained command is ignored; publish it without retain")
        if size > limit:
            raise PayloadError(f"{command}: the payload has {size} bytes; limits.payload_bytes is {limit}")
        self.access.enter(message.caller, command)

    def _say(self, message: Message) -> None:
        arrived = self._runtime.clock()
        say = parse_say(message.payload)
        if message.renders:
            say = say.for_others()
        key: Key = say.id or (message.number, hashlib.sha256(message.payload).hexdigest())
        if self._is_duplicate(key, known_by_id=say.id is not None, redelivered=message.redelivered):
            level = logging.INFO if message.redelivered else logging.WARNING  # a sender may reuse an id
            log.log(level, "dropped a second delivery of %s: an id is spoken once", say.id or "a message without id")
            if message.renders and say.id is not None:
                self._answer_again(say.id, message)
            return
        request = self.accept(say, message.caller)
        self._rules.owned(request.id, self.access.owner(message.caller))
        twin = self._recent.twin(say, now=arrived, dedupe_s=self._dedupe_s(say))
        if twin is not None:
            self._remember(key)
            self._drop_twin(request, twin, message.reply)
            return
        starts_at = self._starts_at(say, message, arrived)
        self._check_delivery(say, message)
        if say.is_played:
            self._rules.quiet.check(say.priority, in_s=starts_at - arrived)
        lifetimes = [s for s in (say.ttl_s, message.expires_in_s) if s is not None]
        expires_at = arrived + min(lifetimes) if lifetimes else None
        envelope = Envelope(expires_at, message.reply_to, key if isinstance(key, tuple) else None, message.caller)
        job = self._job(request, message.reply, envelope, message.caller)
        job.starts_at = starts_at
        self.submit(job, request, message.caller)
        self._remember(key)
        self._recent.add(say, request.id, now=arrived)

    def _job(self, request: SpeakRequest, reply: Reply, envelope: Envelope, caller: Caller) -> Job:
        """One that is journalled; its sound goes to the loudspeaker, or where it was asked for."""
        results, owner = self._rules.results, self.access.owner(caller)
        sink = results.sink(request, owner, self._player, self._runtime)
        if request.deliver is not None:
            reply = results.reply(reply, owner)
        return Job(request, sink=sink, reply=reply, envelope=envelope, caller=str(caller))

    def _check_delivery(self, say: SpeakMessage, message: Message) -> None:
        """Raises RequestError."""
        if say.deliver is not None and message.reply is no_reply:
            raise PayloadError(
                "say: key 'deliver': nobody would be told where the sound is; send it with a response topic (MQTT 5), "
                "or over HTTP"
            )
        self._rules.results.check(say)

    def _answer_again(self, request_id: str, message: Message) -> None:
        """Tell of a sound that is kept: whoever asks again has not heard of it."""
        results, owner = self._rules.results, self.access.owner(message.caller)
        if results.find(request_id, owner) is not None:
            results.reply(message.reply, owner)(Report(request_id, "done", 0.0, {"resent": True}))

    def _dedupe_s(self, say: SpeakMessage) -> float:
        return self._rules.dedupe_s if say.dedupe_s is None else say.dedupe_s

    def _drop_twin(self, request: SpeakRequest, twin: str, reply: Reply) -> None:
        """Close a request that was asked for twice; its twin is spoken."""
        log.info("dropped %s: it asks for the same as %s, within dedupe_s", request.id, twin)
        report = Report(request.id, "interrupted", 0.0, {"reason": "duplicate", "of": twin})
        self._runtime.events.report(report)
        reply(report)

    def _starts_at(self, say: SpeakMessage, message: Message, arrived: float) -> float:
        """When it is to be heard, by the runtime's clock; a time that is past is now. Raises PayloadError."""
        if say.start_at is None:
            return arrived + message.starts_in_s
        ahead_s = say.start_at - self._rules.wall()
        if ahead_s > MOST_AHEAD_S:
            raise PayloadError(
                f"say: start_at lies {ahead_s:.0f} s ahead; at most {MOST_AHEAD_S:g} s are waited for. Is it in "
                "seconds since 1970, and do the clocks agree (`timedatectl`)?"
            )
        return arrived + max(0.0, ahead_s)

    def _stop(self, message: Message) -> None:
        self._jobs.stop(parse_which(message.payload))

    def _pause(self, paused: bool) -> None:
        self._player.pause(paused)
        self._runtime.events.update(paused=paused)

    def _is_duplicate(self, key: Key, *, known_by_id: bool, redelivered: bool) -> bool:
        """An id is never reused; without one only the broker's DUP flag marks a duplicate."""
        return key in self._seen and (known_by_id or redelivered)

    def _remember(self, key: Key) -> None:
        self._seen[key] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
