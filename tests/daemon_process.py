"""The shipped daemon as a process of its own, and a configuration for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from engine_cache import PLAIN


def write_config(folder: Path, sets: Path, port: int, device: str, protocol: str = "5", **keys: object) -> Path:
    """A configuration whose loudspeaker is a WAV file in `folder`."""
    path = folder / "config.yaml"
    settings = {
        "device": device,
        "mqtt": {"host": "127.0.0.1", "port": port, "protocol": protocol},
        "models": {"dir": str(sets), "name": "untrained"},
        "audio": {"output": "file", "file": "out.wav"},
        "engine": PLAIN,
        **keys,
    }
    path.write_text(yaml.safe_dump(settings))
    return path


@contextmanager
def daemon(
    config: Path, *, program: Sequence[str] = ("-m", "edge_tts"), **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """`python -m edge_tts run`, or another `program`, killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, *program, "run", "-c", str(config)],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        _, log = process.communicate()
        print(log)  # pytest shows it beside a failure
