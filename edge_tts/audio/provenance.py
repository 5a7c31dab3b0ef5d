"""What a sound says of itself: that a machine made it, and which one."""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAMESPACE = uuid.UUID("5a1f0f3e-6f0b-5d0c-9c55-3d7a3c1f7e55")
MOST_CONTENTS = 8
"""The last of a file that holds several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What makes the sound of a process."""

    device: str
    model_set: str
    """Name and version."""
    version: str
    """Of this program."""
    producer: str = "edge-tts"
    """Whom the label names, see `aigc`."""

    def content(self, request_id: str, voice: str) -> Provenance:
        """The same for the same request, also after a restart: an id is spoken once."""
        content_id = uuid.uuid5(_NAMESPACE, f"{self.device}/{request_id}").hex
        return Provenance(generator=self, content_id=content_id, voice=voice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Of one request's speech."""

    generator: Generator
    content_id: str
    """32 hex digits."""
    voice: str
    """Its id."""

    def details(self) -> dict[str, Any]:
        """For a report."""
        return {
            "ai_generated": True,
            "content_id": self.content_id,
            "set": self.generator.model_set,
            "voice": self.voice,
            "version": self.generator.version,
        }


class RecentContents:
    """What a file holds: the last MOST_CONTENTS. Written by one thread, read by another."""

    def __init__(self, *contents: Provenance) -> None:
        self._contents = deque(contents, maxlen=MOST_CONTENTS)

    def add(self, content: Provenance) -> None:
        self._contents.append(content)

    def latest_first(self) -> list[Provenance]:
        return list(self._contents)[::-1]


def label(contents: Sequence[Provenance]) -> dict[str, str]:
    """Names and texts of a file's metadata, for its contents, the latest first; empty without any."""
    if not contents:
        return {}
    latest, *earlier = contents
    said: dict[str, Any] = latest.details()
    if earlier:
        said["earlier"] = [{"content_id": content.content_id, "voice": content.voice} for content in earlier]
    return {
        "software": f"edge-ttsd {latest.generator.version}",
        "AIGC": json.dumps(aigc(latest), separators=(",", ":")),
        "comment": json.dumps(said, separators=(",", ":")),
    }


def aigc(content: Provenance) -> Mapping[str, str]:
    """The implicit label of GB 45438-2025; `Label` 1: generated for certain."""
    return {
        "Label": "1",
        "ContentProducer": content.generator.producer,
        "ProduceID": content.content_id,
        "ReservedCode1": "",
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }
