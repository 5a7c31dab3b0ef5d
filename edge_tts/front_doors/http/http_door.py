"""What is at which path. Starlette's one home, which a machine may lack."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edge_tts.audio.sound_stream import KINDS
from edge_tts.errors import ConfigError, EdgeTTSError, PayloadError, install_hint, named
from edge_tts.front_doors.http import openapi
from edge_tts.front_doors.http.answers import (
    Answer,
    HttpRefusedError,
    error_answer,
    failed_answer,
    json_answer,
    phrase,
    refusal,
)
from edge_tts.front_doors.http.page import page
from edge_tts.front_doors.http.speech_payloads import (
    GptSovitsTts,
    OpenAiSpeech,
    check_format,
    message_of,
    parse_body,
    parse_query,
)
from edge_tts.front_doors.http.speech_response import FIRST_SOUND_S, Delivery, SpeechResponse
from edge_tts.front_doors.http.tokens import Tokens
from edge_tts.front_doors.message import Message, plain_address
from edge_tts.front_doors.past_requests import COMMAND
from edge_tts.front_doors.session_context import SessionContext
from edge_tts.request import SpeakMessage
from edge_tts.speaking.job import no_reply
from edge_tts.speaking.results import PATH as RESULTS
from edge_tts.values import Caller, Report

if TYPE_CHECKING:
    from starlette.requests import Request

log = logging.getLogger(__name__)

BODY_S = 30.0
"""How long a caller may take to send its request."""

_SHOWN = ("state", "voices", "lexicon", "models", "enrolment")
"""Retained topics that the page shows."""

Handler = Callable[["Request"], Awaitable[Any]]
"""Its answer is an ASGI application."""


def check_library() -> None:
    """Raises ConfigError where it is not installed."""
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"http.port: {' and '.join(missing)} not installed; {install_hint('http')}")


class HttpDoor:
    """Answers each path."""

    def __init__(self, context: SessionContext, tokens: Tokens, *, device: str, metrics_only: bool = False) -> None:
        self._context, self._tokens, self._device, self._metrics_only = context, tokens, device, metrics_only
        self._page = page()

    def application(self) -> Any:
        """An ASGI application."""
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.routing import Route

        routes = [
            Route("/v1/audio/speech", self._guarded(self._speech), methods=["POST"]),
            Route("/tts", self._guarded(self._tts), methods=["GET", "POST"]),
            Route("/v1/voices", self._guarded(self._voices), methods=["GET"]),
            Route("/v1/requests/{id:path}", self._guarded(self._request), methods=["GET"]),
            Route(f"{RESULTS}{{name}}", self._answered(self._result), methods=["GET"]),
            Route("/v1/state", self._guarded(self._state), methods=["GET"]),
            Route("/v1/commands/{command:path}", self._guarded(self._command), methods=["POST"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
            Route("/", self._whole_page, methods=["GET"]),
        ]
        watched = [
            Route("/metrics", self._guarded(self._metrics), methods=["GET"]),
            Route("/healthz", self._health, methods=["GET"]),
        ]
        handlers: Any = {HTTPException: _no_such_path}
        return Starlette(routes=watched if self._metrics_only else [*routes, *watched], exception_handlers=handlers)

    def _guarded(self, handler: Handler) -> Handler:
        """Only for those who may ask."""

        async def guarded(request: Request) -> Any:
            address = "" if request.client is None else plain_address(request.client.host)
            caller = request.state.caller = self._tokens.caller(request.headers, address)
            self._context.dispatcher.access.enter(caller)
            return await handler(request)

        return self._answered(guarded)

    def _answered(self, handler: Handler) -> Handler:
        """What it raises is answered."""

        async def answered(request: Request) -> Any:
            try:
                return await handler(request)
            except EdgeTTSError as error:
                return refusal(error)
            except Exception as error:  # noqa: BLE001 - one request must not end the others
                return refusal(named(error, "over HTTP"))

        return answered

    async def _speech(self, request: Request) -> Answer | SpeechResponse:
        payload = await self._payload(request, partial(parse_body, OpenAiSpeech, what="/v1/audio/speech"))
        if payload.play or payload.deliver:
            return await self._play(request, payload)
        sse = payload.stream_format == "sse"
        return self._speak(request, payload, payload.response_format, sse=sse)

    async def _tts(self, request: Request) -> Answer | SpeechResponse:
        if request.method == "POST":
            payload = await self._payload(request, partial(parse_body, GptSovitsTts, what="/tts"))
        else:
            payload = self._reported(request, lambda: parse_query(request.query_params))
        if payload.deliver:
            return await self._play(request, payload)
        return self._speak(request, payload, payload.media_type, whole=not payload.streaming_mode)

    def _speak(self, request: Request, payload: SpeakMessage, name: str | None, **how: bool) -> SpeechResponse:
        request_id = payload.id or self._context.runtime.new_id()
        name = self._reported(request, lambda: check_format(name))
        delivery = Delivery(name=name, within_s=payload.ttl_s or FIRST_SOUND_S, **how)
        caller: Caller = request.state.caller
        return SpeechResponse(self._context, caller, request_id, lambda: message_of(payload, request_id), delivery)

    async def _play(self, request: Request, payload: SpeakMessage) -> Answer:
        """At this device, or kept for its caller, like a message over MQTT: it outlasts a power cut, and an id is
        spoken once."""
        request_id = payload.id or self._context.runtime.new_id()
        message = self._reported(request, lambda: message_of(payload, request_id))
        reports = await self._dispatch(request, "say", message.model_dump_json(exclude_unset=True).encode())
        if isinstance(reports, Answer):
            return reports
        return json_answer({"id": request_id, "duplicate": not reports}, status=202)

    async def _command(self, request: Request) -> Answer:
        """Any command of MQTT, with its payload."""
        command = request.path_params["command"]
        if command not in self._context.dispatcher.commands:
            known = ", ".join(self._context.dispatcher.commands)
            raise HttpRefusedError(404, f"there is no command '{command}'; there are {known}")
        reports = await self._dispatch(request, command, await _body(request, self._context.limits.payload_bytes))
        if isinstance(reports, Answer):
            return reports
        return json_answer({"reports": [report.as_published() for report in reports]}, status=202)

    async def _dispatch(self, request: Request, command: str, payload: bytes) -> Answer | list[Report]:
        """The reports so far; an answer where it is refused."""
        reports: list[Report] = []
        message = Message(command, payload, reply=reports.append, caller=request.state.caller)
        await asyncio.to_thread(self._context.dispatcher.handle, message)
        for report in reports:
            if report.stage == "failed":
                return failed_answer(report.details)
        return reports

    async def _request(self, request: Request) -> Answer:
        """What became of it, to whoever may ask."""
        asked, caller = request.path_params["id"], request.state.caller
        self._context.dispatcher.access.enter(caller, COMMAND)
        tell = partial(self._context.past.tell, asked, caller, address=f"http://{request.url.netloc}")
        return json_answer(await asyncio.to_thread(tell))

    async def _result(self, request: Request) -> Any:
        """By a link, which is the right to have it; needs no token."""
        from starlette.responses import FileResponse

        query, name = request.query_params, request.path_params["name"]
        try:
            result = self._context.past.results.linked(
                name, expires=query.get("expires", ""), signature=query.get("signature", "")
            )
        except PayloadError as forged:
            raise HttpRefusedError(403, str(forged)) from forged
        if result is None:
            raise HttpRefusedError(410, "this result has expired; it was kept for results.keep_s")
        headers = {"cache-control": "private, no-store", "content-disposition": f'inline; filename="{result.name}"'}
        return FileResponse(result.path, media_type=KINDS[result.form], headers=headers)

    async def _state(self, request: Request) -> Answer:
        """It tells of others' requests: a caller with `commands` of its own needs `state` among them."""
        access, caller = self._context.dispatcher.access, request.state.caller
        access.enter(caller, "state")
        retained = self._context.runtime.events.retained()
        if "voices" in retained:
            seen = partial(access.may_use, caller)
            retained["voices"] = {name: _seen(value, seen) for name, value in retained["voices"].items()}
        told = {
            "device": self._device,
            "languages": list(self._context.model.languages),
            "topics": {name: retained[name] for name in _SHOWN if name in retained},
            "requests": [asdict(record) for record in self._context.past.records.latest()],
            "microphone": None if (level := self._context.microphone()) is None else asdict(level),
        }
        return json_answer(told)

    async def _whole_page(self, request: Request) -> Answer:
        return self._page

    async def _voices(self, request: Request) -> Answer:
        default = self._context.runtime.events.state.voice
        voices = [
            {"id": voice.id, "name": voice.name, "language": voice.language, "builtin": voice.builtin}
            for voice in self._context.voices_for(request.state.caller)
        ]
        return json_answer({"voices": voices, "default": default})

    async def _health(self, request: Request) -> Answer:
        """Open to all: a probe has no token, and hears no reasons."""
        runtime = self._context.runtime
        parts = {name: part.status for name, part in runtime.events.state.health.items()}
        parts |= dict.fromkeys(runtime.health.stuck(), "stuck")
        well = all(status == "ok" for status in parts.values())
        return json_answer({"status": "ok" if well else "failing", "parts": parts}, status=200 if well else 503)

    async def _metrics(self, request: Request) -> Answer:
        if self._context.metrics is None:
            raise HttpRefusedError(404, "there are no metrics in this process")
        accept = ", ".join(request.headers.getlist("accept"))
        body, kind = await asyncio.to_thread(self._context.metrics.exposition, accept)
        return Answer(200, body, kind, headers={"cache-control": "no-store"})

    async def _openapi(self, request: Request) -> Answer:
        return json_answer(openapi.document(self._context.version, token=self._tokens.are_needed))

    async def _payload(self, request: Request, parse: Callable[[bytes], Any]) -> Any:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
        if kind != "application/json":
            raise HttpRefusedError(415, "send JSON, with the header `Content-Type: application/json`")
        body = await _body(request, self._context.limits.payload_bytes)
        return self._reported(request, lambda: parse(body))

    def _reported(self, request: Request, parse: Callable[[], Any]) -> Any:
        """A request that is refused is reported, as over MQTT."""
        try:
            return parse()
        except PayloadError as wrong:
            self._context.dispatcher.refuse(wrong, self._context.runtime.new_id(), no_reply, request.state.caller)
            raise


def _seen(value: Any, may_see: Callable[[str], bool]) -> Any:
    """A list of voices with those that a caller sees; anything else as it is."""
    return [one for one in value if may_see(one["id"])] if isinstance(value, list) else value


async def _body(request: Request, most: int) -> bytes:
    """Raises HttpRefusedError."""
    from starlette.requests import ClientDisconnect

    async def read() -> bytes:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise HttpRefusedError(413, f"the request has more than {most} bytes (limits.payload_bytes)")
        return bytes(body)

    try:
        return await asyncio.wait_for(read(), BODY_S)
    except ClientDisconnect:
        raise HttpRefusedError(400, "the caller was gone before its request was here") from None
    except asyncio.TimeoutError:
        raise HttpRefusedError(408, f"the request did not come within {BODY_S:g} s") from None


async def _no_such_path(request: Request, error: Any) -> Answer:
    known = "see /openapi.json for what there is"
    answer = error_answer(
        phrase(error.status_code), f"{request.method} {request.url.path}: {known}", status=error.status_code
    )
    return Answer(answer.status, answer.body, headers={**answer.headers, **(error.headers or {})})
