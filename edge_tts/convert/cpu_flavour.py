"""Writes the flavour `cpu` of a model set from its plain graphs: TensorRT builds from those, and they judge these."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_tts.convert.blocked import can_be_blocked, write_blocked
from edge_tts.convert.builder import Array, Graph, StoredGraph, read_graph
from edge_tts.convert.int8_weights import Int8Graph
from edge_tts.convert.streamed import stages_of, write_streamed
from edge_tts.convert.t2s_fused import read_gpt, write_gpt
from edge_tts.durable.fsync import FULL
from edge_tts.errors import ModelError
from edge_tts.graphs import FLOW, T2S, T2S_PREFILL, T2S_STEP, WAVE, WAVE_STREAM


def write_cpu_flavour(source: Path, out: Path, *, int8: bool = False, cache_ranges: Array | None = None) -> None:
    """Write into the folder `out` the graphs in `source` that gain from it; what is not written stays plain.

    With `int8` the GPT's weights have 8 bits: its numbers are no longer the same. With `cache_ranges` float32 [planes,
    t2s_width], the largest keys and values that occur, its cache has 8 bits too.
    Raises ModelError for graphs that tools/convert did not write, and when the disk is full.
    """
    try:
        if (source / f"{T2S_STEP}.onnx").exists():
            scales = None if cache_ranges is None else np.maximum(cache_ranges / 127, np.float32(1e-12))
            _write_gpt(source, out, Int8Graph if int8 else Graph, scales)
        for name in (FLOW, WAVE):
            if (source / f"{name}.onnx").exists():
                _write_blocked(read_graph(source / f"{name}.onnx"), name, out)
    except OSError as error:
        reason = "the disk is full" if error.errno in FULL else str(error)
        raise ModelError(f"{out}: cannot be written: {reason}") from error
    except (ArithmeticError, AssertionError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise ModelError(f"{source}: not a graph that tools/convert writes, or a damaged one: {error!r}") from error


def _write_blocked(graph: StoredGraph, name: str, out: Path) -> None:
    if not can_be_blocked(graph):
        return
    stages = stages_of(graph) if name == WAVE else []
    blocked = Graph(WAVE_STREAM if stages else name)
    if stages:
        write_streamed(blocked, graph, stages)
    else:
        write_blocked(blocked, graph)
    blocked.save(out / f"{blocked.name}.onnx")


def _write_gpt(source: Path, out: Path, kind: type[Graph], scales: Array | None) -> None:
    """Its weights lie in a file of their own, which the runtime maps: it holds them once, packed."""
    gpt = read_gpt(*(read_graph(source / f"{name}.onnx") for name in (T2S_PREFILL, T2S_STEP)))
    graph = kind(T2S, spool=out / f".{T2S}.weights")
    write_gpt(graph, gpt, scales)
    graph.save(out / f"{T2S}.onnx", external=True)
