"""Who of a teacher's speakers becomes a built-in voice under which name, and what a set that it taught must say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PROMPT = "The shop opens at nine o'clock, and we will meet you there before lunch."
"""What each voice says in its own prompt."""


@dataclass(frozen=True)
class BuiltIn:
    """A voice that ships; `speaker` is who it is among the teacher's."""

    id: str
    name: str
    speaker: str
    tinge: tuple[str, float] | None = None
    """Another speaker and the share of that one's timbre."""


@dataclass(frozen=True)
class Cast:
    """The voices, the default first; the manifest's licence; the notices of what the teacher is made from, and the
    texts of licences that have to lie beside them."""

    voices: tuple[BuiltIn, ...]
    licence: str
    notice: Path
    licences: tuple[Path, ...] = ()


FLITE = Cast(
    (
        BuiltIn("rms", "Russ", "rms"),
        BuiltIn("slt", "Sally", "slt"),
        BuiltIn("awb", "Alan", "awb"),
        BuiltIn("kal", "Karl", "kal16"),
    ),
    "MIT; voices after CMU Flite's, see NOTICE.md",
    HERE / "NOTICE.md",
)
KOKORO = Cast(
    (
        BuiltIn("clara", "Clara", "af_heart"),
        BuiltIn("oscar", "Oscar", "am_fenrir"),
        BuiltIn("irene", "Irene", "af_bella", ("am_puck", 0.2)),  # alone: a quarter more errors in Mandarin
        BuiltIn("simon", "Simon", "am_puck"),
    ),
    "MIT; taught by Kokoro-82M (Apache-2.0), see NOTICE.md",
    HERE / "NOTICE_kokoro.md",
    (HERE.parents[1] / "models" / "quality" / "LICENSE-APACHE-2.0.txt",),
)


def cast_of(speakers: Collection[str]) -> Cast:
    """The cast whose voices are all among the speakers of the recordings. Raises RuntimeError where there is none."""
    for cast in (KOKORO, FLITE):
        if {voice.speaker for voice in cast.voices} <= set(speakers):
            return cast
    raise RuntimeError("the recordings hold the voices of no teacher; record more with the stage speech")
