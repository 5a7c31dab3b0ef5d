"""The commands `sync`, `voices export` and `voices import`."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_tts.cli.forgetting import export_everything
from edge_tts.cli.local_caller import local_caller
from edge_tts.config import Config
from edge_tts.errors import ConfigError, TransportError
from edge_tts.voices.archive import export_voice, import_voice
from edge_tts.voices.local_voices import open_store, voice_sync
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.notes import SyncReport

AddParser = Callable[..., argparse.ArgumentParser]


def command_sync(arguments: argparse.Namespace, config: Config) -> int:
    """Status 1 when a voice could not be synced. Raises TransportError when the bucket is out of reach."""
    sync = voice_sync(config, open_store(config))
    if sync is None:
        raise ConfigError("there is nothing to sync with: bucket.url is null")
    os.umask(0o077)  # recordings are not for other accounts
    report = sync(thorough=arguments.thorough)
    if report.status == "failed":
        raise TransportError(report.error)
    print(sync_line(report, now=time.time()))
    for problem in report.problems:
        print(f"  {problem}")
    if report.more_problems:
        print(f"  and {report.more_problems} more")
    return 1 if report.problems else 0


def command_export(arguments: argparse.Namespace, config: Config) -> int:
    """Write an enrolled voice, its consent included, to a file; with `everything` all that is held about it."""
    if arguments.everything:
        return export_everything(arguments.voice, config, Path(arguments.out) if arguments.out else None)
    store = open_store(config, caller=str(local_caller()))
    voice = store.find(arguments.voice)
    path = Path(arguments.out or f"{voice.ref.id[:8]}.voice")
    export_voice(store, voice, path)
    print(path)
    return 0


def command_import(arguments: argparse.Namespace, config: Config) -> int:
    """Import a voice from a file that `export` wrote."""
    print(import_voice(open_store(config, caller=str(local_caller())), Path(arguments.file)).ref.id)
    return 0


def last_sync(config: Config, store: VoiceStore, *, now: float) -> str:
    """One line about the last sync of any process; empty without a bucket."""
    sync = voice_sync(config, store)
    return "" if sync is None else sync_line(sync.last(), now=now)


def sync_line(report: SyncReport, *, now: float) -> str:
    """One line about a sync; `now` is in seconds since 1970."""
    if report.status == "never" or report.finished is None:
        return f"sync with {report.bucket}: never yet"
    parts = [f"sync with {report.bucket}: {report.status} {_ago(now - report.finished)}"]
    counts = {"sent": report.sent, "fetched": report.fetched, "deleted": report.deleted, "renamed": report.renamed}
    parts += [f"{count} {what}" for what, count in counts.items() if count]
    if report.status != "done":
        since = "never" if report.last_success is None else _ago(now - report.last_success)
        parts.append(f"last complete {since}")
    if report.error:
        parts.append(report.error)
    if report.problems:
        count = len(report.problems) + report.more_problems
        parts.append(f"{count} problem(s), the first: {report.problems[0]}")
    return ", ".join(parts)


def add_sync(commands: Any, add: AddParser) -> None:
    more = "The daemon does so by itself, every bucket.interval_s seconds and after every change."
    parser = add(commands, "sync", says="sync enrolled voices with the bucket now", more=more)
    parser.add_argument("--thorough", action="store_true", help="read and hash everything again, here and there")
    parser.set_defaults(command=command_sync)


def add_carrying(group: Any, add: AddParser) -> None:
    parser = add(group, "export", says="write an enrolled voice to a file, to carry it to another device")
    parser.add_argument("voice", help="its id (6 digits will do) or its name")
    parser.add_argument("--out", metavar="FILE", help="default: the first digits of its id, with .voice")
    parser.add_argument(
        "--everything",
        action="store_true",
        help="a zip of all that this device and the bucket hold about it, for the person whose voice it is",
    )
    parser.set_defaults(command=command_export)
    parser = add(group, "import", says="take a voice from a file that `export` wrote")
    parser.add_argument("file", help="what `export` wrote; anything else is refused with the reason")
    parser.set_defaults(command=command_import)


def _ago(seconds: float) -> str:
    """A time span in one unit; a negative one, after a clock was set back, is 0 s."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
