"""The records of an enrolled voice, and its id."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import Annotated, Literal
from unicodedata import normalize

from edge_tts.config import CallerName, Owner
from edge_tts.errors import VoiceError
from edge_tts.schema import Field, Record, check_json

CARD, CONSENT, QUALITY = "voice.json", "consent.json", "quality.json"
NAME, SHARE = "name.json", "share.json"

ID_DIGITS = 32
"""Of a voice's id, the first hex digits of its card's sha256."""

MOST_JSON_BYTES = 1 << 16
MOST_RECORDING_BYTES = 1 << 24
MOST_RECORDINGS = 16
MOST_VOICE_BYTES = 1 << 26
MOST_SHARED = 100
"""Names in an owner's word."""
LONGEST_S = 60
"""Of one recording."""
MOST_SAMPLES = 1 << 25
"""Over all recordings and channels of a voice. FLAC compresses silence to nothing."""
_MOST_FLAC_BLOCKS = 64
_FARTHEST_AHEAD = 1 << 20

UNREADABLE_ZIP = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, OverflowError, RuntimeError)
"""All that zipfile raises for a damaged or hostile file."""

_ID = rf"[0-9a-f]{{{ID_DIGITS}}}"
VoiceId = Annotated[str, Field(pattern=f"^{_ID}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RecordingName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}\.flac$")]
FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}\.(flac|json)$")]
DisplayName = Annotated[str, Field(min_length=1, max_length=80)]
Device = Annotated[str, Field(max_length=64)]
UnixTime = Annotated[int, Field(ge=0, lt=1 << 40)]
"""Seconds since 1970 by the writer's clock; for people only."""


@dataclass(frozen=True, slots=True, order=True)
class VoiceRef:
    owner: str
    id: str

    def audited(self) -> dict[str, str]:
        """As in the audit log."""
        return {"owner": self.owner, "voice": self.id}


class FileEntry(Record):
    sha256: Sha256
    bytes: int = Field(ge=1, le=MOST_RECORDING_BYTES)


class Card(Record):
    """voice.json: immutable; its hash is the voice's id."""

    format: Literal[1] = 1
    owner: Owner
    name: DisplayName
    """At enrolment; a rename is a `NameEntry`."""
    language: str = Field(pattern=r"^[a-z]{2,8}$")
    transcript: str = Field(min_length=1, max_length=2000)
    """Of the first recording."""
    created: UnixTime
    device: Device
    recordings: tuple[RecordingName, ...] = Field(min_length=1, max_length=MOST_RECORDINGS)
    """The first is the GPT's prompt; the conditioning is the mean over all."""
    files: dict[FileName, FileEntry]


class Consent(Record):
    """consent.json: the speaker's recorded agreement."""

    format: Literal[1] = 1
    statement: str = Field(min_length=1, max_length=2000)
    language: str = Field(pattern=r"^[a-z]{2,8}$")
    audio_sha256: Sha256
    """Of the recording that contains the statement."""
    time: UnixTime
    device: Device
    words_score: float | None = Field(default=None, ge=0)
    """`recordings.spoken_words`; None where the words could not be checked, or by an earlier version."""


class Quality(Record):
    """quality.json: the quality gate's measurements."""

    format: Literal[1] = 1
    measures: dict[str, float | int | bool | str] = Field(max_length=64)


class Register(Record):
    """A last-writer-wins register of a voice, on a logical clock."""

    format: Literal[1] = 1
    owner: Owner
    voice: VoiceId
    counter: int = Field(ge=0, lt=1 << 53)
    """The logical clock; 0 is what holds until somebody writes."""
    device: Device
    """The writer; breaks the tie of concurrent writes."""

    def content(self) -> str:
        """Breaks the last tie."""
        raise NotImplementedError

    def rank(self) -> tuple[int, str, str]:
        """Every device keeps the entry of the highest rank."""
        return self.counter, self.device, self.content()

    def outranks(self, other: Register) -> bool:
        """Whether this one replaces `other`.

        A counter of 0 or implausibly far ahead is forged: near its limit no device could write again.
        """
        return 0 < self.counter <= other.counter + _FARTHEST_AHEAD and self.rank() > other.rank()


class NameEntry(Register):
    """name.json"""

    name: DisplayName

    def content(self) -> str:
        return self.name


class ShareEntry(Register):
    """share.json: whom its owner lets use the voice."""

    names: tuple[CallerName, ...] | None = Field(max_length=MOST_SHARED)
    """Of devices, on which anybody may, and of callers, who may on any device; None: everybody."""

    def content(self) -> str:
        return json.dumps(self.names)

    def allows(self, *names: str) -> bool:
        """`names`: of the device, and of the caller."""
        return self.names is None or any(name.casefold() in self.names for name in names)


class Tombstone(Record):
    """A permanent deletion, to be repeated by every device."""

    format: Literal[1] = 1
    owner: Owner
    voice: VoiceId
    time: UnixTime
    device: Device


def to_bytes(record: Record) -> bytes:
    """The canonical bytes of a record: UTF-8 JSON, sorted keys, no spaces."""
    plain = record.model_dump(mode="json")
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def voice_id(card: bytes) -> str:
    """The id of the voice with the bytes `card`."""
    return sha256(card)[:ID_DIGITS]


def is_voice_id(text: str) -> bool:
    """Whether `text` is an enrolled voice's id; built-in ones have names."""
    return re.fullmatch(_ID, text) is not None


def read_card(data: bytes, *, ref: VoiceRef | None = None, what: str = CARD) -> Card:
    """The checked card, of `ref` if given. Raises VoiceError."""
    card = check_json(Card, _limited(data, what), error=VoiceError, what=what)
    check_display_name(card.name)
    if ref is not None and (voice_id(data), card.owner) != (ref.id, ref.owner):
        raise VoiceError(f"{what}: is not the card of voice {ref.id} of {ref.owner}: its hash or its owner differs")
    missing = [name for name in card.recordings if name not in card.files]
    strangers = sorted(set(card.files) - set(card.recordings) - {CONSENT, QUALITY})
    if missing or strangers or len(set(card.recordings)) != len(card.recordings):
        odd = ", ".join(missing + strangers) or "a name twice"
        raise VoiceError(f"{what}: files and recordings do not agree ({odd})")
    total = sum(entry.bytes for entry in card.files.values())
    if total > MOST_VOICE_BYTES:
        raise VoiceError(f"{what}: the voice has {total} bytes; {MOST_VOICE_BYTES} is the most")
    for name in (CONSENT, QUALITY):
        if name in card.files and card.files[name].bytes > MOST_JSON_BYTES:
            raise VoiceError(f"{what}: {name} has {card.files[name].bytes} bytes; {MOST_JSON_BYTES} is the most")
    return card


def read_name(data: bytes, *, ref: VoiceRef, what: str = NAME) -> NameEntry:
    """The name register of `ref`. Raises VoiceError."""
    entry = check_json(NameEntry, _limited(data, what), error=VoiceError, what=what)
    check_display_name(entry.name)
    if (entry.owner, entry.voice) != (ref.owner, ref.id):
        raise VoiceError(f"{what}: belongs to voice {entry.voice} of {entry.owner}, not to {ref.id} of {ref.owner}")
    return entry


def read_share(data: bytes, *, ref: VoiceRef, what: str = SHARE) -> ShareEntry:
    """The owner's word about `ref`. Raises VoiceError."""
    entry = check_json(ShareEntry, _limited(data, what), error=VoiceError, what=what)
    if (entry.owner, entry.voice) != (ref.owner, ref.id):
        raise VoiceError(f"{what}: belongs to voice {entry.voice} of {entry.owner}, not to {ref.id} of {ref.owner}")
    return entry


def read_tombstone(data: bytes, *, ref: VoiceRef, what: str = "tombstone") -> Tombstone:
    """The tombstone of `ref`. Raises VoiceError."""
    tombstone = check_json(Tombstone, _limited(data, what), error=VoiceError, what=what)
    if (tombstone.owner, tombstone.voice) != (ref.owner, ref.id):
        raise VoiceError(
            f"{what}: belongs to voice {tombstone.voice} of {tombstone.owner}, not to {ref.id} of {ref.owner}"
        )
    return tombstone


def check_files(card: Card, files: Mapping[str, bytes], *, require_consent: bool) -> None:
    """Raise VoiceError unless files, recordings and consent are valid and as the card says."""
    odd = sorted(set(card.files) ^ set(files))
    if odd:
        raise VoiceError(f"the voice's card and its files do not agree: {', '.join(odd)}")
    for name, data in files.items():
        check_entry(name, data, card.files[name])
    samples = sum(flac_samples(files[name], what=name) for name in card.recordings)
    if samples > MOST_SAMPLES:
        raise VoiceError(f"the voice's recordings unpack to {samples} samples; {MOST_SAMPLES} is the most")
    if QUALITY in files:
        check_json(Quality, files[QUALITY], error=VoiceError, what=QUALITY)
    if CONSENT in files:
        consent = check_json(Consent, files[CONSENT], error=VoiceError, what=CONSENT)
        if consent.audio_sha256 not in {card.files[name].sha256 for name in card.recordings}:
            raise VoiceError(f"{CONSENT}: is about a recording that is not part of the voice")
    elif require_consent:
        raise VoiceError("the voice has no consent record; enrol it with the spoken consent (voices.require_consent)")


def check_entry(name: str, data: bytes, entry: FileEntry) -> None:
    """Raise VoiceError unless `data` matches the card's entry."""
    if len(data) != entry.bytes or sha256(data) != entry.sha256:
        raise VoiceError(f"{name}: is damaged: its {len(data)} bytes are not those that the voice's card describes")


def check_display_name(name: str) -> str:
    """The name, if it is printable on one line. Raises VoiceError."""
    if not name or len(name) > 80 or not name.isprintable() or name != name.strip():
        raise VoiceError(f"{name!r} cannot be a voice's name: 1 to 80 printable characters, no space around them")
    return name


def same_name(one: str, other: str) -> bool:
    """Equality after Unicode normalisation: some keyboards send combining accents."""
    return normalize("NFC", one) == normalize("NFC", other)


def flac_samples(data: bytes, *, what: str) -> int:
    """The samples of a FLAC file over all channels, by its STREAMINFO block (RFC 9639), without decoding.

    Raises VoiceError, also for a file beyond the limits.
    """
    if len(data) < 42 or data[:4] != b"fLaC" or _block_kinds(data).count(0) != 1 or data[4] & 0x7F != 0:
        raise VoiceError(f"{what}: is not a FLAC file")
    packed = int.from_bytes(data[18:26], "big")  # 20 bits rate, 3 channels - 1, 5 bits per sample - 1, 36 samples
    rate, channels, samples = packed >> 44, (packed >> 41 & 7) + 1, packed & ((1 << 36) - 1)
    if rate == 0 or samples == 0:
        raise VoiceError(f"{what}: is a FLAC file without a length or a sample rate")
    if channels > 2:
        raise VoiceError(f"{what}: has {channels} channels; two are the most")
    # 44100 Hz to 32 kHz is 441:320; 44101 Hz would be 44101:32000, a filter of gigabytes.
    if not 8000 <= rate <= 192000 or rate // gcd(rate, 32000) > 1000:
        raise VoiceError(f"{what}: has an unusual sample rate of {rate} Hz; convert it to 48000 Hz")
    if samples > LONGEST_S * rate:
        raise VoiceError(f"{what}: lasts {samples / rate:.0f} s; {LONGEST_S} s is the most")
    return samples * channels


def _block_kinds(data: bytes) -> list[int]:
    """The types of the metadata blocks; 0 is STREAMINFO, of which decoders use the last."""
    kinds: list[int] = []
    at, last = 4, False
    while not last and at + 4 <= len(data) and len(kinds) < _MOST_FLAC_BLOCKS:
        kinds.append(data[at] & 0x7F)
        last = data[at] >= 0x80
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return kinds if last else []


def _limited(data: bytes, what: str) -> bytes:
    if len(data) > MOST_JSON_BYTES:
        raise VoiceError(f"{what}: has {len(data)} bytes; {MOST_JSON_BYTES} is the most")
    return data
