"""The commands for a person who asks what is held about a voice, or wants it gone: `voices export --everything`,
`voices forget`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from edge_tts.buckets.bucket import Bucket
from edge_tts.buckets.credentials import read_secrets
from edge_tts.cli.local_caller import local_caller
from edge_tts.config import Config
from edge_tts.durable.audit_log import open_audit
from edge_tts.errors import TransportError, UnknownVoiceError, VoiceError
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.held_data import HeldItem, in_bucket, on_device, remove_made, remove_results, write_archive
from edge_tts.voices.local_voices import bucket_place, open_store, voice_sync
from edge_tts.voices.store import VoiceStore

AddParser = Callable[..., argparse.ArgumentParser]

_SHORTEST = 6
_UNPROVEN = (
    "an archive that somebody exported or carried away",
    "devices that have not synced since: each deletes the voice at its next sync",
    "names and texts in the system's journal (`journalctl --vacuum-time`), and backups of this disk",
    "old versions where a bucket keeps them and does not say so, as Google's",
    "bytes that flash memory has not overwritten yet (disk encryption helps)",
)
"""What a listing here cannot show."""


def export_everything(query: str, config: Config, path: Path | None) -> int:
    """All that is held about a voice, in one archive. Status 1 where something could not be read."""
    store = open_store(config, caller=str(local_caller()))
    ref = _find(store, query)
    path = path or Path(f"{ref.id[:8]}-everything.zip")
    with _disk_errors(), ExitStack() as stack:
        items, bucket, unread = on_device(config, ref), None, list[str]()
        try:
            bucket = stack.enter_context(_bucket(config))
            items += [] if bucket is None else in_bucket(bucket, ref)
        except TransportError as error:
            unread.append(f"the bucket: {error}")
        unread += write_archive(path, items, audit=open_audit(config, clock=time.time), bucket=bucket, ref=ref)
    store.note("exported", ref)
    for problem in unread:
        print(f"edge-ttsd: not in the archive: {problem}", file=sys.stderr)
    print(f"{path}: {len(items)} files and objects of {ref.owner}/{ref.id}")
    return 1 if unread else 0


def command_forget(arguments: argparse.Namespace, config: Config) -> int:
    """Delete a voice for good here and in the bucket, and list what is left. Status 1 where it is more than it should
    be, or cannot be seen."""
    os.umask(0o077)
    store = open_store(config, caller=str(local_caller()))
    ref = _find(store, arguments.voice)
    store.recover()  # what a crash left unfinished has no id yet
    if ref not in store.tombstones():
        store.delete(ref)
    with _disk_errors():
        remove_made(config, ref)
    blind = _delete_in_bucket(config, store)
    with _disk_errors():
        held = on_device(config, ref)
    try:
        with _bucket(config) as bucket:
            if bucket is not None:
                remove_results(bucket, ref)
                held += in_bucket(bucket, ref)
                versions = any(bucket.keeps_versions(item.path) for item in held if item.where == "bucket")
                blind += [_VERSIONS] if versions else []
    except TransportError as error:
        blind.append(f"what is in the bucket: {error}")
    return _show(ref, held, blind)


_VERSIONS = (
    "old versions in the bucket: it keeps what is deleted; remove them by the provider's tools (for S3 `aws s3api "
    "list-object-versions --prefix`) and switch versioning off"
)


def _delete_in_bucket(config: Config, store: VoiceStore) -> list[str]:
    """What kept the sync from looking; what it could not do is listed afterwards."""
    sync = voice_sync(config, store)
    report = None if sync is None else sync()
    if report is None or report.status != "failed":
        return []
    return [f"that the bucket has deleted it: {report.error}"]


def _show(ref: VoiceRef, held: Sequence[HeldItem], blind: Sequence[str]) -> int:
    left = [item for item in held if item.about and not item.stays]
    for item in held:
        word = "kept" if item.stays else "LEFT" if item.about else "named"
        why = item.stays or ("" if item.about else "has its id alone, and goes by itself")
        print(f"{word:5} {item.where:6} {item.path}" + (f"  ({why})" if why else ""))
    if left:
        print(f"{ref.owner}/{ref.id}: {len(left)} files or objects are left; stop what uses them, and run this again")
    elif not blind:
        print(f"{ref.owner}/{ref.id}: nothing else is left of it")
    for what in (*blind, *_UNPROVEN):
        print(f"not shown by this: {what}")
    return 1 if left or blind else 0


def _find(store: VoiceStore, query: str) -> VoiceRef:
    """Also a voice that is deleted already, by its id. Raises UnknownVoiceError."""
    try:
        return store.find_deletable(query)
    except UnknownVoiceError:
        deleted = [ref for ref in store.tombstones() if len(query) >= _SHORTEST and ref.id.startswith(query)]
        if len(deleted) != 1:
            raise
        return deleted[0]


@contextmanager
def _disk_errors() -> Iterator[None]:
    """OSError -> VoiceError."""
    try:
        yield
    except OSError as error:
        raise VoiceError(f"{error.filename}: {error.strerror or error}") from error


@contextmanager
def _bucket(config: Config) -> Iterator[Bucket | None]:
    """None without one. Raises TransportError."""
    place = bucket_place(config)
    if place is None:
        yield None
        return
    with Bucket(place=place, secrets=read_secrets(place.kind, os.environ), used_before=True) as bucket:
        yield bucket


def add_forget(group: Any, add: AddParser) -> None:
    parser = add(
        group,
        "forget",
        says="delete a voice for good, here and in the bucket, and list what is left of it",
        more="Status 1 when anything is left that should not be. By its id it can be asked again later.",
    )
    parser.add_argument("voice", help="its id (6 digits will do) or its name")
    parser.set_defaults(command=command_forget)
