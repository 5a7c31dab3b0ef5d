"""The records of an enrolment: request, person, accepted recording, policy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from edge_tts.config import EnrolmentConfig
from edge_tts.errors import PayloadError
from edge_tts.recordings.quality import QualityVerdict, Refusal
from edge_tts.recordings.spoken_words import WORDS_LIMIT
from edge_tts.speaking.job import Reply, no_reply
from edge_tts.values import Recording, Voice

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    language: str
    """Of the consent sentence and the prompts: zh or en."""
    owner: str
    """Owner of the stored voice."""


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    id: str
    person: Person | None = None
    """None: the configured one."""
    at_device: bool = False
    """Whether it was a press at the device; else it may need one (enrolment.remote)."""
    short: bool = False
    """The owner insists: less speech than the gate wants is kept."""
    reply: Reply = no_reply

    def insists_on(self, refusal: Refusal) -> bool:
        """Not where nobody spoke."""
        return self.short and refusal.code == "short" and refusal.value > 0


@dataclass(frozen=True, slots=True)
class AcceptedRecording:
    """It passed the quality gate."""

    person: Person
    transcript: str
    verdict: QualityVerdict
    statement: str | None
    """The spoken consent, if any."""
    stated_in: int = 0
    """Index of the recording that holds the whole statement."""
    words_score: float | None = None
    """Of the statement; None where its words could not be checked."""


class VoiceSink(Protocol):
    """Stores a voice; `VoiceWriter` in production."""

    def is_taken(self, person: Person) -> bool:
        """Whether the owner has a voice of that name. Raises VoiceError, also for an impossible name."""

    def pack(self, recording: Recording) -> tuple[bytes, Recording]:
        """The recording as a FLAC file, and as decoded from it."""

    def keep(self, accepted: AcceptedRecording, audio: Sequence[bytes], features: Voice) -> str:
        """Store the voice with consent and features; its id. Raises VoiceError: then nothing is stored."""


@dataclass(frozen=True, slots=True)
class EnrolmentPolicy:
    """Who may be enrolled here."""

    config: EnrolmentConfig
    owner: str
    languages: Sequence[str]
    """Of the model set."""
    sample_rate: int
    """Hz, of the model set: a tone of another rate would reopen the loudspeaker."""
    words_limit: float = WORDS_LIMIT
    """Of the model set: the highest score of a consent's words."""

    def person(self, name: str | None = None, language: Literal["zh", "en"] | None = None) -> Person | None:
        """The person of that name and language, else as configured; None without any name.

        Raises PayloadError for a language that the model set does not speak.
        """
        name, language = name or self.config.name, language or self.config.language
        if language not in self.languages:
            spoken = ", ".join(self.languages)
            raise PayloadError(f"enroll: the model set does not speak '{language}' but {spoken}")
        return None if name is None else Person(name=name, language=language, owner=self.owner)

    def default_person(self) -> Person | None:
        """For a press of the button."""
        try:
            return self.person()
        except PayloadError as error:
            log.warning("a press of the button will enrol nobody (enrolment.language): %s", error)
            return None
