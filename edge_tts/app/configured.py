"""Which keys of the configuration, and which model sets, changed since the last start, for the audit log."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from edge_tts.config import Config
from edge_tts.durable.audit_log import AuditLog
from edge_tts.durable.hashes import sha256_of
from edge_tts.durable.state_file import StateFile
from edge_tts.errors import ConfigError
from edge_tts.front_doors.http.tokens import read_tokens
from edge_tts.model_folder import MANIFEST
from edge_tts.model_sets.manifest import installed_model_sets
from edge_tts.schema import Field, Record

log = logging.getLogger(__name__)


class _Seen(Record):
    """configured.json: dotted key -> hash of its value, name of a set -> hash of its manifest."""

    keys: dict[str, str] = Field(default={})
    sets: dict[str, str] = Field(default={})


def note_configuration(config: Config, audit: AuditLog) -> None:
    """Tells which keys changed, tokens by their names, and never a value. Who edited the file it cannot know."""
    file = StateFile(config.state_dir / "configured.json", _Seen, what="the configuration of the last start")
    before, now = file.read(_Seen()), _Seen(keys=dict(_hashed(config)), sets=dict(_sets(config)))
    if before == now:
        return
    if not before.keys:
        audit.note("configured", {"first": True})
    for event, old, new in (("configured", before.keys, now.keys), ("model sets", before.sets, now.sets)):
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        if changed and before.keys:
            audit.note(event, {"changed": changed})
    try:
        file.write(now)
    except OSError as error:
        log.warning("what is configured now will be told at the next start, too: %s", error)


def _hashed(config: Config) -> Iterator[tuple[str, str]]:
    values: dict[str, Any] = config.model_dump(mode="json")
    try:
        tokens = read_tokens(config.http.token_file) or {}
    except ConfigError:  # the server says so
        tokens = {}
    values["http"]["tokens"] = {name or "token": token for token, name in tokens.items()}
    for key, value in _leaves(values):
        yield key, hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _sets(config: Config) -> Iterator[tuple[str, str]]:
    for name in installed_model_sets(config.models.dir):
        with suppress(OSError):  # removed meanwhile
            yield name, sha256_of(config.models.dir / name / MANIFEST)


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
