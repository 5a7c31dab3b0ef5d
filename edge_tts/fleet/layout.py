"""Where in the bucket things of a fleet lie, beside the voices."""

from __future__ import annotations

CURRENT = "releases/release.json"
"""Replaced by each later one."""
PENDING = "releases/pending.json"
"""Signed by one of two."""
HISTORY = "releases/history/"
"""COUNTER.json, all that were ever published."""
FILES = "releases/files/"
"""SHA256 of each file of a model set."""
OUTCOMES = "releases/outcomes/"
"""NUMBER/ok/DEVICE and NUMBER/failed/DEVICE: counted by one request."""
REPORTS = "fleet/"
"""DEVICE.json, written by the device."""
OVERLAYS = "overlays/"
"""GROUP.json, and pending/GROUP.json, which waits for its second signature."""


def history_path(counter: int) -> str:
    return f"{HISTORY}{counter:020d}.json"


def outcome_path(number: int, outcome: str, device: str) -> str:
    return f"{OUTCOMES}{number}/{outcome}/{device}"


def report_path(device: str) -> str:
    return f"{REPORTS}{device}.json"


def overlay_path(group: str) -> str:
    return f"{OVERLAYS}{group}.json"


def pending_overlay_path(group: str) -> str:
    return f"{OVERLAYS}pending/{group}.json"
