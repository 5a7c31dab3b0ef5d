"""The command that shows what a sound file says of itself."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_tts.audio.features import resample
from edge_tts.audio.foreign_sound import decode_file
from edge_tts.audio.inaudible_mark import RATE, THRESHOLD, mark_score
from edge_tts.audio.metadata import read_metadata
from edge_tts.config import Config
from edge_tts.errors import AudioError, one_line
from edge_tts.schema import readable_json

AddParser = Callable[..., argparse.ArgumentParser]


def add_parser(commands: Any, add: AddParser) -> None:
    parser = add(
        commands,
        "inspect",
        says="show what a sound file says of itself: that a machine made it, with what, in which voice",
        more="Reads WAV, FLAC, Ogg and MP3, and looks for the inaudible mark (marking.inaudible) in the sound. A file "
        "that says nothing may be anything: metadata are easily removed.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(command=command_inspect)


def command_inspect(arguments: argparse.Namespace, config: Config) -> int:
    """Raises AudioError."""
    form, fields = read_metadata(arguments.file)
    said, mark = _provenance(fields), _mark(arguments.file)
    if arguments.json:
        told = {"file": str(arguments.file), "format": form, **said, "inaudible_mark": mark, "metadata": fields}
        print(readable_json(told))
        return 0
    print(f"{arguments.file}: {form}")
    for name, value in {**said, "inaudible_mark": mark, **fields}.items():
        if name != "comment" or not said:
            print(f"{name:14} {one_line(value if isinstance(value, str) else json.dumps(value))}")
    if "ai_generated" not in said and "AIGC" not in fields and not mark["found"]:
        print("it does not say whether a machine made it")
    return 0


def _mark(path: Path) -> dict[str, Any]:
    """Whether the sound has the inaudible mark."""
    try:
        sound = decode_file(path)
    except AudioError as error:
        return {"found": False, "why": str(error)}
    mono = sound.samples if sound.samples.ndim == 1 else sound.samples.mean(axis=1)
    score = mark_score(resample(mono, sound.sample_rate, RATE))
    return {"found": score > THRESHOLD, "score": round(score, 1), "threshold": THRESHOLD}


def _provenance(fields: dict[str, str]) -> dict[str, Any]:
    """What our own files have in their comment; empty for others."""
    try:
        said = json.loads(fields.get("comment", ""))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and "ai_generated" in said else {}
