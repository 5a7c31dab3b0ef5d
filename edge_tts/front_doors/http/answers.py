"""Answers that are no sound, and which status an error has."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from edge_tts.errors import EdgeTTSError, PayloadError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
"""ASGI's."""

STATUS_OF = {
    "PayloadError": 422,
    "TextError": 422,
    "UnknownVoiceError": 404,
    "UnknownRequestError": 404,
    "QueueFullError": 429,
    "QuietHoursError": 403,
    "AccessError": 403,
    "QuotaError": 429,
    "ContentError": 403,
    "AudioError": 503,
    "interrupted": 503,
    "expired": 503,
}
"""Name of an error, or the stage that ended a request, -> status; 500 for any other."""
_RETRY_S = 1.0
"""When there may be room in a full queue."""


class HttpRefusedError(PayloadError):
    """A request that is refused for its own status, before anybody looks at what it wants."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """An ASGI application with one answer."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields = {"content-type": self.kind, "content-length": str(len(self.body)), **self.headers}
        await send(start(self.status, fields))
        await send({"type": "http.response.body", "body": self.body})


def start(status: int, fields: Mapping[str, str]) -> MutableMapping[str, Any]:
    """ASGI's event before a body."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    return {"type": "http.response.start", "status": status, "headers": headers}


def json_answer(value: Any, *, status: int = 200) -> Answer:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Answer(status, body, headers={"cache-control": "no-store"})


def error_body(status: int, code: str, message: str) -> dict[str, Any]:
    """In the form of OpenAI's."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_answer(code: str, message: str, *, status: int | None = None, retry_after_s: float | None = None) -> Answer:
    """`code`: the name of an error, which has a status of its own."""
    status = STATUS_OF.get(code, 500) if status is None else status
    body = json.dumps(error_body(status, code, message), ensure_ascii=False).encode("utf-8", "backslashreplace")
    extra = {401: {"www-authenticate": "Bearer"}, 413: {"connection": "close"}}.get(status, {})
    if retry_after_s is not None or code == "QueueFullError":
        extra = {"retry-after": str(math.ceil(retry_after_s or _RETRY_S))}
    return Answer(status, body, headers={"cache-control": "no-store", **extra})


def sse_event(value: dict[str, Any]) -> bytes:
    """One of the server-sent ones."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n\n"


def refusal(error: EdgeTTSError) -> Answer:
    if not isinstance(error, HttpRefusedError):
        return failed_answer({"error": type(error).__name__, "message": str(error), **error.details})
    code = "PayloadError" if error.status in (400, 413, 415) else phrase(error.status)
    return error_answer(code, str(error), status=error.status)


def failed_answer(details: Mapping[str, Any]) -> Answer:
    """Of a report `failed`."""
    return error_answer(details["error"], details["message"], retry_after_s=details.get("retry_after_s"))


def phrase(status: int) -> str:
    """404 -> not_found."""
    return HTTPStatus(status).phrase.lower().replace(" ", "_")
