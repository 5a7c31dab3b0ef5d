"""The folder of a model set: its manifest's name and the files it lists; what converter and `model_sets` share."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

from edge_tts.errors import ModelError

MANIFEST = "manifest.json"
FORMAT = 1
"""The manifest's key `format`."""
CPU_FLAVOUR = "cpu"
"""The flavour for processors, and the folder in a set that brings it."""
INT8_FLAVOUR = "int8w"
"""The same with the GPT's weights in 8 bits."""
MIN_TOKENS_PER_PHONEME, MAX_TOKENS_PER_PHONEME = 1.0, 25 / 3
"""GPT-SoVITS' pace: its weights are trained on 3 to 25 phonemes a second (`AR/data/dataset.py`), at 25 tokens."""


def named_files(folder: Path) -> frozenset[str]:
    """The set's files, manifest included, as relative names. Raises ModelError."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError as missing:
        raise ModelError(f"{folder}: is no model set, it has no {MANIFEST}") from missing
    except (OSError, ValueError, RecursionError) as broken:
        raise ModelError(f"{folder}: {MANIFEST} cannot be read ({broken})") from broken
    files = manifest.get("files") if isinstance(manifest, dict) and manifest.get("format") == FORMAT else None
    if not isinstance(files, dict) or "family" not in manifest:
        raise ModelError(f"{folder}: its {MANIFEST} is not that of a model set")
    return frozenset({MANIFEST, *(PurePosixPath(name).as_posix() for name in files)})


def unnamed_files(folder: Path) -> list[str]:
    """Relative names of the files and links that the manifest does not list. Raises ModelError, OSError."""
    named, present = named_files(folder), []
    for home, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(home, name))]
        present += [Path(home, name).relative_to(folder).as_posix() for name in (*files, *links)]
    return sorted(name for name in present if name not in named)
