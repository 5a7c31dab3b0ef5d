"""Export and import of a voice: a zip of its immutable files, checked as hostile input.

Derived features are left out and made anew on the device, so that no foreign array is ever parsed.
"""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

from edge_tts.durable.atomic import write_atomic
from edge_tts.errors import VoiceError
from edge_tts.voices.format import (
    CARD,
    MOST_JSON_BYTES,
    MOST_RECORDING_BYTES,
    MOST_RECORDINGS,
    MOST_VOICE_BYTES,
    NAME,
    SHARE,
    UNREADABLE_ZIP,
    VoiceRef,
    read_card,
    read_name,
    read_share,
    to_bytes,
    voice_id,
)
from edge_tts.voices.store import EnrolledVoice, VoiceStore

MOST_MEMBERS = MOST_RECORDINGS + 5
MOST_ARCHIVE_BYTES = MOST_VOICE_BYTES + (1 << 20)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1


def export_voice(store: VoiceStore, voice: EnrolledVoice, path: Path) -> None:
    """Write `voice` to `path`; the bytes are reproducible. Raises VoiceError."""
    shared = {SHARE: to_bytes(voice.share)} if voice.share.counter else {}  # earlier versions import none with it
    files = {CARD: store.card_bytes(voice), NAME: to_bytes(voice.title), **shared, **store.files(voice)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # FLAC does not shrink
        for name, data in files.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.external_attr = (stat.S_IFREG | 0o600) << 16
            archive.writestr(member, data)
    try:
        write_atomic(path, buffer.getvalue())
    except OSError as refused:
        raise VoiceError(f"{path}: cannot be written ({refused.strerror})") from refused
    store.note("exported", voice.ref)


def import_voice(store: VoiceStore, path: Path) -> EnrolledVoice:
    """Store the voice that `export_voice` wrote to `path`. Raises VoiceError."""
    files = read_archive(_read(path), what=path.name)
    if CARD not in files:
        raise VoiceError(f"{path.name}: has no {CARD}; it is not a voice that was exported here")
    card_bytes = files.pop(CARD)
    name_bytes, share_bytes = files.pop(NAME, None), files.pop(SHARE, None)
    card = read_card(card_bytes, what=f"{path.name}: {CARD}")
    ref = VoiceRef(card.owner, voice_id(card_bytes))
    entry = read_name(name_bytes, ref=ref, what=f"{path.name}: {NAME}") if name_bytes is not None else None
    share = read_share(share_bytes, ref=ref, what=f"{path.name}: {SHARE}") if share_bytes is not None else None
    store.accept(ref, card_bytes, files, event="imported", share=share)
    for register in (entry, share):
        if register is not None:
            store.merge(ref, register)
    return store.get(ref)


def read_archive(data: bytes, *, what: str) -> dict[str, bytes]:
    """The members of a zip, name -> bytes, all small regular files. Raises VoiceError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check_members(members, what=what)
            return {member.filename: _unpack(archive, member, what=what) for member in members}
    except UNREADABLE_ZIP as broken:
        raise VoiceError(f"{what}: is not a readable voice archive (zip): {broken}") from broken


def _check_members(members: list[zipfile.ZipInfo], *, what: str) -> None:
    if len(members) > MOST_MEMBERS:
        raise VoiceError(f"{what}: holds {len(members)} files; a voice has at most {MOST_MEMBERS}")
    if sum(member.file_size for member in members) > MOST_VOICE_BYTES:
        raise VoiceError(f"{what}: would unpack to more than {MOST_VOICE_BYTES} bytes")
    seen: set[str] = set()
    for member in members:
        if member.filename in seen:
            raise VoiceError(f"{what}: holds {member.filename!r} twice")
        seen.add(member.filename)
        _check_member(member, what=what)


def _check_member(member: zipfile.ZipInfo, *, what: str) -> None:
    name = member.orig_filename
    if any(mark in name for mark in ("/", "\\", "\0", ":")) or name in ("", ".", ".."):
        raise VoiceError(f"{what}: the file name {name!r} leads out of the voice")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise VoiceError(f"{what}: {name!r} is a link, a device or another special file")
    if name.endswith((".npz", ".npy", ".pkl", ".pickle", ".pt", ".pth")):
        raise VoiceError(f"{what}: {name!r}: arrays and pickles are never imported; features are made on the device")
    if member.flag_bits & _ENCRYPTED:
        raise VoiceError(f"{what}: {name!r} is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise VoiceError(f"{what}: {name!r} is packed by an unusual method ({member.compress_type})")
    if member.file_size > _most(name):
        raise VoiceError(f"{what}: {name!r} would unpack to {member.file_size} bytes; {_most(name)} is the most")


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, what: str) -> bytes:
    with archive.open(member) as stream:
        data = stream.read(_most(member.filename) + 1)  # the size in the directory may be a lie
    if len(data) != member.file_size:
        raise VoiceError(f"{what}: {member.filename!r} has not the size that the archive claims")
    return data


def _most(name: str) -> int:
    return MOST_JSON_BYTES if name.endswith(".json") else MOST_RECORDING_BYTES


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_ARCHIVE_BYTES + 1)
    except OSError as refused:
        raise VoiceError(f"{path}: cannot be read ({refused.strerror})") from refused
    if len(data) > MOST_ARCHIVE_BYTES:
        raise VoiceError(f"{path.name}: is larger than any voice ({MOST_ARCHIVE_BYTES} bytes)")
    return data
