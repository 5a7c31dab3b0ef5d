"""A signed part of config.yaml for a group of devices: what it may change, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from edge_tts.config import Config, ConfigSource, Name
from edge_tts.errors import ConfigError, FleetError, TextError, one_line
from edge_tts.model_sets.loading import open_lexicon
from edge_tts.schema import Field, Record, check_json
from edge_tts.yaml_file import BrokenYamlError, parse_yaml

OVERLAY = "application/vnd.edge-tts.overlay+json"
"""The envelope's type."""
OPEN = frozenset(
    "voice home_assistant hermes wyoming http audio cache results text voices enrolment limits health service_level"
    " content marking access audit".split()
)
"""Keys of config.yaml that an overlay may hold, and `mqtt.groups` and `mqtt.group_delay_s`."""
OWN = frozenset({"device", "state_dir", "mqtt", "models", "engine", "bucket", "fleet", "ducking", "log", "remote"})
"""Those that stay the device's own: they name it, run commands, decide where it is reached and whom
it trusts, or are read once."""
CLOSED = frozenset(
    {"enrolment.enabled", "enrolment.remote", "enrolment.min_volume", "voices.require_consent", "content.command"}
)
"""What guards people in front of the device, and what runs a program, within sections that are open."""
_OPEN_BELOW = {"mqtt": frozenset({"groups", "group_delay_s"})}
_MOST_CHARS = 1 << 17
_MOST_SHOWN = 200


class Overlay(Record):
    """overlays/GROUP.json"""

    format: Literal[1] = 1
    counter: int = Field(ge=1, lt=1 << 53)
    """Of the document: a device takes none that is lower than what it has seen of its group."""
    group: Name
    signed_at: float = Field(ge=0, le=253402300799)
    """Seconds since 1970."""
    expires: float = Field(ge=0, le=253402300799)
    """Nobody takes it up afterwards; where it runs it stays."""
    text: str = Field(max_length=_MOST_CHARS)
    """YAML."""


def parse_overlay(payload: bytes) -> Overlay:
    """Raises FleetError."""
    return check_json(Overlay, payload, error=FleetError, what="overlay")


def payload_of_overlay(overlay: Overlay) -> bytes:
    """What is signed."""
    return json.dumps(overlay.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()


def overlaid(source: ConfigSource, text: str) -> Config:
    """The configuration under the overlay `text`: mappings are merged, all else is replaced. Raises ConfigError for
    what is not valid, or not the overlay's to change."""
    try:
        values = parse_yaml(text.encode())
    except BrokenYamlError as broken:
        raise ConfigError(f"overlay: cannot be read as YAML: {broken}") from None
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ConfigError("overlay: is no mapping of keys")
    for path in _paths(values):
        _require_open(path)
    base = source.values if isinstance(source.values, dict) else {}
    config = replace(source, values=_merged(base, values), what="overlay").config()
    shown = _leaves(config.model_dump())
    for path in _paths(values):
        if any(_has_path(value) for key, value in shown.items() if key == path or key.startswith(f"{path}.")):
            raise ConfigError(f"overlay: key '{path}': names a file, which only the device's own config.yaml may do")
    try:
        open_lexicon(config)
    except TextError as wrong:
        raise ConfigError(f"overlay: {wrong}") from wrong
    return config


def differences(before: Config, after: Config) -> list[str]:
    """One line for each key that is another one: `audio.volume: 100.0 -> 40.0`."""
    old, new = _leaves(before.model_dump(mode="json")), _leaves(after.model_dump(mode="json"))
    lines = []
    for path in sorted(old.keys() | new.keys()):
        if old.get(path, _ABSENT) != new.get(path, _ABSENT):
            lines.append(f"{one_line(path, most=100)}: {_shown(old, path)} -> {_shown(new, path)}")
    return lines


_ABSENT = object()


def _has_path(value: object) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_path, value))
    if isinstance(value, dict):
        return any(map(_has_path, value.values()))
    return isinstance(value, Path)


def _shown(leaves: Mapping[str, Any], path: str) -> str:
    if path not in leaves:
        return "none"
    return one_line(json.dumps(leaves[path], ensure_ascii=False), most=_MOST_SHOWN)


def _require_open(path: str) -> None:
    section, _, below = path.partition(".")
    if path in CLOSED:
        raise ConfigError(
            f"overlay: key '{path}' guards the people at the device or runs a program: only its own config.yaml sets it"
        )
    if section not in OPEN and below.partition(".")[0] not in _OPEN_BELOW.get(section, ()):
        known = ", ".join(sorted(OPEN))
        raise ConfigError(f"overlay: key '{path}' is the device's own; an overlay may hold {known} and mqtt.groups")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merged(below, value) if both and isinstance(below, dict) else value
    return merged


def _paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of the leaves; an empty mapping is one."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        leaves |= _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return leaves
