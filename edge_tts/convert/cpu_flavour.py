"""Writes the flavour `cpu` of a model set from its plain graphs: TensorRT builds from those, and they judge these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_tts.convert.blocked import can_be_blocked, write_blocked
from edge_tts.convert.builder import Array, Graph, StoredGraph, read_graph
from edge_tts.convert.int8_weights import Int8Graph, Int8RowsGraph
from edge_tts.convert.split_encoder import text_end, write_codes, write_text
from edge_tts.convert.streamed import stages_of, write_streamed
from edge_tts.convert.t2s_fused import read_gpt, write_gpt, write_prompt, write_step
from edge_tts.durable.fsync import FULL
from edge_tts.errors import ModelError
from edge_tts.graphs import (
    ENCODER,
    ENCODER_CODES,
    ENCODER_TEXT,
    FLOW,
    T2S,
    T2S_PREFILL,
    T2S_PROMPT,
    T2S_STEP,
    WAVE,
    WAVE_STREAM,
)


@dataclass(frozen=True, slots=True)
class Int8:
    """How 8 bits are used in the GPT, whose numbers are no longer the same then: for its weights in any case."""

    cache_ranges: Array | None = None
    """The largest keys and values that occur, float32 [planes, t2s_width]: with them the cache has 8 bits too."""
    prompt: bool = True
    """Whether the prefill gets a graph of its own: twice as fast, at the price of the weights in memory twice."""


def write_cpu_flavour(source: Path, out: Path, int8: Int8 | None = None) -> None:
    """Write into the folder `out` the graphs in `source` that gain from it; what is not written stays plain.

    Raises ModelError for graphs that tools/convert did not write, and when the disk is full.
    """
    try:
        if (source / f"{T2S_STEP}.onnx").exists():
            _write_gpt(source, out, int8)
        if (source / f"{ENCODER}.onnx").exists():
            _write_encoder(read_graph(source / f"{ENCODER}.onnx"), out)
        for name in (FLOW, WAVE):
            if (source / f"{name}.onnx").exists():
                _write_blocked(read_graph(source / f"{name}.onnx"), name, out)
    except OSError as error:
        reason = "the disk is full" if error.errno in FULL else str(error)
        raise ModelError(f"{out}: cannot be written: {reason}") from error
    except (ArithmeticError, AssertionError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise ModelError(f"{source}: not a graph that tools/convert writes, or a damaged one: {error!r}") from error


def _write_encoder(graph: StoredGraph, out: Path) -> None:
    cut = text_end(graph)
    if cut is None:
        return
    for name, write in ((ENCODER_TEXT, write_text), (ENCODER_CODES, write_codes)):
        part = Graph(name)
        write(part, graph, cut)
        part.save(out / f"{name}.onnx")


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


def _write_gpt(source: Path, out: Path, int8: Int8 | None) -> None:
    gpt = read_gpt(*(read_graph(source / f"{name}.onnx") for name in (T2S_PREFILL, T2S_STEP)))
    ranges = None if int8 is None else int8.cache_ranges
    scales = None if ranges is None else np.maximum(ranges / 127, np.float32(1e-12))
    if int8 is None or not int8.prompt:
        _write(out, T2S, Graph if int8 is None else Int8Graph, lambda g: write_gpt(g, gpt, scales))
    else:
        _write(out, T2S, Int8Graph, lambda g: write_step(g, gpt, scales))
        _write(out, T2S_PROMPT, Int8RowsGraph, lambda g: write_prompt(g, gpt, scales))


def _write(out: Path, name: str, kind: type[Graph], fill: Callable[[Graph], None]) -> None:
    """Its weights lie in a file of their own, which the runtime maps: it holds them once, packed."""
    graph = kind(name, spool=out / f".{name}.weights")
    fill(graph)
    graph.save(out / f"{name}.onnx", external=True)
