"""Requests on their way to a replica: one that dies before it has answered is replaced, once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any

from edge_tts.errors import EdgeTTSError, TransportError
from edge_tts.front_doors.http.answers import Answer, Receive, Scope, Send, error_answer, error_body, sse_event

log = logging.getLogger(__name__)

PATHS = ("/v1/audio/speech", "/tts", "/v1/voices", "/healthz", "/openapi.json")
"""What a farm answers: a replica has no loudspeaker, and its state is nobody's."""
ATTEMPTS = 2
_MOST_VOICE = 128
"""Characters of a voice that tell it from others."""
_SCOPE = (
    "type",
    "asgi",
    "http_version",
    "method",
    "scheme",
    "path",
    "raw_path",
    "root_path",
    "query_string",
    "headers",
)

Call = Callable[[str, Scope, bytes], AsyncIterator[dict[str, Any]]]
"""Model set or SET/VOICE, request, body -> the answer's events. Raises QueueFullError when no replica has room,
TransportError when it died or cannot start."""


class Forwarder:
    """An ASGI application."""

    def __init__(
        self, call: Call, *, sets: Callable[[], list[str]], default: str, payload_bytes: int, by_voice: bool = False
    ) -> None:
        """`sets`: the names of the model sets; `default` speaks what names none of them. `by_voice`: a request goes
        where its voice has spoken, not only where its set is."""
        self._call, self._sets, self._default, self._most = call, sets, default, payload_bytes
        self._by_voice = by_voice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] not in PATHS:
            await error_answer("not_found", f"a farm answers {', '.join(PATHS)}", status=404)(scope, receive, send)
            return
        body = bytearray()
        while (event := await receive())["type"] == "http.request":
            body += event.get("body", b"")
            if len(body) > self._most:
                text = f"the request has more than {self._most} bytes (limits.payload_bytes)"
                await error_answer("PayloadError", text, status=413)(scope, receive, send)
                return
            if not event.get("more_body", False):
                await self._while_there(self._forward(scope, bytes(body), send), receive)
                return

    async def _while_there(self, forwarding: Any, receive: Receive) -> None:
        """Stop when the caller is gone. Raises what forwarding raises."""
        serving, gone = asyncio.ensure_future(forwarding), asyncio.ensure_future(receive())
        try:
            await asyncio.wait((serving, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (serving, gone):
                task.cancel()
            await asyncio.gather(serving, gone, return_exceptions=True)
        if not serving.cancelled():
            serving.result()

    async def _forward(self, scope: Scope, body: bytes, send: Send) -> None:
        """Raises TransportError for an answer that was begun and cannot be ended: its body stays without its end, which
        is an error in every client."""
        model, request = self._model_of(body), {key: scope[key] for key in _SCOPE if key in scope}
        answer = _Sending(send)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async for event in self._call(model, request, body):
                    await answer.send(event)
                return
            except TransportError as lost:
                if answer.begun:
                    await answer.cut(lost)
                    return
                if attempt < ATTEMPTS:
                    log.warning("asking another replica: %s", lost)
                    continue
                await answer.refuse(error_answer("TransportError", str(lost), status=503))
            except EdgeTTSError as error:
                await answer.refuse(error_answer(type(error).__name__, str(error)))
                return

    def _model_of(self, body: bytes) -> str:
        """What Ray chooses a replica by. OpenAI's key `model` counts where it names a set: others send `tts-1` and the
        like."""
        try:
            asked = json.loads(body)
            name, voice = asked.get("model"), asked.get("voice")
        except (ValueError, AttributeError, RecursionError):
            return self._default
        model_set = name if isinstance(name, str) and name in self._sets() else self._default
        is_told = self._by_voice and isinstance(voice, str) and voice.isprintable()
        return f"{model_set}/{voice.casefold()[:_MOST_VOICE]}" if is_told else model_set


class _Sending:
    """An answer on its way to a caller."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self._sse = False

    async def send(self, event: MutableMapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            self._sse = any(value.startswith(b"text/event-stream") for name, value in event["headers"])
        self.begun = True
        await self._send(event)

    async def refuse(self, answer: Answer) -> None:
        await answer({}, _nothing, self._send)

    async def cut(self, lost: TransportError) -> None:
        """Only server-sent events have a word for it. Raises `lost` without them."""
        if not self._sse:
            raise lost
        last = sse_event({"type": "error", **error_body(503, "TransportError", str(lost))})
        await self._send({"type": "http.response.body", "body": last})


async def _nothing() -> MutableMapping[str, Any]:
    return {"type": "http.disconnect"}
