"""What the converter writes into a file is what the contract of the graphs says, for every family and precision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest

from edge_tts.convert.graph_writer import GraphWriter
from edge_tts.convert.model_set import Sources, open_all, write_all
from edge_tts.convert.opening import Checkpoints
from edge_tts.graphs import CONTRACTS, SPEAKER, SPECTROGRAM_BINS, Axis, Tensor

DTYPES = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.INT64: "int64"}
Ports = dict[str, tuple[str, list[int | str]]]


def declared(values: Any) -> Ports:
    """Name -> element type and shape, as a file has them."""
    return {
        value.name: (
            DTYPES[value.type.tensor_type.elem_type],
            [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim],
        )
        for value in values
    }


def expected(tensors: tuple[Tensor, ...], family: str, sizes: dict[str, int], *, half: bool) -> Ports:
    """The same from the table."""
    ports: Ports = {}
    for tensor in tensors:
        names = [tensor.name]
        if tensor.repeated:
            names = [f"{tensor.name}{index}" for index in range(sizes[tensor.repeated])]
        shape = [
            size.name if isinstance(size, Axis) else sizes[size] if isinstance(size, str) else size
            for size in tensor.shape
        ]
        if family in tensor.families:
            ports |= {name: (tensor.dtype_in(half=half), shape) for name in names}
    return ports


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("family", ["v2", "v2Pro", "v2ProPlus"])
def test_a_file_declares_what_the_table_says(
    family: str, half: bool, whole_family: Sources, checkpoints: Path, tmp_path: Path
) -> None:
    """Every graph of a whole set: names, order, element types, sizes and the names of the axes that vary."""
    sources = replace(whole_family, sovits=checkpoints / f"sovits_{family}_small")
    with Checkpoints(tmp_path) as opener:
        found, sizes, _ = write_all(GraphWriter(tmp_path, half=half), open_all(opener, sources))
    sizes["planes"] = 2 * sizes["t2s_layers"]
    assert found == family
    assert {path.stem for path in tmp_path.glob("*.onnx")} == set(CONTRACTS)
    for name, contract in CONTRACTS.items():
        graph = onnx.load(str(tmp_path / f"{name}.onnx")).graph
        known = {**sizes, "speaker_width": 5120} if name == SPEAKER else sizes  # the small one is narrower
        for values, tensors in ((graph.input, contract.inputs), (graph.output, contract.outputs)):
            right = expected(tensors, family, known, half=half)
            assert list(declared(values).items()) == list(right.items()), name


def test_the_manifest_states_every_size_that_the_table_names(whole_family: Sources, tmp_path: Path) -> None:
    """Each size of the contract, and each limit of its axes, can be read from a converted set."""
    with Checkpoints(tmp_path) as opener:
        _, sizes, _ = write_all(GraphWriter(tmp_path), open_all(opener, whole_family))
    named = {
        size
        for contract in CONTRACTS.values()
        for tensor in contract.inputs + contract.outputs
        for size in tensor.shape
    }
    stated = set(sizes) | {"planes"}  # twice t2s_layers
    assert {size for size in named if isinstance(size, str)} <= stated
    assert {"text_positions", "audio_positions", "bert_positions"} <= stated
    assert sizes["spectrogram_bins"] == SPECTROGRAM_BINS
