"""The shipped networks of the quality gate and the recordings that they are tested with."""

from __future__ import annotations

import functools
from pathlib import Path

import soundfile

from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.values import FloatArray

ROOT = Path(__file__).resolve().parent.parent.parent
QUALITY = ROOT / "models" / "quality"
RECORDINGS = ROOT / "tests" / "spoken"


@functools.cache
def network(name: str) -> Engine:
    """One network of models/quality, on one thread; loaded once for all tests of a process."""
    return load_engine(QUALITY / f"{name}.onnx", threads=1)


@functools.cache
def recording(name: str) -> FloatArray:
    """A recording at 16 kHz, float32 [samples], not to be written to."""
    samples, rate = soundfile.read(RECORDINGS / f"{name}.flac", dtype="float32")
    assert rate == 16000
    found: FloatArray = samples
    found.flags.writeable = False
    return found
