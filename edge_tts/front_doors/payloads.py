"""Payloads: bytes -> checked records."""

from __future__ import annotations

from typing import Literal

from edge_tts.errors import PayloadError, RequestError, VoiceError
from edge_tts.request import SpeakMessage
from edge_tts.schema import ConfigDict, Field, Record, RequestId, check_json, field_validator
from edge_tts.voices.format import check_display_name


class WhichPayload(Record):
    """`stop` of one request."""

    id: RequestId


class EnrolPayload(Record):
    """`enroll`; absent keys are as configured."""

    name: str | None = Field(default=None, min_length=1, max_length=80)
    language: Literal["zh", "en"] | None = None
    id: RequestId | None = None

    @field_validator("name")
    @classmethod
    def _can_be_stored(cls, name: str | None) -> str | None:
        try:
            return None if name is None else check_display_name(name)
        except VoiceError as wrong:
            raise ValueError(str(wrong)) from wrong


class VoicePayload(Record):
    """`name` is the voice's new name."""

    voice: str = Field(min_length=1, max_length=128)
    name: str | None = Field(default=None, min_length=1, max_length=80)
    id: RequestId | None = None


class ModelPayload(Record):
    model: str = Field(min_length=1, max_length=128)
    id: RequestId | None = None


class RollbackPayload(Record):
    id: RequestId | None = None


class _Id(Record):
    model_config = ConfigDict(extra="ignore")
    id: RequestId


class _Volume(Record):
    volume: float = Field(ge=0, le=100)


def parse_say(payload: bytes) -> SpeakMessage:
    """Bare UTF-8 text, or a JSON object. Raises PayloadError."""
    if payload.lstrip()[:1] == b"{":
        return check_json(SpeakMessage, payload, error=PayloadError, what="say")
    return SpeakMessage(text=_text(payload, what="say"))


def parse_which(payload: bytes) -> str | None:
    """The id; None for an empty payload, which means all. Raises PayloadError."""
    if not payload.strip():
        return None
    return check_json(WhichPayload, payload, error=PayloadError, what="stop").id


def parse_enroll(payload: bytes) -> EnrolPayload:
    """Raises PayloadError."""
    return check_json(EnrolPayload, payload.strip() or b"{}", error=PayloadError, what="enroll")


def parse_one_voice(payload: bytes, *, what: str) -> VoicePayload:
    """Raises PayloadError."""
    return check_json(VoicePayload, payload, error=PayloadError, what=what)


def parse_model(payload: bytes) -> ModelPayload:
    """A JSON object, or the bare name of a model set. Raises PayloadError."""
    if payload.lstrip()[:1] == b"{":
        return check_json(ModelPayload, payload, error=PayloadError, what="models/activate")
    name = _text(payload, what="models/activate").strip()
    if not name:
        raise PayloadError("models/activate: the payload is empty; the name of a model set is expected")
    return ModelPayload(model=name[:128])


def parse_rollback(payload: bytes) -> RollbackPayload:
    """Raises PayloadError."""
    return check_json(RollbackPayload, payload.strip() or b"{}", error=PayloadError, what="models/rollback")


def parse_volume(payload: bytes) -> float:
    """0 to 100. Raises PayloadError."""
    number = _text(payload, what="volume/set").strip()
    return check_json(_Volume, b'{"volume": %s}' % number.encode(), error=PayloadError, what="volume/set").volume


def parse_voice(payload: bytes) -> str:
    """A voice's name or id. Raises PayloadError."""
    voice = _text(payload, what="voice/set").strip()
    if not voice:
        raise PayloadError("voice/set: the payload is empty; a voice id is expected")
    return voice


def id_in(payload: bytes) -> str | None:
    """The id in a payload that may be invalid otherwise, else None."""
    try:
        return check_json(_Id, payload, error=PayloadError, what="id").id
    except RequestError:
        return None


def _text(payload: bytes, *, what: str) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise PayloadError(f"{what}: the payload is not UTF-8 (byte {broken.start})") from broken
