"""What two-way sync has to do: a pure function of what lies here and what lies there. Knows no disk and no network.

In the bucket every voice is a tree of its own, and every object is immutable and named by the hash of its bytes:

    v1/OWNER/ID/card               voice.json; the id is its hash. Sent last: without it a voice is not there yet
    v1/OWNER/ID/files/SHA256       reference.flac, consent.json, ...
    v1/OWNER/ID/names/SHA256       a rename; the highest rank holds, the others are cleared away
    v1/OWNER/ID/tombstones/SHA256  the voice was deleted, for good

So there is nothing that two devices could overwrite for each other, and whatever one of them leaves half done another
finishes. Sets of tombstones only grow, names have a total order: the devices agree as soon as each has seen the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge_tts.voices.format import NameEntry, VoiceRef

Kind = Literal["card", "files", "names", "tombstones"]

ROOT = "v1"
_PATH = re.compile(
    r"v1/(?P<owner>[a-z0-9][a-z0-9_-]{0,63})/(?P<id>[0-9a-f]{32})/"
    r"(?:(?P<card>card)|(?P<kind>files|names|tombstones)/(?P<sha256>[0-9a-f]{64}))"
)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One object in the bucket."""

    ref: VoiceRef
    kind: Kind
    sha256: str = ""
    """Of its bytes, in hex; empty for a card, which the id stands for."""

    @property
    def path(self) -> str:
        """Its name in the bucket."""
        return "/".join(part for part in (ROOT, self.ref.owner, self.ref.id, self.kind, self.sha256) if part)


def parse_key(path: str) -> Key | None:
    """The object of that name; None for a name that is none of ours."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    ref = VoiceRef(found["owner"], found["id"])
    if found["card"]:
        return Key(ref, "card")
    kind: Kind = "files" if found["kind"] == "files" else "names" if found["kind"] == "names" else "tombstones"
    return Key(ref, kind, found["sha256"])


@dataclass(frozen=True, slots=True)
class LocalVoice:
    """A voice that is here: the objects it has in the bucket."""

    files: frozenset[str]
    """sha256 of each immutable file, the card aside."""
    title: NameEntry
    title_sha256: str


@dataclass(frozen=True, slots=True)
class Local:
    """All that is here."""

    voices: Mapping[VoiceRef, LocalVoice]
    tombstones: Mapping[VoiceRef, str]
    """Deleted voices and the sha256 of each one's tombstone."""


Remote = Mapping[Key, str]
"""All that is there: object -> ETag."""


@dataclass(frozen=True, slots=True)
class SyncStep:
    """One thing to do. If it fails for a reason of its own, the later steps of the same voice are left out."""

    ref: VoiceRef
    act: Literal["send", "check", "fetch", "obey", "compare", "erase"]
    """send an object of ours; check that theirs is what its name says and mend it; fetch a whole voice; obey a
    tombstone; compare a name with ours; erase an object."""
    key: Key


def plan_tombstones(local: Local, remote: Remote, checked: Remote) -> list[SyncStep]:
    """First of all: learn what was deleted elsewhere, tell what was deleted here."""
    unknown = (key for key in _of_kind(remote, "tombstones") if key.ref not in local.tombstones)
    steps = [SyncStep(key.ref, "obey", key) for key in unknown]
    for ref, sha256 in sorted(local.tombstones.items()):
        steps += _hold(Key(ref, "tombstones", sha256), remote, checked)
    return steps


def plan_voices(local: Local, remote: Remote, checked: Remote) -> list[SyncStep]:
    """Then: clear away what is deleted, fetch what is new, send what is missing, look after what has changed there."""
    gone = local.tombstones.keys()
    remains = sorted(key for key in remote if key.kind != "tombstones" and key.ref in gone)
    steps = [SyncStep(key.ref, "erase", key) for key in remains]
    for ref, voice in sorted(local.voices.items(), key=lambda item: item[0]):
        if ref not in gone:
            for key in [*(Key(ref, "files", sha256) for sha256 in sorted(voice.files)), Key(ref, "card")]:
                steps += _hold(key, remote, checked)
    unknown = (key for key in _of_kind(remote, "card") if key.ref not in local.voices and key.ref not in gone)
    return steps + [SyncStep(key.ref, "fetch", key) for key in unknown]


def plan_names(local: Local, remote: Remote, checked: Remote) -> list[SyncStep]:
    """Last: agree on what each voice is called. Ours is sent before a lesser one is compared and erased."""
    steps: list[SyncStep] = []
    theirs: dict[VoiceRef, list[Key]] = {}
    for key in _of_kind(remote, "names"):
        theirs.setdefault(key.ref, []).append(key)
    for ref, voice in sorted(local.voices.items(), key=lambda item: item[0]):
        if ref in local.tombstones:
            continue
        mine = Key(ref, "names", voice.title_sha256)
        if voice.title.counter > 0:
            steps += _hold(mine, remote, checked)
        steps += [SyncStep(ref, "compare", key) for key in theirs.get(ref, ()) if key != mine]
    return steps


def _hold(key: Key, remote: Remote, checked: Remote) -> list[SyncStep]:
    """See to it that an object we have is there too, and is right."""
    if key not in remote:
        return [SyncStep(key.ref, "send", key)]
    if checked.get(key) != remote[key]:
        return [SyncStep(key.ref, "check", key)]
    return []


def _of_kind(remote: Remote, kind: Kind) -> list[Key]:
    return sorted(key for key in remote if key.kind == kind)
