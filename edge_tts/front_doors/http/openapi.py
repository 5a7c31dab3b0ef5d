"""`/openapi.json`: made from the records that requests are checked by."""

from __future__ import annotations

from typing import Any

from edge_tts.audio.sound_stream import KINDS
from edge_tts.front_doors.http.speech_payloads import GptSovitsTts, OpenAiSpeech

_REFUSALS = {
    "400": "no JSON, or no HTTP",
    "401": "the token is missing or wrong",
    "403": "asked by a web page of another site, or against a rule for this caller or text",
    "404": "no such path, or no voice of that name",
    "408": "the request came too slowly",
    "413": "beyond limits.payload_bytes",
    "415": "no JSON by its Content-Type",
    "422": "a key or the text cannot be used",
    "429": "the queue is full, or the caller has had its share; try again",
    "500": "a defect of the program, or a damaged file",
    "503": "stopped, interrupted by an alert, or not begun in time",
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": "null"},
                "code": {"type": "string", "description": "name of the error"},
            },
        }
    },
}
_ERROR_REF = {"$ref": "#/components/schemas/Error"}
_VOICES = {
    "type": "object",
    "required": ["voices", "default"],
    "properties": {
        "voices": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "name", "language", "builtin"],
                "properties": {
                    "id": {"type": "string"},
                    "name": {"type": "string"},
                    "language": {"type": "string"},
                    "builtin": {"type": "boolean"},
                },
            },
        },
        "default": {"type": "string"},
    },
}
_ACCEPTED = {
    "type": "object",
    "required": ["id", "duplicate"],
    "properties": {"id": {"type": "string"}, "duplicate": {"type": "boolean"}},
}
_HEALTH = {
    "type": "object",
    "required": ["status", "parts"],
    "properties": {
        "status": {"enum": ["ok", "failing"]},
        "parts": {"type": "object", "additionalProperties": {"enum": ["ok", "failing", "stuck"]}},
    },
}
_REQUEST = {
    "type": "object",
    "required": ["id", "at", "stage", "stages", "details"],
    "properties": {
        "id": {"type": "string"},
        "at": {"type": "string", "description": "when it came, UTC, ISO 8601"},
        "stage": {"type": "string", "description": "the latest"},
        "stages": {"type": "object", "additionalProperties": {"type": "number"}, "description": "ms since accepted"},
        "details": {"type": "object"},
        "result": {
            "type": "object",
            "required": ["format", "bytes", "expires_at"],
            "properties": {
                "format": {"type": "string"},
                "bytes": {"type": "integer"},
                "expires_at": {"type": "integer", "description": "seconds since 1970"},
                "link": {"type": "string"},
                "why": {"type": "string", "description": "why it has no link, or not that of the bucket"},
                "audio": {"type": "string", "description": "base64"},
            },
        },
    },
}
_OBJECT = {"type": "object"}
_METRICS = ("text/plain", "application/openmetrics-text")
_QUERY_LEAVES_OUT = ("aux_ref_audio_paths",)


def document(version: str, *, token: bool) -> dict[str, Any]:
    """OpenAPI 3.1. `token`: whether callers need one."""
    speech, tts = (kind.model_json_schema() for kind in (OpenAiSpeech, GptSovitsTts))
    sound = {"200": _content("sound, as it is made", *KINDS.values())}
    said = sound | {"200": _content("sound, as it is made", *KINDS.values(), "text/event-stream")}
    accepted = {"202": _json("with `play` or `deliver`: accepted", _ACCEPTED)}
    paths = {
        "/v1/audio/speech": {"post": _operation("Speech as OpenAI's clients ask for it", said | accepted, body=speech)},
        "/tts": {
            "post": _operation("Speech as GPT-SoVITS' clients ask for it", sound | accepted, body=tts),
            "get": _operation("The same", sound | accepted, query=tts),
        },
        "/v1/requests/{id}": {"get": _past_request()},
        "/v1/results/{name}": {"get": _linked_result()},
        "/v1/voices": {"get": _operation("The voices that can speak", {"200": _json("voices", _VOICES)})},
        "/v1/state": {
            "get": _operation("Retained topics, languages and latest requests", {"200": _json("state", _OBJECT)})
        },
        "/v1/commands/{command}": {"post": _command()},
        "/healthz": {"get": _open_operation("Whether all parts do well", _health())},
        "/metrics": {"get": _operation("Prometheus' metrics", {"200": _content("metrics", *_METRICS)})},
        "/openapi.json": {"get": _open_operation("This document", {"200": _json("OpenAPI", _OBJECT)})},
    }
    components: dict[str, Any] = {"schemas": {"Error": _ERROR}}
    value: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "edge-tts", "version": version}, "paths": paths}
    if token:
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        value["security"] = [{"token": []}]
    return {**value, "components": components}


def _operation(
    summary: str, answers: dict[str, Any], *, body: Any = None, query: dict[str, Any] | None = None
) -> dict[str, Any]:
    refused = {status: _json(why, _ERROR_REF) for status, why in _REFUSALS.items()}
    operation: dict[str, Any] = {"summary": summary, "responses": {**refused, **answers}}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if query is not None:
        required = query.get("required", ())
        operation["parameters"] = [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in query["properties"].items()
            if name not in _QUERY_LEAVES_OUT
        ]
    return operation


def _command() -> dict[str, Any]:
    operation = _operation("A command as over MQTT", {"202": _json("carried out, or begun", _OBJECT)})
    operation["parameters"] = [{"name": "command", "in": "path", "required": True, "schema": {"type": "string"}}]
    operation["requestBody"] = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    return operation


def _past_request() -> dict[str, Any]:
    operation = _operation("What became of a request of the last day", {"200": _json("its stages", _REQUEST)})
    operation["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return operation


def _linked_result() -> dict[str, Any]:
    refused = {"403": _json("not a link of ours", _ERROR_REF), "410": _json("it has expired", _ERROR_REF)}
    answers = {
        "200": _content("the sound", *KINDS.values()),
        "206": _content("a part of it", *KINDS.values()),
        **refused,
    }
    operation = _open_operation("The sound behind a link", answers)
    operation["parameters"] = [
        {"name": name, "in": place, "required": True, "schema": {"type": "string"}}
        for name, place in (("name", "path"), ("expires", "query"), ("signature", "query"))
    ]
    return operation


def _open_operation(summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": answers, "security": []}


def _health() -> dict[str, Any]:
    return {"200": _json("all do", _HEALTH), "503": _json("some part does not", _HEALTH)}


def _json(why: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": why, "content": {"application/json": {"schema": schema}}}


def _content(why: str, *kinds: str) -> dict[str, Any]:
    return {"description": why, "content": {kind: {} for kind in dict.fromkeys(kinds)}}
