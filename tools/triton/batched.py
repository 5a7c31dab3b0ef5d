"""Graphs of a model set whose first axis is a batch, as Triton's dynamic batching needs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from edge_tts.engine.contract import Array
from edge_tts.graphs import NOISE_SCALE

_BATCH = "B"
_SPREAD = "batched/"


def write_batched(source: Path, out: Path) -> bool:
    """Write the graph `source` to `out` with a free first axis; whether two rows give what each gives alone.

    A scalar input (`noise_scale` [1]) becomes [B, 1]. Where the answer is no, `out` is removed.
    """
    model = onnx.load(str(source))
    for port in (*model.graph.input, *model.graph.output):
        first = port.type.tensor_type.shape.dim[0]
        first.Clear()
        first.dim_param = _BATCH
    del model.graph.value_info[:]
    _spread_scalar(model.graph)
    onnx.save(model, str(out))
    if not _rows_agree(source, out):
        out.unlink()
        return False
    return True


def _spread_scalar(graph: onnx.GraphProto) -> None:
    """`noise_scale` is [B, 1] outside, and [B, 1, 1] where it meets the latent."""
    port = next((port for port in graph.input if port.name == NOISE_SCALE), None)
    if port is None:
        return
    port.type.tensor_type.shape.dim.add(dim_value=1)
    for node in graph.node:
        node.input[:] = [_SPREAD + name if name == NOISE_SCALE else name for name in node.input]
    shape = numpy_helper.from_array(np.array([0, 1, 1]), f"{_SPREAD}shape")
    graph.initializer.append(shape)
    graph.node.insert(0, helper.make_node("Reshape", [NOISE_SCALE, shape.name], [_SPREAD + NOISE_SCALE]))


def _rows_agree(source: Path, batched: Path) -> bool:
    alone, together = _session(source), _session(batched)
    rows = [_feeds(alone, seed) for seed in (1, 2)]
    joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    joined |= {NOISE_SCALE: joined[NOISE_SCALE][:, None]} if NOISE_SCALE in joined else {}
    single = [alone.run(None, row) for row in rows]
    try:
        answer = together.run(None, joined)
    except Exception:  # noqa: BLE001 - whatever the runtime raises, the graph needs its first axis to be 1
        return False
    return all(
        np.allclose(both[index : index + 1], values, rtol=1e-3, atol=1e-4 * float(np.abs(values).max()))
        for index, results in enumerate(single)
        for both, values in zip(answer, results, strict=True)
    )


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a refusal is an answer here
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _feeds(session: onnxruntime.InferenceSession, seed: int) -> dict[str, Array]:
    random, lengths = np.random.default_rng(seed), {"N": 8, "P": 12}
    feeds: dict[str, Array] = {}
    for port in session.get_inputs():
        shape = [lengths.get(size, 20) if isinstance(size, str) else size for size in port.shape]
        whole = port.type == "tensor(int64)"
        feeds[port.name] = random.integers(1, 60, shape) if whole else random.standard_normal(shape, np.float32)
    return feeds
