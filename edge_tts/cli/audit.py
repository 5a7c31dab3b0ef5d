"""The command that shows the audit log."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from edge_tts.config import Config
from edge_tts.durable.audit_log import AuditLine, open_audit
from edge_tts.errors import ConfigError, PayloadError, UnknownVoiceError, VoiceError, one_line
from edge_tts.voices.local_voices import open_store

AddParser = Callable[..., argparse.ArgumentParser]

_SPANS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_SHOWN_FIRST = ("time", "event", "by", "caller", "voice", "owner")


def command_audit(arguments: argparse.Namespace, config: Config) -> int:
    """Print lines, the oldest first."""
    since, until = _time(arguments.since, 0.0), _time(arguments.until, float("inf"))
    voice = None if arguments.voice is None else _voice(config, arguments.voice)
    try:
        read = open_audit(config, clock=time.time).read()
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be read ({error.strerror}); use the daemon's account") from error
    for line in read.lines:
        there = (voice is None or str(line.get("voice", "")).startswith(voice)) and _is_by(line, arguments.caller)
        if there and since <= _at(line) <= until and arguments.event in (None, line.get("event")):
            print(json.dumps(line, ensure_ascii=False) if arguments.json else _text(line))
    if read.damaged:
        print(f"edge-ttsd: {read.damaged} damaged lines are left out", file=sys.stderr)
    return 0


def _at(line: AuditLine) -> float:
    at = line.get("time")
    return float(at) if isinstance(at, int | float) else 0.0


def _is_by(line: AuditLine, caller: str | None) -> bool:
    """By any word of who it was: front door, name, address."""
    return caller is None or caller.casefold() in str(line.get("caller", "")).casefold().split()


def _text(line: AuditLine) -> str:
    when = datetime.fromtimestamp(_at(line)).isoformat(sep=" ", timespec="seconds")
    more = "  ".join(f"{key}={_value(value)}" for key, value in line.items() if key not in _SHOWN_FIRST)
    who = line.get("caller") or f"device {line.get('by', '')}"
    parts = (when, f"{line.get('event', '')!s:16}", f"{who!s:28}", str(line.get("voice", "")), more)
    return one_line("  ".join(part for part in parts if part))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(text: str | None, default: float) -> float:
    """Seconds since 1970 of a date, a date and time, or a span before now (30m, 12h, 7d). Raises PayloadError."""
    if text is None:
        return default
    span = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if span is not None:
        return (datetime.now() - timedelta(seconds=int(span[1]) * _SPANS[span[2]])).timestamp()
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise PayloadError(f"'{text}' is no time: give one as in 2026-11-28, '2026-11-28 14:00', 12h or 7d") from None


def _voice(config: Config, query: str) -> str:
    """The id of a voice by its name, or the beginning of an id. Raises UnknownVoiceError."""
    try:
        return open_store(config).find_deletable(query).id
    except (UnknownVoiceError, VoiceError):
        if re.fullmatch(r"[0-9a-f]{6,32}", query):
            return query  # deleted long ago
        raise


def add_audit(commands: Any, add: AddParser) -> None:
    parser = add(
        commands,
        "audit",
        says="show who did what to voices, model sets, access and configuration",
        more="With audit.speech also who had what voice say how many characters. Example: edge-ttsd audit --since 7d "
        "--voice Anna",
    )
    parser.add_argument("--since", metavar="TIME", help="2026-11-28, '2026-11-28 14:00', or 30m, 12h, 7d ago")
    parser.add_argument("--until", metavar="TIME", help="the same")
    parser.add_argument("--caller", help="name, address or front door of who did it")
    parser.add_argument("--voice", help="a voice's name or id; of a deleted one the first 6 digits of its id")
    parser.add_argument("--event", help="enrolled, renamed, shared, deleted, said, configured, models/activate, ...")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    parser.set_defaults(command=command_audit)
