"""The sound of one request on its way to its caller, as it is made."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from edge_tts.audio.metadata import info_chunk
from edge_tts.audio.provenance import label
from edge_tts.audio.sound_stream import KINDS, SoundStream
from edge_tts.audio.wave import wav_header
from edge_tts.front_doors.connection_sink import ConnectionSink
from edge_tts.front_doors.http.answers import (
    STATUS_OF,
    Answer,
    Receive,
    Scope,
    Send,
    error_answer,
    error_body,
    sse_event,
    start,
)
from edge_tts.front_doors.session_context import SessionContext
from edge_tts.request import SpeakMessage
from edge_tts.values import Caller

log = logging.getLogger(__name__)

FIRST_SOUND_S = 120.0
"""How long a request may wait in the queue."""
STALL_S = 30.0
"""How long a caller may take for one piece."""
MOST_WHOLE = 16 << 20
"""Bytes up to which a WAV that is not streamed is held back, so that its header has its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a caller gets its sound."""

    name: str
    """Of a format."""
    sse: bool = False
    """As OpenAI's server-sent events."""
    whole: bool = False
    """After the last word, where it is a WAV."""
    within_s: float = FIRST_SOUND_S
    """How soon it has to begin."""


class SpeechResponse:
    """An ASGI application that speaks one request."""

    def __init__(
        self,
        context: SessionContext,
        caller: Caller,
        request_id: str,
        message: Callable[[], SpeakMessage],
        delivery: Delivery,
    ) -> None:
        """What `message` raises is answered."""
        self._context, self._id, self._message, self._delivery = context, request_id, message, delivery
        self._sink = ConnectionSink(runtime=context.runtime, loop=asyncio.get_running_loop(), caller=caller)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._context.speak_into(self._sink, self._message, self._id)
        serving = asyncio.create_task(self._serve(scope, receive, send))
        tasks = (serving, asyncio.create_task(_gone(receive)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._sink.closing is None:
                self._context.jobs.stop(self._id, reason="the client is gone")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        error = None if serving.cancelled() else serving.exception()
        if isinstance(error, OSError):
            log.info("http: %s: %s", self._id, error)
        elif error is not None:
            what = "http: %s met a defect of this program; please report it"
            log.error(what, self._id, exc_info=error, extra={"quotes": True})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = await self._first()
        if first is None and self._stage != "done":
            await self._error()(scope, receive, send)
        elif self._delivery.whole and self._delivery.name == "wav":
            await self._hold_back(first or b"", scope, receive, send)
        else:
            await self._pass_on(self._stream.push(first or b""), send)

    async def _first(self) -> bytes | None:
        """The first sound, or None of a request that has ended."""
        limit = min(self._delivery.within_s, FIRST_SOUND_S)
        try:
            return await asyncio.wait_for(self._sink.piece(), limit)
        except asyncio.TimeoutError:
            self._context.jobs.stop(self._id, reason=f"no sound within {limit:g} s")
            return await self._sink.piece()

    async def _hold_back(self, first: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """A long one is streamed after all: nothing is held without a limit."""
        sound = bytearray(first)
        while len(sound) < MOST_WHOLE and (piece := await self._sink.piece()) is not None:
            sound += piece
        if len(sound) >= MOST_WHOLE:
            await self._pass_on(self._stream.push(bytes(sound)), send)
        elif self._stage != "done":
            await self._error()(scope, receive, send)
        else:
            body = wav_header(self._context.model.sample_rate, len(sound), info_chunk(self._label)) + sound
            await Answer(200, body, KINDS["wav"], self._headers())(scope, receive, send)

    async def _pass_on(self, first: bytes, send: Send) -> None:
        kind = "text/event-stream" if self._delivery.sse else KINDS[self._delivery.name]
        await send(start(200, {"content-type": kind, **self._headers()}))
        await self._put(first, send)
        while (piece := await self._sink.piece()) is not None:
            await self._put(self._stream.push(piece), send)
        rest = self._stream.close()  # in any case: it holds a file open
        if self._stage == "done":
            await self._put(rest, send)
            await self._end(sse_event({"type": "speech.audio.done", "usage": _NO_TOKENS, **self._guard()}), send)
        elif self._delivery.sse:
            code, message = self._reason()
            await self._end(sse_event({"type": "error", **error_body(STATUS_OF.get(code, 500), code, message)}), send)
        # Else the body stays without its end: the caller must not take a part for the whole.

    async def _put(self, data: bytes, send: Send) -> None:
        """Raises ConnectionAbortedError for a caller that takes nothing."""
        if self._delivery.sse:
            text = base64.b64encode(data).decode()
            data = sse_event({"type": "speech.audio.delta", "audio": text}) if data else b""
        if not data:
            return
        try:
            await asyncio.wait_for(send({"type": "http.response.body", "body": data, "more_body": True}), STALL_S)
        except asyncio.TimeoutError:
            raise ConnectionAbortedError("the caller takes no sound") from None

    async def _end(self, event: bytes, send: Send) -> None:
        await send({"type": "http.response.body", "body": event if self._delivery.sse else b""})

    def _headers(self) -> dict[str, str]:
        return {"x-request-id": quote(self._id, safe=""), "cache-control": "no-store"}

    @cached_property
    def _stream(self) -> SoundStream:
        """From the first sound on: then it is known what it is."""
        return SoundStream(self._delivery.name, sample_rate=self._context.model.sample_rate, label=self._label)

    @property
    def _label(self) -> dict[str, str]:
        return label([] if self._sink.content is None else [self._sink.content])

    @property
    def _stage(self) -> str:
        return "" if self._sink.closing is None else self._sink.closing.stage

    def _guard(self) -> dict[str, Any]:
        """What became of the words, where there is something to tell."""
        details = {} if self._sink.closing is None else self._sink.closing.details
        return {name: details[name] for name in ("retried", "guard", "warnings") if name in details}

    def _error(self) -> Answer:
        assert self._sink.closing is not None
        later = self._sink.closing.details.get("retry_after_s")
        code, message = self._reason()
        return error_answer(code, message, retry_after_s=later)

    def _reason(self) -> tuple[str, str]:
        """Why the request ended before its last word: a name and a sentence."""
        assert self._sink.closing is not None
        details = self._sink.closing.details
        if self._stage == "failed":
            return details["error"], details["message"]
        return self._stage, f"{self._stage}: {details.get('reason') or details.get('message')}"


_NO_TOKENS = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
"""Nothing is billed."""


async def _gone(receive: Receive) -> None:
    """When the caller is."""
    while (await receive())["type"] != "http.disconnect":
        pass
