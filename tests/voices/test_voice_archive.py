"""Export and import of a voice, and the refusal of hostile archives."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from enrolled import contents, new_voice, open_store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_tts.errors import VoiceError
from edge_tts.voices.archive import MOST_MEMBERS, export_voice, import_voice
from edge_tts.voices.format import MOST_RECORDING_BYTES, MOST_VOICE_BYTES

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An exported voice that was renamed once."""
    folder = tmp_path_factory.mktemp("exported")
    store = open_store(folder / "voices")
    voice = store.rename(store.add(new_voice(takes=2)).ref, "Mum")
    export_voice(store, voice, folder / "mum.voice")
    return (folder / "mum.voice").read_bytes()


def members(archive: bytes) -> Files:
    """The members of an archive."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def packed(files: Files, *, method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of those files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def refused(tmp_path: Path, archive: bytes, reason: str) -> None:
    """Assert that the import is refused for that reason and stores nothing."""
    path = tmp_path / "in.voice"
    path.write_bytes(archive)
    store = open_store(tmp_path / "voices")
    with pytest.raises(VoiceError, match=reason):
        import_voice(store, path)
    left = [found.name for found in tmp_path.rglob("*") if found.is_file()]
    assert sorted(left) == [".lock", ".reserve", "in.voice"]


def test_a_voice_travels_whole(tmp_path: Path, exported: bytes) -> None:
    """An imported voice has the same id, files and name; a second import changes nothing."""
    (tmp_path / "mum.voice").write_bytes(exported)
    store = open_store(tmp_path / "voices", device="bedroom")
    voice = import_voice(store, tmp_path / "mum.voice")
    assert (voice.name, voice.card.device) == ("Mum", "kitchen")
    assert store.files(voice).keys() == {"reference.flac", "take-2.flac", "consent.json", "quality.json"}
    assert import_voice(store, tmp_path / "mum.voice") == voice
    export_voice(store, voice, tmp_path / "again.voice")
    assert (tmp_path / "again.voice").read_bytes() == exported


def test_a_later_rename_is_not_undone_by_an_import(tmp_path: Path, exported: bytes) -> None:
    """A local name newer than the archive's is kept."""
    (tmp_path / "mum.voice").write_bytes(exported)
    store = open_store(tmp_path / "voices")
    voice = import_voice(store, tmp_path / "mum.voice")
    store.rename(voice.ref, "Granny")
    assert import_voice(store, tmp_path / "mum.voice").name == "Granny"


def test_a_deleted_voice_does_not_come_back_from_an_archive(tmp_path: Path, exported: bytes) -> None:
    """An archive of a deleted voice is refused."""
    (tmp_path / "mum.voice").write_bytes(exported)
    store = open_store(tmp_path / "voices")
    store.delete(import_voice(store, tmp_path / "mum.voice").ref)
    with pytest.raises(VoiceError, match="stays deleted"):
        import_voice(store, tmp_path / "mum.voice")
    assert not contents(store)


@pytest.mark.parametrize("name", ["../a.flac", "/etc/a.flac", "a/b.flac", "..\\a.flac", "C:a.flac", "a\0.flac"])
def test_traversal_is_refused(tmp_path: Path, exported: bytes, name: str) -> None:
    """A member name with a path, in any spelling, is refused."""
    raw = packed({**members(exported), "x" * len(name): b"evil"}).replace(b"x" * len(name), name.encode())
    refused(tmp_path, raw, "leads out of the voice")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, exported: bytes, kind: int) -> None:
    """A member that is no regular file is refused."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members(exported).items():
            archive.writestr(name, data)
        special = zipfile.ZipInfo("reference-2.flac")
        special.external_attr = (kind | 0o777) << 16
        archive.writestr(special, b"/etc/passwd")
    refused(tmp_path, out.getvalue(), "link, a device")


def test_bombs_are_refused(tmp_path: Path, exported: bytes) -> None:
    """An archive too large when unpacked, with too many files, or with false sizes is refused."""
    files = members(exported)
    zeros = b"\0" * (MOST_RECORDING_BYTES + 1)
    refused(tmp_path, packed({**files, "b.flac": zeros}, method=zipfile.ZIP_DEFLATED), "would unpack to 16777217 bytes")
    five = {f"b{n}.flac": zeros[:-1] for n in range(5)}
    refused(tmp_path, packed({**files, **five}, method=zipfile.ZIP_DEFLATED), f"more than {MOST_VOICE_BYTES} bytes")
    many = {f"b{n}.flac": b"" for n in range(MOST_MEMBERS)}
    refused(tmp_path, packed({**files, **many}), "a voice has at most")
    liar = bytearray(packed({"voice.json": b" " * 60000}, method=zipfile.ZIP_DEFLATED))
    directory = liar.rindex(b"PK\x01\x02")
    struct.pack_into("<I", liar, directory + 24, 100)
    refused(tmp_path, bytes(liar), "not a readable voice archive")


@pytest.mark.parametrize("offset", [2**62, 2**63, 2**64 - 1])
def test_a_file_that_lies_beyond_all_disks_is_refused(tmp_path: Path, exported: bytes, offset: int) -> None:
    """A zip64 offset beyond the system's integers is refused by name."""
    entry, end = exported.index(b"PK\x01\x02"), exported.index(b"PK\x05\x06")
    name = int.from_bytes(exported[entry + 28 : entry + 30], "little")
    extra = struct.pack("<HHQ", 1, 8, offset)
    head = bytearray(exported[entry : entry + 46 + name])
    struct.pack_into("<H", head, 30, len(extra))
    struct.pack_into("<I", head, 42, 0xFFFFFFFF)  # the offset is in the extra field
    archive = exported[:entry] + bytes(head) + extra + exported[entry + 46 + name : end]
    tail = bytearray(exported[end:])
    struct.pack_into("<I", tail, 12, len(archive) - entry)
    refused(tmp_path, archive + bytes(tail), "not a readable voice archive")


@pytest.mark.parametrize("name", ["features.npz", "weights.pth", "x.pkl"])
def test_arrays_and_pickles_are_refused_unread(tmp_path: Path, exported: bytes, name: str) -> None:
    """An array file is refused by its name, unread."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "executed",)

    arrays = io.BytesIO()
    np.savez(arrays, prompt_tokens=np.array([Bomb()], dtype=object))
    refused(tmp_path, packed({**members(exported), name: arrays.getvalue()}), "never imported")


def flip(name: str) -> Callable[[Files], Files]:
    """Change one byte of a file."""
    return lambda files: {**files, name: files[name][:40] + bytes([files[name][40] ^ 1]) + files[name][41:]}


def without(name: str) -> Callable[[Files], Files]:
    """Leave a file out."""
    return lambda files: {kept: data for kept, data in files.items() if kept != name}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (flip("reference.flac"), "reference.flac: is damaged"),
        (flip("consent.json"), "consent.json: is damaged"),
        (flip("name.json"), "name.json"),
        (lambda files: {**files, "voice.json": files["voice.json"].replace(b"anna", b"bert")}, "belongs to voice"),
        (lambda files: {**files, "more.flac": b"fLaC"}, "do not agree: more.flac"),
        (without("take-2.flac"), "do not agree: take-2.flac"),
        (without("voice.json"), "has no voice.json"),
        (lambda files: {**files, "voice.json": b"[" * 60000}, "voice.json"),
        (lambda files: {**files, "voice.json": b'{"format": 2}'}, "voice.json"),
    ],
)
def test_what_does_not_fit_its_hash_is_refused(
    tmp_path: Path, exported: bytes, change: Callable[[Files], Files], reason: str
) -> None:
    """A file that is missing or does not match the card is refused."""
    refused(tmp_path, packed(change(members(exported))), reason)


def test_no_consent_no_import(tmp_path: Path) -> None:
    """An archive of a voice without consent is refused unless the configuration allows it."""
    store = open_store(tmp_path / "lax", consent=False)
    export_voice(store, store.add(new_voice(consent=False)), tmp_path / "v.voice")
    archive = (tmp_path / "v.voice").read_bytes()
    (tmp_path / "strict").mkdir()
    refused(tmp_path / "strict", archive, "no consent record")
    assert import_voice(open_store(tmp_path / "lax2", consent=False), tmp_path / "v.voice")


def test_other_formats_are_refused(tmp_path: Path, exported: bytes) -> None:
    """A tar file, another compression, an encrypted member, an empty or a huge file is refused."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../x"), io.BytesIO(b""))
    for data in (tar.getvalue(), b"", exported[:-30]):
        refused(tmp_path, data, "not a readable voice archive")
    refused(tmp_path, packed(members(exported), method=zipfile.ZIP_BZIP2), "unusual method")
    locked = bytearray(exported)
    locked[exported.rindex(b"PK\x01\x02") + 8] |= 1
    refused(tmp_path, bytes(locked), "is encrypted")
    twice = packed({"name.json": b"1", "nane.json": b"2"}).replace(b"nane", b"name")
    refused(tmp_path, twice, "twice")
    with pytest.raises(VoiceError, match="cannot be read"):
        import_voice(open_store(tmp_path / "voices"), tmp_path / "nothing.voice")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mangled_archive_is_the_same_voice_or_refused(exported: bytes, tmp_path: Path, data: st.DataObject) -> None:
    """After any change of its bytes the import raises VoiceError or stores exactly the exported voice."""
    mangled = bytearray(exported)
    for _ in range(data.draw(st.integers(1, 4))):
        # mostly in the table of contents at the end: that is where lies are told
        at = data.draw(st.integers(0, len(mangled) - 1) | st.integers(len(mangled) - 500, len(mangled) - 1))
        mangled[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path = tmp_path / "in.voice"
    path.write_bytes(mangled)
    store = open_store(tmp_path / "voices")
    try:
        import_voice(store, path)
    except VoiceError:
        return
    assert store.files(store.stored().voices[0]).items() <= members(exported).items()
    assert len(store.stored(thorough=True).voices) == 1
