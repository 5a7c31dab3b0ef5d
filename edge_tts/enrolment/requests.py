"""What an enrolment is about: whose voice, asked for by whom, what was recorded, and where the voice goes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from edge_tts.config import EnrolmentConfig
from edge_tts.errors import PayloadError
from edge_tts.recordings.quality import QualityVerdict
from edge_tts.speaking.job import Reply, no_reply
from edge_tts.values import Recording, Voice

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose voice is to be enrolled."""

    name: str
    language: str
    """Of the consent sentence and of what is said to them: zh or en."""
    owner: str
    """Under whom the voice is stored."""


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """Somebody wants to be enrolled."""

    id: str
    person: Person | None = None
    """None: whoever the configuration names."""
    at_device: bool = False
    """Whether somebody pressed the button here; else they are asked to, unless the configuration says otherwise."""
    reply: Reply = no_reply


@dataclass(frozen=True, slots=True)
class AcceptedRecording:
    """A recording that passed the gate, and what is said in it."""

    person: Person
    transcript: str
    verdict: QualityVerdict
    statement: str | None
    """What the speaker agreed to; None where there is no consent."""
    stated_in: int = 0
    """Which of the recordings holds the whole statement."""


class VoiceSink(Protocol):
    """Where a voice goes; `VoiceWriter` in production."""

    def is_taken(self, person: Person) -> bool:
        """Whether a voice of the same owner is called so already. Raises VoiceError, also where none can be."""

    def pack(self, recording: Recording) -> tuple[bytes, Recording]:
        """The recording as a FLAC file, and as whoever reads the file will hear it."""

    def keep(self, take: AcceptedRecording, audio: Sequence[bytes], made: Voice) -> str:
        """Store the voice with its consent and its features; its id. Raises VoiceError: then nothing is stored."""


@dataclass(frozen=True, slots=True)
class EnrolmentPolicy:
    """Who may be enrolled here, and how. `languages` are those that the model set speaks."""

    config: EnrolmentConfig
    owner: str
    languages: Sequence[str]
    sample_rate: int
    """Hz of what the model set speaks: a tone of another rate would have the loudspeaker opened anew."""

    def person(self, name: str | None = None, language: Literal["zh", "en"] | None = None) -> Person | None:
        """Who is meant by a name and a language, or by the lack of them; None when there is no name at all.

        Raises PayloadError for a language that the model set does not speak.
        """
        name, language = name or self.config.name, language or self.config.language
        if language not in self.languages:
            spoken = ", ".join(self.languages)
            raise PayloadError(f"enroll: the model set does not speak '{language}' but {spoken}")
        return None if name is None else Person(name=name, language=language, owner=self.owner)

    def default_person(self) -> Person | None:
        """Who is meant by a press of the button."""
        try:
            return self.person()
        except PayloadError as unspoken:
            log.warning("a press of the button will enrol nobody (enrolment.language): %s", unspoken)
            return None
