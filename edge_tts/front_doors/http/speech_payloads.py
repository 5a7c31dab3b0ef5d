"""What is asked for: OpenAI's `/v1/audio/speech` and GPT-SoVITS' `/tts` -> checked records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from edge_tts.audio.sound_stream import available_formats
from edge_tts.errors import PayloadError
from edge_tts.front_doors.http.answers import HttpRefusedError
from edge_tts.front_doors.json_mistakes import load_json
from edge_tts.front_doors.payloads import parse_record, read_text
from edge_tts.request import Language, SpeakMessage, Split, VoiceName, folded
from edge_tts.schema import BeforeValidator, Field, check

PayloadT = TypeVar("PayloadT", bound=SpeakMessage)


def _name(value: Any) -> Any:
    """OpenAI's custom voices come as `{"id": ...}`."""
    return value["id"] if isinstance(value, dict) and value.keys() == {"id"} else value


class OpenAiSpeech(SpeakMessage):
    """OpenAI's keys, and ours besides."""

    text: str = Field(alias="input", description="what to say")
    model: str = Field(default="", max_length=256, description="any: the model set that is loaded speaks")
    voice: Annotated[VoiceName | None, BeforeValidator(_name)] = Field(default=None, description="its name or id")
    response_format: Annotated[Literal["mp3", "opus", "flac", "wav", "pcm"] | None, BeforeValidator(folded)] = Field(
        default=None, description="mp3 if absent, wav where there is no mp3; pcm: 16 bit, 24 kHz"
    )
    stream_format: Annotated[Literal["audio", "sse"], BeforeValidator(folded)] = "audio"
    instructions: str | None = Field(default=None, max_length=0, description="none can be followed")
    play: bool = Field(default=False, description="speak at this device; the answer comes at once")


class GptSovitsTts(SpeakMessage):
    """The keys of GPT-SoVITS' api_v2, and ours besides. Those without effect say how it computes, or belong to the
    reference recording, which a voice here has already."""

    language: Language = Field(default="auto", alias="text_lang", description="language option of the text")
    split: Split = Field(default="auto", alias="text_split_method", description="how the text is cut")
    speed: float = Field(default=1.0, ge=0.25, le=4, alias="speed_factor", description="1.3 is faster")
    seed: int | None = Field(default=None, ge=-1, lt=2**64, description="-1: a new one")
    media_type: Annotated[Literal["wav", "raw", "ogg", "flac", "opus", "mp3", "pcm"], BeforeValidator(folded)] = "wav"
    streaming_mode: bool | int = False
    ref_audio_path: str | None = Field(default=None, max_length=0, description="none: name a voice by `voice`")
    aux_ref_audio_paths: list[str] | None = Field(default=None, max_length=0, description="none")
    prompt_text: str | None = Field(default=None, description="without effect")
    prompt_lang: str | None = Field(default=None, description="without effect")
    batch_size: int | None = Field(default=None, description="without effect")
    batch_threshold: float | None = Field(default=None, description="without effect")
    split_bucket: bool | None = Field(default=None, description="without effect")
    parallel_infer: bool | None = Field(default=None, description="without effect")
    sample_steps: int | None = Field(default=None, description="without effect")
    super_sampling: bool | None = Field(default=None, description="without effect")
    overlap_length: int | None = Field(default=None, description="without effect")
    min_chunk_length: int | None = Field(default=None, description="without effect")


_REFUSED = {
    "ref_audio_path": "voices are enrolled here (`edge-ttsd enroll`), none is read from a file; name one by `voice`",
    "aux_ref_audio_paths": "voices are enrolled here (`edge-ttsd enroll`); name one by `voice`",
    "instructions": "none can be followed: a voice speaks as it was enrolled; leave the key out",
}


def parse_body(kind: type[PayloadT], body: bytes, *, what: str) -> PayloadT:
    """A JSON object. Raises HttpRefusedError for what is none, PayloadError for what is wrong in it."""
    value = None
    try:
        text = read_text(body, what=what)
        value = load_json(text)
        if isinstance(value, dict):
            _refuse(value, what=what)
        return parse_record(kind, text, what=what)
    except PayloadError as wrong:
        raise (wrong if isinstance(value, dict) else HttpRefusedError(400, str(wrong))) from wrong


def parse_query(query: Mapping[str, str]) -> GptSovitsTts:
    """Numbers and switches as text. Raises PayloadError."""
    _refuse(query, what="/tts")
    return check(GptSovitsTts, dict(query), error=PayloadError, what="/tts", strict=False)


def message_of(payload: SpeakMessage, request_id: str) -> SpeakMessage:
    """As it would have come over MQTT, with that id."""
    given = {name: getattr(payload, name) for name in SpeakMessage.model_fields if name in payload.model_fields_set}
    seed = None if payload.seed == -1 else payload.seed
    asked = getattr(payload, "media_type", None) or getattr(payload, "response_format", None)
    if payload.deliver is not None and asked is not None:
        given.setdefault("format", asked)
    return check(SpeakMessage, {**given, "id": request_id, "seed": seed}, error=PayloadError, what="http")


def check_format(name: str | None) -> str:
    """A format that can be had; None: the first choice. Raises PayloadError."""
    formats = available_formats()
    if name is None:
        return "mp3" if "mp3" in formats else "wav"
    if name not in formats:
        raise PayloadError(f"this machine's libsndfile writes no {name}; there are {', '.join(formats)}")
    return name


def _refuse(given: Mapping[str, Any], *, what: str) -> None:
    for key, why in _REFUSED.items():
        if given.get(key):
            raise PayloadError(f"{what}: key '{key}': {why}")
