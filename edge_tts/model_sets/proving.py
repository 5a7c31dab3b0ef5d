"""Loads and runs a model set in a process with limits before this process does: a graph made to crash, to hang or to
exhaust the memory is one refusal.

Done once for what lies in the set, with one version of ONNX Runtime; a file in `engine.cache_dir` says so. What a graph
does with other inputs later is not limited. TensorRT's builder is a process of its own, too (`engine/tensorrt/build`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from edge_tts import graphs
from edge_tts.config import EngineConfig
from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.engine.load import load_engine
from edge_tts.engine.onnxruntime import VERSION
from edge_tts.errors import EdgeTTSError, ModelError, VoiceError
from edge_tts.limited_process import ProcessLimits, ProcessLostError, begin, run_limited
from edge_tts.model_sets.activation import PHRASES, a_voice, neutral_voice
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.g2pw import open_front_end
from edge_tts.synthesis.networks import Networks, load_networks
from edge_tts.values import EncodeRequest, ModelSet, Recording

log = logging.getLogger(__name__)

_MODULE = "edge_tts.model_sets.proving"
_MEMORY_BYTES, _MEMORY_PER_BYTE = 2 << 30, 4
"""Address space for any set, and for each byte of its files: what the runtime maps, packs and copies."""
_CPU_S, _BYTES_PER_CPU_S = 120, 5_000_000
_ENCODER = (graphs.SSL, graphs.QUANTIZER, graphs.CONDITIONING)
_RECORDING_S, _RATE = 3.5, 16000


def prove(
    model: ModelSet, engine: EngineConfig, *, polyphones: Path | None = None, waiting: Callable[[], None] = lambda: None
) -> None:
    """Unless it was done: have a process speak and encode with the set, and read with the g2pW model in `polyphones`.

    `waiting` is called now and then and may raise to end it. Raises ModelError.
    """
    mark = engine.cache_dir / f"proved-{_key(model, polyphones)}"
    if mark.exists():
        return
    arguments = [str(model.directory.absolute()), str(engine.threads), str(polyphones.absolute() if polyphones else "")]
    try:
        complaint = run_limited(_MODULE, arguments, _limits(model, polyphones), waiting=waiting).decode()
    except ProcessLostError as lost:
        raise ModelError(f"{model.directory}: {lost}") from lost
    if complaint:
        raise ModelError(complaint)
    try:
        make_folder(engine.cache_dir)
        write_atomic(mark, f"{model.name} {model.version}\n".encode())
    except OSError as refused:
        log.warning("%s: cannot be written (%s); %s will be tried again", mark, refused.strerror, model.name)


def _limits(model: ModelSet, polyphones: Path | None) -> ProcessLimits:
    size = sum(_size(folder) for folder in (model.directory, polyphones) if folder)
    return ProcessLimits(_memory_for(size), _CPU_S + size // _BYTES_PER_CPU_S)


def memory_for(model: ModelSet) -> int:
    """Bytes of address space that a process may have that loads the set."""
    return _memory_for(_size(model.directory))


def _memory_for(size: int) -> int:
    return _MEMORY_BYTES + _MEMORY_PER_BYTE * size


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _key(model: ModelSet, polyphones: Path | None) -> str:
    paths = sorted(polyphones.iterdir()) if polyphones and polyphones.is_dir() else []
    others = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    key = {"files": dict(model.files), "onnxruntime": VERSION, "polyphones": others}
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def main(arguments: list[str]) -> int:
    """SET THREADS POLYPHONES: answers nothing, or what is wrong."""
    out, (directory, threads, polyphones) = begin(arguments)
    complaint = ""
    try:
        _run(read_model_set(Path(directory)), int(threads), Path(polyphones) if polyphones else None)
    except EdgeTTSError as error:
        complaint = str(error)
    except MemoryError:
        complaint = f"{directory}: takes more memory than a model set of its size does"
    with out:
        out.write(complaint.encode())
    return 0


def _run(model: ModelSet, threads: int, polyphones: Path | None) -> None:
    language = next((name for name in PHRASES if name in model.languages), "en")
    try:
        voice = a_voice(model)
    except VoiceError:  # told to whoever asks for it
        voice = neutral_voice(model)
    request = SpeakRequest(text=PHRASES[language], id="proof", voice=voice.id, language=language, seed=1)
    with ExitStack() as stack:
        front_end = open_front_end(stack, lexicon={}, polyphones=polyphones)
        networks = load_networks(model, front_end, stack, threads=threads, load=partial(load_engine, threads=threads))
        for _ in networks.stream(request, voice):
            pass
        if polyphones:
            front_end.segments(PHRASES["zh"], "zh")
        if all(model.graph(name).is_file() for name in _ENCODER):
            _encode(networks, language)


def _encode(networks: Networks, language: str) -> None:
    noise = np.random.default_rng(7).standard_normal(int(_RECORDING_S * _RATE)).astype(np.float32) * 0.1
    networks.encode(EncodeRequest("proof", "proof", language, PHRASES[language], [Recording(noise, _RATE)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
