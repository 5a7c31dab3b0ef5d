"""Fetches the files of a release: what was cut goes on where it was, what is on this device already is copied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from edge_tts.buckets.bucket import Bucket
from edge_tts.durable.folders import make_folder
from edge_tts.durable.fsync import sync_file, sync_folder
from edge_tts.durable.hashes import sha256_of
from edge_tts.errors import FleetError, TransportError
from edge_tts.fleet.layout import FILES
from edge_tts.fleet.release import Release, ReleasedFile

BLOCK = 2 << 20
"""Bytes of one request."""
SPARE_BYTES = 256 << 20
"""Of the disk that a download leaves free."""

Progress = Callable[[float], None]
"""Receives the share of the bytes that is here, 0 to 1; may raise to end the download."""


def fetch(
    release: Release,
    folder: Path,
    bucket: Bucket,
    *,
    copies: Mapping[str, Path] = {},
    progress: Progress = lambda share: None,
) -> None:
    """Fill `folder` with the files of a release, each compared with its signed hash, and nothing else.

    `copies`: sha256 -> a file on this device that should have it. Raises FleetError for bytes that were not signed and
    for a full disk, TransportError, OSError.
    """
    _remove_others(release, folder)
    missing = {name: file for name, file in release.files.items() if not _is_here(folder / name, file)}
    _require_space(make_folder(folder), sum(file.bytes for file in missing.values()))
    here = release.bytes - sum(file.bytes for file in missing.values())
    for name, file in missing.items():
        target = folder / name
        make_folder(target.parent)
        progress(here / max(1, release.bytes))
        if not _copied(copies.get(file.sha256), target, file):
            for size in _download(bucket, target, file):
                progress((here + size) / release.bytes)
        here += file.bytes
    progress(1.0)


def _is_here(path: Path, file: ReleasedFile) -> bool:
    """Whether a file is whole; one that is not is removed."""
    if not path.is_file():
        return False
    if path.stat().st_size == file.bytes and sha256_of(path) == file.sha256:
        return True
    path.unlink()
    return False


def _remove_others(release: Release, folder: Path) -> None:
    """What another release or anybody else left in `folder`, but for unfinished downloads of this one."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    wanted = {folder / name for name in release.files}
    wanted |= {_part(path) for path in wanted}
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or (path.is_file() and path not in wanted):
            path.unlink()
        elif path.is_dir() and (path in wanted or not any(path.iterdir())):
            shutil.rmtree(path)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        raise FleetError(
            f"{folder}: the release needs {needed / 1e6:.0f} MB more, but {free / 1e6:.0f} MB are free and"
            f" {SPARE_BYTES / 1e6:.0f} MB stay so; make room"
        )


def _copied(source: Path | None, target: Path, file: ReleasedFile) -> bool:
    """Whether another set of this device has the very bytes."""
    if source is None or not source.is_file():
        return False
    part = _part(target)
    shutil.copyfile(source, part)
    if part.stat().st_size != file.bytes or sha256_of(part) != file.sha256:
        part.unlink()
        return False
    _put_in_place(part, target)
    return True


def _download(bucket: Bucket, target: Path, file: ReleasedFile) -> Iterator[int]:
    """Yields how many bytes are here after each request."""
    part, path = _part(target), f"{FILES}{file.sha256}"
    with part.open("ab") as out:
        size = out.tell()
        while size < file.bytes:
            data = bucket.get_range(path, start=size, length=min(BLOCK, file.bytes - size))
            if not data:
                raise TransportError(f"the bucket lacks {path} from byte {size} on, which is {target.name}")
            out.write(data)
            sync_file(out)
            size += len(data)
            yield size
    if part.stat().st_size != file.bytes or sha256_of(part) != file.sha256:
        part.unlink()
        raise FleetError(f"{target.name}: the bucket gives out bytes that nobody signed ({path})")
    _put_in_place(part, target)


def _put_in_place(part: Path, target: Path) -> None:
    with part.open("rb+") as file:
        sync_file(file)
    part.replace(target)
    sync_folder(target.parent)
