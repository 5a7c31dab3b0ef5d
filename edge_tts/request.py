"""A request to speak: every key, its limits and its default.

The MQTT payload, the journal page, the command line and the published schema are made from these two records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from edge_tts.schema import BeforeValidator, Field, Record, RequestId, ValidationInfo, field_validator
from edge_tts.values import Priority, Sampling


def folded(value: Any) -> Any:
    """A text without its case and outer spaces: `Alert` is meant as `alert`."""
    return value.strip().casefold() if isinstance(value, str) else value


VoiceName = Annotated[str, Field(min_length=1, max_length=128)]
Split = Annotated[Literal["auto", "cut0", "cut1", "cut2", "cut3", "cut4", "cut5"], BeforeValidator(folded)]
Urgency = Annotated[Priority, BeforeValidator(folded)]
Language = Annotated[str, Field(max_length=32), BeforeValidator(folded)]


class SpeakMessage(Record):
    """A request as sent. The names and defaults of the sampling keys are those of GPT-SoVITS' api_v2."""

    text: str = Field(description="what to say")
    id: RequestId | None = Field(default=None, description="names the request in every report; an id is spoken once")
    voice: VoiceName | None = Field(default=None, description="name or id of a voice; the default voice if absent")
    language: Language = Field(default="auto", description="language option of the text: auto, en, zh, ...")
    priority: Urgency = Field(default="normal", description="an alert interrupts, low waits for everything else")
    ttl_s: float | None = Field(default=None, gt=0, le=604800, description="seconds within which it has to begin")
    volume: float = Field(default=100.0, ge=0, le=100, description="percent of the device's own volume")
    volume_level: float | None = Field(default=None, ge=0, le=1, description="the same from 0 to 1, instead of volume")
    speed: float = Field(default=1.0, ge=0.25, le=4, description="1.3 is faster")
    seed: int | None = Field(default=None, ge=0, lt=2**64, description="same seed, text and voice: same speech")
    top_k: int | None = Field(default=None, ge=1, le=1025, description="draw among so many of the likeliest tokens")
    top_p: float | None = Field(default=None, gt=0, le=1, description="draw among tokens of so much probability")
    temperature: float | None = Field(default=None, gt=0, le=10, description="below 1 more even, above livelier")
    repetition_penalty: float | None = Field(default=None, ge=0.1, le=10, description="above 1 repeats less")
    split: Split = Field(default="auto", description="how the text is cut; cut0 to cut5 are upstream's")
    ssml: bool = Field(default=False, description="the text is an SSML document")
    fragment_interval: float = Field(default=0.3, ge=0, le=10, description="seconds of silence after each segment")
    dedupe_s: float | None = Field(default=None, ge=0, le=3600, description="drop it if it was asked for so recently")
    start_at: float | None = Field(default=None, ge=0, le=1e12, description="Unix time at which it is to be heard")

    @field_validator("volume_level")
    @classmethod
    def _is_the_only_volume(cls, level: float | None, info: ValidationInfo) -> float | None:
        if level is not None and info.data.get("volume", 100.0) != 100.0:
            raise ValueError("stands beside volume; send one of them")
        return level

    cache: bool = Field(default=True, description="false: neither taken from the phrase cache nor kept in it")
    deliver: Annotated[Literal["link", "base64"] | None, BeforeValidator(folded)] = Field(
        default=None, description="keep the sound for the caller instead of playing it: a link, or base64 if it fits"
    )
    play: bool = Field(default=False, description="with deliver: play it at the device as well")
    format: Annotated[Literal["wav", "flac", "ogg", "mp3", "opus"], BeforeValidator(folded)] = Field(
        default="wav", description="of the sound that is delivered; opus is the smallest"
    )

    @property
    def is_played(self) -> bool:
        """At this device, where nobody takes the sound as it is made."""
        return self.deliver is None or self.play

    @property
    def gain(self) -> float:
        """Linear, 0 to 1."""
        return self.volume / 100 if self.volume_level is None else self.volume_level

    def for_others(self) -> SpeakMessage:
        """The same for another house: nothing is heard at this device, and its own speech goes first."""
        changes = {"deliver": self.deliver or "base64", "play": False, "priority": "low", "start_at": None}
        return self.model_copy(update=changes)

    def sampling(self, default: Sampling) -> Sampling:
        """`default`, with the keys of this request put in."""
        chosen = {name: getattr(self, name) for name in Sampling.__dataclass_fields__}
        return Sampling(**{name: getattr(default, name) if value is None else value for name, value in chosen.items()})


class SpeakRequest(SpeakMessage):
    """Accepted: with an id, and the id of an existing voice."""

    id: RequestId
    voice: VoiceName
    rules: tuple[str, ...] = ()
    """Names of the content rules that bleep or report something of it."""

    @classmethod
    def accept(cls, message: SpeakMessage, *, id: str, voice: str, rules: Sequence[str] = ()) -> SpeakRequest:
        return cls.model_validate({**message.model_dump(), "id": id, "voice": voice, "rules": rules})
