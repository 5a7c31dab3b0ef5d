"""The owner's command that judges texts: a process for each request, without a shell and within limits."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from edge_tts.config import ContentConfig
from edge_tts.errors import ContentError
from edge_tts.request import SpeakRequest
from edge_tts.schema import Field, Record, check_json

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 20
"""Of an answer."""
_TICK_S = 0.05
_RULE = "content.command"


class _NoAnswer(Exception):
    """Why there is none; its words are ours."""


class _Verdict(Record):
    """What a command prints."""

    allow: bool = True
    reason: str = Field(default="", max_length=300)
    text: str | None = Field(default=None, min_length=1)
    """To be said instead."""


class ContentCommand:
    """Its own fault costs the request that it is asked about."""

    def __init__(self, config: ContentConfig, *, text_chars: int) -> None:
        self._config, self._text_chars = config, text_chars

    def judge(self, request: SpeakRequest, should_stop: Callable[[], bool], *, caller: str = "") -> SpeakRequest:
        """The request as it may be spoken; itself without a command, or when stopped. `should_stop` is called several
        times a second. Raises ContentError."""
        if self._config.command is None:
            return request
        try:
            verdict = self._ask(_question(request, caller), should_stop)
        except _NoAnswer as why:
            if self._config.command_failure == "refuse":
                raise ContentError(f"{_RULE} {why}, so the text is refused", rule=_RULE) from None
            log.warning("%s: %s %s, so the text is spoken", request.id, _RULE, why, extra={"request": request.id})
            return request
        if verdict is None or (verdict.allow and verdict.text is None):
            return request
        if not verdict.allow:
            raise ContentError(f"{_RULE} refuses the text: {verdict.reason or 'no reason given'}", rule=_RULE)
        return request.model_copy(update={"text": verdict.text, "rules": (*request.rules, _RULE)})

    def _ask(self, question: bytes, should_stop: Callable[[], bool]) -> _Verdict | None:
        """None when stopped. Raises _NoAnswer."""
        answer = self._run(question, should_stop)
        if answer is None:
            return None
        try:
            verdict = check_json(_Verdict, answer, error=ContentError, what=_RULE)
        except ContentError:
            raise _NoAnswer("gave an answer that is not understood") from None
        if verdict.text is not None and len(verdict.text) > self._text_chars:
            raise _NoAnswer(f"gave a text of more than {self._text_chars} characters (limits.text_chars)")
        return verdict

    def _run(self, question: bytes, should_stop: Callable[[], bool]) -> bytes | None:
        with open(os.memfd_create("question"), "w+b") as stdin:  # not a pipe: a command need not read it
            stdin.write(question)
            stdin.seek(0)
            try:
                process = subprocess.Popen(
                    list(self._config.command or ()),
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # it may quote the text
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise _NoAnswer(f"cannot be run ({getattr(error, 'strerror', None) or type(error).__name__})") from None
        try:
            return self._answer(process, should_stop)
        finally:
            with suppress(OSError):  # it has ended, with all that it started
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _answer(self, process: subprocess.Popen[bytes], should_stop: Callable[[], bool]) -> bytes | None:
        assert process.stdout is not None
        answer, ends, output = bytearray(), time.monotonic() + self._config.command_timeout_s, process.stdout.fileno()
        while True:
            if should_stop():
                return None
            left_s = ends - time.monotonic()
            if left_s <= 0:
                raise _NoAnswer(f"gave no answer within {self._config.command_timeout_s:g} s")
            if not select.select([output], [], [], min(left_s, _TICK_S))[0]:
                continue
            part = os.read(output, 1 << 16)
            answer += part
            if len(answer) > _MOST_BYTES:
                raise _NoAnswer(f"gave an answer of more than {_MOST_BYTES} bytes")
            if not part:
                break
        return self._ended(process, bytes(answer), max(0.0, ends - time.monotonic()))

    def _ended(self, process: subprocess.Popen[bytes], answer: bytes, left_s: float) -> bytes:
        try:
            status = process.wait(left_s)
        except subprocess.TimeoutExpired:
            raise _NoAnswer("closed its output and did not end") from None
        if status != 0:
            raise _NoAnswer(f"ended with status {status}")
        return answer


def _question(request: SpeakRequest, caller: str) -> bytes:
    keys = {"id", "text", "ssml", "language", "voice", "priority"}
    question: dict[str, Any] = {**request.model_dump(mode="json", include=keys), "caller": caller}
    return json.dumps(question).encode()
