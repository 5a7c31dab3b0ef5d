"""Teachers by name; a new one is one line here."""

from __future__ import annotations

from pathlib import Path

from .flite import Flite
from .kokoro import PACKAGES, Kokoro
from .teacher import Teacher

NAMES = ("flite", "kokoro")


def choose(name: str, *, styles: Path | None, threads: int) -> Teacher:
    """Raises RuntimeError that says what to install."""
    if name == "flite":
        return Flite()
    if styles is None:
        raise RuntimeError(f"--styles is missing, the archive with Kokoro's styles: {PACKAGES}")
    return Kokoro(styles, threads=threads)
