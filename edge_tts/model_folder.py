"""The folder of a model set: what its manifest is called and which files it names. What else it says is not read here.

The converter writes such folders and `model_sets` reads them; this is what both must agree on.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

from edge_tts.errors import ModelError

MANIFEST = "manifest.json"
FORMAT = 1
"""Of the manifest; its key `format`."""


def named_files(folder: Path) -> frozenset[str]:
    """The files of the set in `folder`, its manifest included. Raises ModelError when it is no set of ours."""
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
    """What lies in the folder of a set and is not named by its manifest: files, links and the like, by relative name.
    Links to folders are not followed. Raises ModelError when there is no manifest of ours, OSError."""
    named, found = named_files(folder), []
    for home, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(home, name))]
        found += [Path(home, name).relative_to(folder).as_posix() for name in (*files, *links)]
    return sorted(name for name in found if name not in named)
