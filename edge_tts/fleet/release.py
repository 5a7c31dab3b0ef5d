"""What is signed: which model set, its files by hash, for what share of the devices, from when until when."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Annotated, Literal

from edge_tts.config import Name
from edge_tts.errors import FleetError
from edge_tts.model_folder import MANIFEST
from edge_tts.schema import Field, Record, ValidationInfo, check_json, field_validator

RELEASE = "application/vnd.edge-tts.release+json"
"""The envelope's type."""
CLOCK_SLACK_S = 300.0
"""By so much a device's clock may be behind the signer's."""
FEWEST = 5
"""The share of failures is taken of at least so many devices: one that fails is no reason to stop."""

Share = Annotated[float, Field(ge=0, le=100)]
"""Percent."""
_Instant = Annotated[float, Field(ge=0, le=253402300799)]
"""Seconds since 1970, to the end of the year 9999."""


class ReleasedFile(Record):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=1 << 40)


class Terms(Record):
    """Under which a release is given out; promoting it gives it other ones."""

    share: Share
    """Of the devices, in percent."""
    not_before: _Instant
    expires: _Instant
    stop_percent: Share = 20.0
    """When more than this share of those who tried have failed, nobody begins any more."""
    mos_loss: float = Field(default=0.15, ge=0, le=4)
    """How much lower the mean DNSMOS may be than that of the set that speaks."""
    guard_more: int = Field(default=2, ge=0, le=1000)
    """How many more segments the guard may have had to decode again or leave wrong."""

    @field_validator("expires")
    @classmethod
    def _follows(cls, expires: float, info: ValidationInfo) -> float:
        if expires <= info.data.get("not_before", 0):
            raise ValueError("is not after not_before")
        return expires


class Release(Record):
    """release.json"""

    format: Literal[1] = 1
    counter: int = Field(ge=1, lt=1 << 53)
    """Of the document: a device takes none that is lower than what it has seen."""
    number: int = Field(ge=1, lt=1 << 53)
    """Of the release; it stays when the release is promoted, or returned to."""
    minimum: int = Field(ge=1, lt=1 << 53)
    """The lowest number that may be installed from now on."""
    name: Name
    version: str = Field(max_length=100)
    signed_at: _Instant
    terms: Terms
    files: dict[str, ReleasedFile] = Field(min_length=1, max_length=2000)
    """Relative path -> file; the manifest is one of them."""

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, files: dict[str, ReleasedFile]) -> dict[str, ReleasedFile]:
        for path in files:
            parts = PurePosixPath(path).parts
            canonical = parts and "/".join(parts) == path and "\\" not in path and path.isprintable()
            if not canonical or any(part.startswith(".") or part == "/" for part in parts):
                raise ValueError(f"has the path '{path[:80]}', which leads out of the model set or is hidden")
        if MANIFEST not in files:
            raise ValueError(f"has no {MANIFEST}")
        return files

    @property
    def folder(self) -> str:
        """The model set's name on a device; the same bytes have the same."""
        return f"{self.name[:55]}-{self.files[MANIFEST].sha256[:8]}"

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files.values())


def parse_release(payload: bytes) -> Release:
    """Raises FleetError."""
    release = check_json(Release, payload, error=FleetError, what="release.json")
    if release.number < release.minimum:
        raise FleetError(f"release.json: number {release.number} is below its own minimum {release.minimum}")
    if release.number > release.counter:
        raise FleetError(f"release.json: number {release.number} is above its counter {release.counter}")
    return release


def payload_of(release: Release) -> bytes:
    """What is signed."""
    return json.dumps(release.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()


def takes_part(device: str, number: int, share: float) -> bool:
    """Whether a device is among the first `share` percent for a release: a larger share has all of a smaller one."""
    draw = int.from_bytes(hashlib.sha256(f"{number}\n{device}".encode()).digest()[:8], "big")
    return draw < share / 100 * 2**64


def is_stopped(terms: Terms, *, ok: int, failed: int) -> bool:
    """Whether so many failures end a release."""
    return failed > terms.stop_percent / 100 * max(FEWEST, ok + failed)
