"""The command that shows what a sound file says of itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_tts.audio.metadata import read_metadata
from edge_tts.config import Config
from edge_tts.errors import one_line
from edge_tts.schema import readable_json

AddParser = Callable[..., argparse.ArgumentParser]


def add_parser(commands: Any, add: AddParser) -> None:
    parser = add(
        commands,
        "inspect",
        says="show what a sound file says of itself: that a machine made it, with what, in which voice",
        more="Reads WAV, FLAC, Ogg and MP3. A file that says nothing may be anything: metadata are easily removed.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(command=command_inspect)


def command_inspect(arguments: argparse.Namespace, config: Config) -> int:
    """Raises AudioError."""
    form, fields = read_metadata(arguments.file)
    said = _provenance(fields)
    if arguments.json:
        print(readable_json({"file": str(arguments.file), "format": form, **said, "metadata": fields}))
        return 0
    print(f"{arguments.file}: {form}")
    for name, value in {**said, **fields}.items():
        if name != "comment" or not said:
            print(f"{name:14} {one_line(value if isinstance(value, str) else json.dumps(value))}")
    if "ai_generated" not in said and "AIGC" not in fields:
        print("it does not say whether a machine made it")
    return 0


def _provenance(fields: dict[str, str]) -> dict[str, Any]:
    """What our own files have in their comment; empty for others."""
    try:
        said = json.loads(fields.get("comment", ""))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and "ai_generated" in said else {}
