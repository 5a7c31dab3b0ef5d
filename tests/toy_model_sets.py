"""Model sets for tests that need the files but not the networks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

CONDITIONING = 4
SIZES = {
    "tokens": 1025,
    "bert_width": 8,
    "conditioning_width": CONDITIONING,
    "latent_width": 4,
    "samples_per_frame": 640,
    "frames_per_token": 2,
    "wave_halo_frames": 3,
}


def write_voice(folder: Path, **changes: Any) -> Path:
    """A voice with three tokens and two phonemes; `changes` replace arrays, or drop them when None."""
    folder.mkdir(parents=True)
    card = {"id": folder.name, "name": folder.name.title(), "language": "en", "transcript": "hm", "licence": "CC0-1.0"}
    (folder / "voice.json").write_text(json.dumps(card))
    arrays = {
        "prompt_tokens": np.array([5, 6, 7]),
        "prompt_phoneme_ids": np.array([1, 2]),
        "prompt_bert": np.ones((2, SIZES["bert_width"]), np.float16),
        "conditioning": np.ones((1, CONDITIONING, 1), np.float32),
        **changes,
    }
    np.savez(folder / "features.npz", **{name: array for name, array in arrays.items() if array is not None})
    return folder


def write_model_set(folder: Path, *, voices: tuple[str, ...] = ("hum",), **changes: Any) -> Path:
    """A set of one graph that is no graph, with those voices; `changes` replace keys of the manifest."""
    folder.mkdir(parents=True)
    (folder / "wave.onnx").write_bytes(b"not a graph")
    for voice in voices:
        write_voice(folder / "voices" / voice)
    write_manifest(folder, voices=voices, **changes)
    return folder


def write_manifest(folder: Path, *, voices: tuple[str, ...] = ("hum",), **changes: Any) -> None:
    """The manifest that fits the files in `folder`."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            data = path.read_bytes()
            name = path.relative_to(folder).as_posix()
            files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    manifest = {
        "format": 1,
        "name": folder.name,
        "version": "1",
        "family": "v2",
        "precision": "fp32",
        "sample_rate": 32000,
        "languages": ["en"],
        "licence": "MIT",
        "sizes": SIZES,
        "default_voice": voices[0] if voices else None,
        "voices": list(voices),
        "files": files,
        **changes,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
