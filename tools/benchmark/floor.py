"""What this machine can do at best, as a contender of its own: how fast it reads weights and multiplies matrices in
float32 in the runtime that the stages use, and how much of either the stages of a set need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from edge_tts import graphs
from edge_tts.convert.builder import Graph
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.interfaces import Prompt
from edge_tts.synthesis.t2s import prefill_feeds
from edge_tts.values import FloatArray, ModelSet

from .peers.serving import PROMPT_PHONEMES, PROMPT_TOKENS, Contender, Watch, phoneme_ids, sentences, serve, token_ids

_WIDE, _DEEP = 16384, 4096
"""256 MiB of weights: more than caches hold."""
_SQUARE, _ROWS = 2048, 512
_REPEATS = 4
Feeds = Mapping[str, np.ndarray[Any, Any]]


class Floor(Contender):
    about = "this machine"

    def __init__(self, model: ModelSet, folder: Path, threads: int) -> None:
        self._model, self._folder = model, folder
        self._vector = _product(folder / "gemv.onnx", _DEEP, _WIDE, threads)
        self._matrix = _product(folder / "gemm.onnx", _SQUARE, _SQUARE, threads)

    def gemv(self) -> dict[str, Any]:
        """Matrix times vector: bytes of weights read."""
        return self._run(self._vector, 1, _DEEP, 4 * _DEEP * _WIDE)

    def gemm(self) -> dict[str, Any]:
        """Matrix times matrix: operations, of which a multiplication and its addition are two."""
        return self._run(self._matrix, _ROWS, _SQUARE, 2 * _ROWS * _SQUARE * _SQUARE)

    def work(self, seconds: float) -> dict[str, Any]:
        """Operations of the plain stages."""
        ((phonemes, tokens),) = sentences(seconds)
        sizes = self._model.sizes
        ge = np.zeros((1, sizes.conditioning_width, 1), np.float32)
        frames = _noise(tokens * sizes.frames_per_token, sizes.latent_width)
        encoder = {
            graphs.CODES: _ids(token_ids(tokens)),
            graphs.PHONEME_IDS: _ids(phoneme_ids(phonemes)),
            graphs.GE: ge,
        }
        flow = {graphs.FEATURES: _noise(frames.shape[2], _feature_width(self._model)), graphs.GE: ge}
        flow |= {graphs.NOISE: frames, graphs.NOISE_SCALE: np.ones(1, np.float32)}
        ids = np.array(phoneme_ids(PROMPT_PHONEMES + phonemes))
        bert = np.zeros((len(ids), sizes.bert_width), np.float32)
        prompt = Prompt(phoneme_ids=ids, bert=bert, tokens=np.array(token_ids(PROMPT_TOKENS)))
        return {
            "prefill": self._operations(graphs.T2S_PREFILL, prefill_feeds(prompt)),  # type: ignore[arg-type]  # no buffer among them
            "latent": self._operations(graphs.ENCODER, encoder) + self._operations(graphs.FLOW, flow),
            "wave": self._operations(graphs.WAVE, {graphs.LATENT: frames, graphs.GE: ge}),
        }

    def _run(self, engine: Engine, rows: int, width: int, amount: int) -> dict[str, Any]:
        feeds = {"x": np.ones((rows, width), np.float32)}
        with Watch() as watch:
            for _ in range(_REPEATS):
                engine.run(feeds)
        return watch.answer(amount=amount * _REPEATS)

    def _operations(self, name: str, feeds: Feeds) -> int:
        return operations(self._model.graph(name), feeds, self._folder)


def operations(path: Path, feeds: Feeds, folder: Path) -> int:
    """Of the products and convolutions of a graph on these inputs, by the shapes that a run of it shows."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_profiling, options.profile_file_prefix = True, str(folder / path.stem)
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    session.run(None, dict(feeds))
    profile = Path(session.end_profiling())
    events = json.loads(profile.read_text(encoding="utf-8"))
    profile.unlink()
    return sum(_operations_of(event["args"]) for event in events if "output_type_shape" in event.get("args", {}))


def _operations_of(node: Mapping[str, Any]) -> int:
    nothing: tuple[int, ...] = ()
    first, second, *_ = [*_shapes(node["input_type_shape"]), nothing, nothing]
    out = _shapes(node["output_type_shape"])[0]
    kind = node["op_name"]
    if kind == "MatMul":
        return 2 * prod(out) * first[-1]
    if kind == "Conv":
        return 2 * prod(out) * prod(second[1:])
    if kind == "ConvTranspose":
        return 2 * prod(first) * prod(second[1:])
    return 0


def _shapes(tensors: list[Mapping[str, list[int]]]) -> list[tuple[int, ...]]:
    return [tuple(shape) for tensor in tensors for shape in tensor.values()]


def _product(path: Path, deep: int, wide: int, threads: int) -> Engine:
    graph = Graph(path.stem)
    x = graph.input("x", ["rows", deep])
    graph.output("y", graph.op("MatMul", x, graph.constant(np.full((deep, wide), 0.5, np.float32))), ["rows", wide])
    graph.save(path)
    engine = load_engine(path, threads=threads)
    path.unlink()
    return engine


def _ids(values: list[int]) -> np.ndarray[Any, Any]:
    return np.array([values], np.int64)


def _noise(frames: int, width: int) -> FloatArray:
    values: FloatArray = 0.1 * np.random.default_rng(1).standard_normal((1, width, frames), np.float32)
    return values


def _feature_width(model: ModelSet) -> int:
    engine = load_engine(model.graph(graphs.FLOW), threads=1)
    width = int(engine.inputs[graphs.FEATURES].shape[1])
    engine.close()
    return width


def open_floor(job: dict[str, Any]) -> tuple[Contender, Watch]:
    with Watch() as watch:
        floor = Floor(read_model_set(Path(job["set"])), Path(job["work"]), job["threads"])
    return floor, watch


if __name__ == "__main__":
    serve(open_floor)
