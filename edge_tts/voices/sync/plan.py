"""The plan of a two-way sync: a pure function of the local and the remote state.

In the bucket every object is immutable and named by the hash of its bytes:

    v1/OWNER/ID/card               voice.json; sent last: without it there is no voice
    v1/OWNER/ID/files/SHA256       reference.flac, consent.json, ...
    v1/OWNER/ID/names/SHA256       a rename; the highest rank wins, the others are erased
    v1/OWNER/ID/shares/SHA256      whom its owner lets use the voice, likewise; earlier versions pass over it
    v1/OWNER/ID/tombstones/SHA256  a permanent deletion

So devices cannot overwrite each other, and any of them can finish what another began. Tombstones are a grow-only set
and registers totally ordered: devices converge once each has seen all objects.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge_tts.buckets.folder_bucket import ROOT
from edge_tts.voices.format import VoiceRef

Kind = Literal["card", "files", "names", "shares", "tombstones"]
REGISTERS: tuple[Kind, ...] = ("shares", "names")

_PATH = re.compile(
    r"v1/(?P<owner>[a-z0-9][a-z0-9_-]{0,63})/(?P<id>[0-9a-f]{32})/"
    r"(?:(?P<card>card)|(?P<kind>files|names|shares|tombstones)/(?P<sha256>[0-9a-f]{64}))"
)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    ref: VoiceRef
    kind: Kind
    sha256: str = ""
    """Hex; empty for a card, whose hash is the id."""

    @property
    def path(self) -> str:
        return "/".join(part for part in (ROOT, self.ref.owner, self.ref.id, self.kind, self.sha256) if part)


def parse_key(path: str) -> Key | None:
    """The key; None for a foreign path."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    ref = VoiceRef(match["owner"], match["id"])
    if match["card"]:
        return Key(ref, "card")
    kind: Any = match["kind"]
    return Key(ref, kind, match["sha256"])


@dataclass(frozen=True, slots=True)
class LocalRegister:
    counter: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LocalVoice:
    files: frozenset[str]
    """sha256 of each immutable file except the card."""
    registers: Mapping[Kind, LocalRegister]
    """Of REGISTERS; one that is missing is none of ours."""


@dataclass(frozen=True, slots=True)
class Local:
    voices: Mapping[VoiceRef, LocalVoice]
    tombstones: Mapping[VoiceRef, str]
    """Deleted voice -> sha256 of its tombstone."""
    pending: Collection[VoiceRef] = ()
    """Voices whose deletion can be undone: neither sent nor fetched; another device's tombstone deletes them."""


Remote = Mapping[Key, str]
"""Object -> ETag."""


@dataclass(frozen=True, slots=True)
class SyncStep:
    """If it fails, the later steps of the same voice are skipped."""

    ref: VoiceRef
    act: Literal["send", "check", "fetch", "delete", "compare", "erase"]
    """send a local object; check a remote one and repair it; fetch a voice; delete a voice by a tombstone; compare
    a register with ours; erase a remote object."""
    key: Key


def plan_tombstones(local: Local, remote: Remote, checked: Remote) -> list[SyncStep]:
    """First: exchange deletions."""
    unknown = (key for key in _of_kind(remote, "tombstones") if key.ref not in local.tombstones)
    steps = [SyncStep(key.ref, "delete", key) for key in unknown]
    for ref, sha256 in sorted(local.tombstones.items()):
        steps += _ensure(Key(ref, "tombstones", sha256), remote, checked)
    return steps


def plan_voices(local: Local, remote: Remote, checked: Remote) -> list[SyncStep]:
    """Then: erase deleted voices, send missing objects, check changed ones, fetch new voices."""
    deleted = local.tombstones.keys()
    remains = sorted(key for key in remote if key.kind != "tombstones" and key.ref in deleted)
    steps = [SyncStep(key.ref, "erase", key) for key in remains]
    for ref, voice in sorted(local.voices.items(), key=lambda item: item[0]):
        if ref not in deleted:
            for key in [*(Key(ref, "files", sha256) for sha256 in sorted(voice.files)), Key(ref, "card")]:
                steps += _ensure(key, remote, checked)
    here = {*local.voices, *local.pending, *deleted}
    unknown = (key for key in _of_kind(remote, "card") if key.ref not in here)
    return steps + [SyncStep(key.ref, "fetch", key) for key in unknown]


def plan_registers(local: Local, remote: Remote, checked: Remote) -> list[SyncStep]:
    """Last: agree on registers. Ours is sent before a lower one is compared and erased."""
    steps: list[SyncStep] = []
    theirs: dict[tuple[VoiceRef, Kind], list[Key]] = {}
    for key in (key for kind in REGISTERS for key in _of_kind(remote, kind)):
        theirs.setdefault((key.ref, key.kind), []).append(key)
    for ref, voice in sorted(local.voices.items(), key=lambda item: item[0]):
        for kind, register in voice.registers.items() if ref not in local.tombstones else ():
            ours = Key(ref, kind, register.sha256)
            if register.counter > 0:
                steps += _ensure(ours, remote, checked)
            steps += [SyncStep(ref, "compare", key) for key in theirs.get((ref, kind), ()) if key != ours]
    return steps


def _ensure(key: Key, remote: Remote, checked: Remote) -> list[SyncStep]:
    """Steps until the bucket has a verified copy of a local object."""
    if key not in remote:
        return [SyncStep(key.ref, "send", key)]
    if checked.get(key) != remote[key]:
        return [SyncStep(key.ref, "check", key)]
    return []


def _of_kind(remote: Remote, kind: Kind) -> list[Key]:
    return sorted(key for key in remote if key.kind == kind)
