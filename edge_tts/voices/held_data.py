"""Everything that this device and the bucket hold about a voice: to hand it over, and to show that it is gone.

What is about the voice lies under its id, or under a hash of it (phrases, results). What merely has the id in it (a
request that waits, the audit log) is found by its content.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from edge_tts.buckets.bucket import Blob, ListedObject
from edge_tts.buckets.folder_bucket import ROOT
from edge_tts.config import Config
from edge_tts.durable.atomic import replacing
from edge_tts.durable.audit_log import AuditLog
from edge_tts.errors import TransportError
from edge_tts.speaking.bucket_results import FOLDER
from edge_tts.voices.format import MOST_RECORDING_BYTES, VoiceRef
from edge_tts.voices.sync.executor import NOTES

_BLOCK = 1 << 20
_SOUND = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"})
"""Of a file of sound that was made; its metadata names the voice."""
_HASH_DIGITS = 32


@dataclass(frozen=True, slots=True)
class HeldItem:
    where: Literal["device", "bucket"]
    path: str
    size: int
    about: bool
    """False: it only mentions the voice."""
    stays: str = ""
    """Why it is kept when the voice is deleted; empty: it is not."""


class HeldObjects(Protocol):
    """The methods of `Bucket` that are used here."""

    def list(self, prefix: str) -> dict[str, ListedObject]: ...

    def get(self, path: str, *, most: int) -> Blob | None: ...

    def delete(self, path: str) -> None: ...


def on_device(config: Config, ref: VoiceRef) -> list[HeldItem]:
    """In the folders of voices, state, phrases and results, but not in the engines' and a bucket's. Raises OSError."""
    names, found = (ref.id, _hashed(ref)), list[HeldItem]()
    for path in _files(config):
        about = any(name in part for name in names for part in path.parts)
        if about or _mentions(path, ref.id.encode()):
            about |= path.suffix in _SOUND
            with suppress(FileNotFoundError):
                found.append(HeldItem("device", str(path), path.stat().st_size, about, _reason(path)))
    return found


def remove_made(config: Config, ref: VoiceRef) -> None:
    """Remove what was made with the voice and is named by its hash: phrases, results. Raises OSError."""
    for item in on_device(config, ref):
        if any(_hashed(ref) in part for part in Path(item.path).parts):
            Path(item.path).unlink(missing_ok=True)


def in_bucket(bucket: HeldObjects, ref: VoiceRef) -> list[HeldItem]:
    """Results of any device, too. Raises TransportError."""
    results = {path: one for path, one in bucket.list(FOLDER).items() if _hashed(ref) in path}
    listed = bucket.list(f"{ROOT}/{ref.owner}/{ref.id}") | results
    return [
        HeldItem("bucket", path, one.size, about=True, stays=_TOMBSTONE if "/tombstones/" in path else "")
        for path, one in sorted(listed.items())
    ]


def remove_results(bucket: HeldObjects, ref: VoiceRef) -> None:
    """Those in the bucket; the devices that kept them remove theirs when they learn of the deletion. Raises
    TransportError."""
    for item in in_bucket(bucket, ref):
        if item.path.startswith(f"{FOLDER}/"):
            bucket.delete(item.path)


def write_archive(
    path: Path, items: Sequence[HeldItem], *, audit: AuditLog, bucket: HeldObjects | None, ref: VoiceRef
) -> list[str]:
    """A zip of all that is about the voice, the requests that wait for it, its lines of the audit log, and an index;
    what could not be read. Raises OSError."""
    unread = []
    with replacing(path) as staged:
        staged.chmod(0o600)
        with zipfile.ZipFile(staged, "w", zipfile.ZIP_DEFLATED) as archive:
            for item in items:
                if item.about or "jobs" in Path(item.path).parts:  # other records are of others, too
                    try:
                        _add(archive, item, bucket)
                    except (OSError, TransportError) as error:
                        unread.append(f"{item.where}: {item.path}: {error}")
            lines = audit.lines(about=ref.id.encode())
            archive.writestr("audit.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
            index = {"voice": asdict(ref), "held": [asdict(item) for item in items], "unread": unread}
            archive.writestr("index.json", json.dumps(index, indent=1))
    return unread


def _add(archive: zipfile.ZipFile, item: HeldItem, bucket: HeldObjects | None) -> None:
    """Raises OSError."""
    name = f"{item.where}/{item.path.lstrip('/')}"
    if item.where == "device":
        archive.write(item.path, name)
    elif bucket is not None:
        blob = bucket.get(item.path, most=max(item.size, MOST_RECORDING_BYTES))
        if blob is None:
            raise FileNotFoundError(2, "it is gone meanwhile")
        archive.writestr(name, blob.data)


def _hashed(ref: VoiceRef) -> str:
    return hashlib.sha256(ref.id.encode()).hexdigest()[:_HASH_DIGITS]


def _files(config: Config) -> Iterator[Path]:
    """Each once, whatever lies in whatever."""
    roots = {config.voices.dir, config.state_dir, config.cache.dir, config.results.dir}
    left_out = {config.engine.cache_dir, config.models.dir}
    if config.bucket.url is not None and "://" not in config.bucket.url:
        left_out.add(Path(config.bucket.url))
    seen = set[Path]()
    for root in roots:
        for folder, folders, files in os.walk(root, onerror=_raise):
            here = Path(folder)
            folders[:] = [name for name in folders if here / name not in left_out]
            seen |= {here / name for name in files}
    yield from sorted(seen)


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # there is no cache, or a folder was removed meanwhile
        raise error


def _mentions(path: Path, needle: bytes) -> bool:
    """Raises OSError."""
    before = b""
    with suppress(FileNotFoundError):
        if not path.is_file():  # a FIFO would be waited for
            return False
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                if needle in before + block:
                    return True
                before = block[-len(needle) :]
    return False


_TOMBSTONE = "an id and a time, so that the voice cannot come back"


def _reason(path: Path) -> str:
    reasons: tuple[tuple[Callable[[Path], bool], str], ...] = (
        (lambda path: path.suffix == ".json" and ".deleted" in path.parts, _TOMBSTONE),
        (lambda path: path.name.startswith("audit.log"), "what was done with the id, without names"),
        (lambda path: path.name == NOTES, "that the bucket has the tombstone"),
        (lambda path: path.name == "settings.json", "that it was the default voice, until the daemon starts"),
    )
    return next((reason for holds, reason in reasons if holds(path)), "")
