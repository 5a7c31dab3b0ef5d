"""A folder as the transformers library keeps a network: config.json, weights, vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_tts.errors import CheckpointError

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_MOST_CONFIG_BYTES, _MOST_VOCABULARY_BYTES = 1 << 20, 16 << 20


def weights_file(folder: Path) -> Path:
    """The weights; safetensors if there are both. Raises CheckpointError."""
    path = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        is_file = "is a file, not the folder of a network" if folder.is_file() else "is no folder of a network"
        raise CheckpointError(f"{folder}: {is_file}: holds none of {', '.join(_WEIGHTS)}")
    return path


def read_text(path: Path, most: int = _MOST_VOCABULARY_BYTES) -> str:
    """Raises CheckpointError, also for more bytes than `most`."""
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path}: is no file")
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise CheckpointError(f"{path}: is larger than {most >> 20} MiB")
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


def read_config(folder: Path) -> dict[str, Any]:
    """config.json. Raises CheckpointError."""
    return read_json(folder / "config.json", _MOST_CONFIG_BYTES)


def read_json(path: Path, most: int = _MOST_VOCABULARY_BYTES) -> dict[str, Any]:
    """A JSON object. Raises CheckpointError."""
    text = read_text(path, most)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = ": a Git LFS pointer; fetch it with: git lfs pull" if text.startswith("version https://git-lfs") else ""
        raise CheckpointError(f"{path}: is no JSON{kind or f' ({error})'}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: holds no JSON object")
    return values
