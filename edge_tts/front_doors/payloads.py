"""Payloads: bytes -> checked records."""

from __future__ import annotations

import codecs
import json
import re
from typing import Annotated, Literal, TypeVar

from edge_tts.errors import PayloadError, RequestError, VoiceError
from edge_tts.front_doors.json_mistakes import explain_json, explain_keys, load_json
from edge_tts.request import SpeakMessage, folded
from edge_tts.schema import (
    BeforeValidator,
    ConfigDict,
    Field,
    Record,
    RequestId,
    check,
    check_json,
    field_validator,
    keys,
)
from edge_tts.text.pronunciation import MOST_VALUE, MOST_WORD
from edge_tts.voices.format import check_display_name

RecordT = TypeVar("RecordT", bound=Record)

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ARRAY = re.compile(r'\s*\[\s*["{\[]')
"""Begins like a JSON array; `[laughs] Hello` is text."""
_SWITCH = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")


LanguageName = Annotated[Literal["zh", "en"] | None, BeforeValidator(folded)]


class WhichPayload(Record):
    """One request."""

    id: RequestId


class EnrolPayload(Record):
    """`enroll`; absent keys are as configured."""

    name: str | None = Field(default=None, min_length=1, max_length=80)
    language: LanguageName = None
    id: RequestId | None = None
    short: bool = False
    """Whether less speech than the gate wants is kept."""

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


class DeletionPayload(Record):
    """`id` and `name` are the voice's own, in full."""

    id: RequestId
    name: str | None = Field(default=None, min_length=1, max_length=80)
    forget: bool = False
    """For good at once."""


class UndeletionPayload(Record):
    id: RequestId
    name: str | None = Field(default=None, min_length=1, max_length=80)


class ModelPayload(Record):
    model: str = Field(min_length=1, max_length=128)
    id: RequestId | None = None


class RollbackPayload(Record):
    id: RequestId | None = None


class LexiconRemovePayload(Record):
    """`language` None: by the word's script, or wherever it is."""

    word: str = Field(min_length=1, max_length=MOST_WORD)
    language: LanguageName = None
    id: RequestId | None = None


class LexiconSetPayload(LexiconRemovePayload):
    pronunciation: str = Field(min_length=1, max_length=MOST_VALUE)
    say: bool = True
    """Speak the word back."""


class _Id(Record):
    model_config = ConfigDict(extra="ignore")
    id: RequestId


class _Volume(Record):
    volume: float | None = Field(default=None, ge=0, le=100)
    volume_level: float | None = Field(default=None, ge=0, le=1)


def parse_say(payload: bytes) -> SpeakMessage:
    """Bare UTF-8 text, or a JSON object or string. Raises PayloadError."""
    text = read_text(payload, what="say")
    if text.lstrip()[:1] == "{":
        return parse_record(SpeakMessage, text, what="say")
    value = load_json(text) if text.lstrip()[:1] in ("[", '"') else None
    if isinstance(value, list) or _ARRAY.match(text):
        raise PayloadError("say: the payload is a JSON array; send one message for each text: bare, or a JSON object")
    if isinstance(value, str):
        return parse_record(SpeakMessage, json.dumps({"text": value}), what="say")
    return SpeakMessage(text=text)


def parse_which(payload: bytes) -> str | None:
    """The id; None for an empty payload, which means all. Raises PayloadError."""
    text = read_text(payload, what="stop")
    return parse_record(WhichPayload, text, what="stop").id if text.strip() else None


def parse_request_id(payload: bytes) -> str:
    """An id, bare or as {"id": ...}. Raises PayloadError."""
    text = read_text(payload, what="requests/get").strip()
    if text[:1] != "{":
        text = json.dumps({"id": text})
    return parse_record(WhichPayload, text, what="requests/get").id


def parse_enroll(payload: bytes) -> EnrolPayload:
    """Raises PayloadError."""
    text = read_text(payload, what="enroll")
    return parse_record(EnrolPayload, text if text.strip() else "{}", what="enroll")


def parse_one_voice(payload: bytes, *, what: str) -> VoicePayload:
    """Raises PayloadError."""
    return parse_record(VoicePayload, read_text(payload, what=what), what=what)


def parse_deletion(payload: bytes) -> DeletionPayload:
    """Raises PayloadError."""
    return parse_record(DeletionPayload, read_text(payload, what="voices/delete"), what="voices/delete")


def parse_undeletion(payload: bytes) -> UndeletionPayload:
    """Raises PayloadError."""
    return parse_record(UndeletionPayload, read_text(payload, what="voices/undelete"), what="voices/undelete")


def parse_lexicon_set(payload: bytes) -> LexiconSetPayload:
    """Raises PayloadError."""
    return parse_record(LexiconSetPayload, read_text(payload, what="lexicon/set"), what="lexicon/set")


def parse_lexicon_remove(payload: bytes) -> LexiconRemovePayload:
    """A JSON object, or the bare word. Raises PayloadError."""
    text = read_text(payload, what="lexicon/remove").strip()
    if text[:1] != "{":
        text = json.dumps({"word": text})
    return parse_record(LexiconRemovePayload, text, what="lexicon/remove")


def parse_model(payload: bytes) -> ModelPayload:
    """A JSON object, or the bare name of a model set. Raises PayloadError."""
    text = read_text(payload, what="models/activate").strip()
    if text[:1] == "{":
        return parse_record(ModelPayload, text, what="models/activate")
    if not text:
        raise PayloadError("models/activate: the payload is empty; the name of a model set is expected")
    return ModelPayload(model=text[:128])


def parse_rollback(payload: bytes) -> RollbackPayload:
    """Raises PayloadError."""
    text = read_text(payload, what="models/rollback")
    return parse_record(RollbackPayload, text if text.strip() else "{}", what="models/rollback")


def parse_volume(payload: bytes) -> float:
    """0 to 100, from a number, {"volume": 0 to 100} or {"volume_level": 0 to 1}. Raises PayloadError."""
    number = read_text(payload, what="volume/set").strip()
    if number[:1] == "{":
        return _one_volume(parse_record(_Volume, number, what="volume/set"))
    if not _NUMBER.fullmatch(number):
        raise PayloadError(f"volume/set: '{number[:40]}' is no number from 0 to 100")
    return _one_volume(check(_Volume, {"volume": float(number)}, error=PayloadError, what="volume/set"))


def _one_volume(asked: _Volume) -> float:
    if (asked.volume is None) == (asked.volume_level is None):
        raise PayloadError("volume/set: either 'volume' (0 to 100) or 'volume_level' (0 to 1) is expected")
    return 100 * asked.volume_level if asked.volume_level is not None else asked.volume or 0.0


def parse_switch(payload: bytes, *, what: str) -> bool:
    """true or false, on or off, 1 or 0, in any case. Raises PayloadError."""
    word = read_text(payload, what=what).strip()
    if word.casefold() not in _SWITCH:
        raise PayloadError(f"{what}: '{word[:40]}' is neither true nor false (on or off, 1 or 0)")
    return _SWITCH[word.casefold()]


def parse_voice(payload: bytes) -> str:
    """A voice's name or id. Raises PayloadError."""
    voice = read_text(payload, what="voice/set").strip()
    if not voice:
        raise PayloadError("voice/set: the payload is empty; a voice id is expected")
    return voice


def id_in(payload: bytes) -> str | None:
    """The id in a payload that may be invalid otherwise, else None."""
    try:
        return check_json(_Id, read_text(payload, what="id").encode(), error=PayloadError, what="id").id
    except RequestError:
        return None


def read_text(payload: bytes, *, what: str) -> str:
    """UTF-8, with or without a byte order mark. Raises PayloadError, also for text with NULs, as UTF-16 has."""
    if payload.startswith(_UTF16) or b"\0" in payload:
        raise PayloadError(f"{what}: the payload is not UTF-8: it is UTF-16, or binary; send it as UTF-8")
    try:
        return payload.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise PayloadError(f"{what}: the payload is not UTF-8 (byte {broken.start}); send it as UTF-8") from broken


def parse_record(kind: type[RecordT], text: str, *, what: str) -> RecordT:
    """Raises PayloadError that names the mistake."""
    try:
        return check_json(kind, text.encode(), error=PayloadError, what=what)
    except PayloadError as refused:
        mistake = explain_keys(text, keys(kind))
        if mistake is None and (mistake := explain_json(text)) is not None:
            mistake = f"the payload is not JSON: {mistake}"
        if mistake is None:
            raise
        raise PayloadError(f"{what}: {mistake}") from refused
