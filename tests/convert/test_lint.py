"""Every graph of every family, in both precisions, stays within what TensorRT's ONNX parser takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_tts.convert.model_set import Options, Sources, convert

from .golden import DATA

FACTS: dict[str, Any] = json.loads((DATA / "tensorrt_onnx_ops.json").read_text(encoding="utf-8"))
# What the parser takes but an engine of ours must not hold: control flow, randomness, sizes that depend on data.
FORBIDDEN = set(
    "Loop If Scan GRU LSTM RNN CumSum NonZero NonMaxSuppression Unique Compress RandomNormal RandomNormalLike"
    " RandomUniform RandomUniformLike Multinomial Bernoulli ScatterElements ScatterND Scatter STFT DFT".split()
)
# Inputs that the parser of TensorRT 10.3 wants as constants: operator -> position.
CONSTANT_INPUTS = {"Conv": (1, 2), "ConvTranspose": (1, 2), "Unsqueeze": (1,), "Slice": (3,), "Pad": (1,)}
HALF_RANGE = 65504.0
DTYPES = {
    onnx.TensorProto.FLOAT: "fp32",
    onnx.TensorProto.FLOAT16: "fp16",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.BOOL: "bool",
}


@pytest.fixture(scope="module", params=["v2", "v2Pro", "v2ProPlus"])
def family(request: pytest.FixtureRequest, v2: Sources, whole_family: Sources, checkpoints: Path) -> Sources:
    """GPT and SoVITS of each family, and all other networks once."""
    if request.param == "v2ProPlus":
        return whole_family
    return replace(v2, sovits=checkpoints / f"sovits_{request.param}_small")


@pytest.fixture(scope="module", params=[False, True], ids=["fp32", "fp16"])
def graphs(
    request: pytest.FixtureRequest, family: Sources, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, onnx.ModelProto]:
    """All graphs of the family's set, checked by onnx itself, with the types of all values inferred."""
    out = tmp_path_factory.mktemp("lint") / "set"
    convert(family, out, Options(name="lint", half=request.param))
    loaded = {}
    for path in sorted(out.glob("*.onnx")):
        onnx.checker.check_model(str(path), full_check=True)
        loaded[path.name] = onnx.shape_inference.infer_shapes(onnx.load(str(path)), strict_mode=True)
    assert len(loaded) == (7 if family.bert is None else 10)
    return loaded


def test_operators_are_ones_that_the_parser_takes(graphs: dict[str, onnx.ModelProto]) -> None:
    """Only operators of the default domain that TensorRT 10.3 imports, none of the forbidden kinds, opset 17."""
    for name, model in graphs.items():
        assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
        for node in model.graph.node:
            assert node.domain == "", f"{name}: {node.name}"
            assert FACTS["ops"].get(node.op_type, {"supported": "no"})["supported"] != "no", f"{name}: {node.op_type}"
            assert node.op_type not in FORBIDDEN, f"{name}: {node.name}"


def test_types_are_ones_that_the_operator_takes(graphs: dict[str, onnx.ModelProto]) -> None:
    """The element type of each node's first output is in the parser's table for that operator."""
    for name, model in graphs.items():
        types = _types(model)
        for node in model.graph.node:
            if node.op_type in ("Shape", "ArgMax"):  # the table tells of their inputs
                continue
            dtype = DTYPES[types[node.output[0]]]
            assert dtype in FACTS["ops"][node.op_type]["dtypes"], f"{name}: {node.name} gives {dtype}"


def test_float_inputs_of_a_node_agree(graphs: dict[str, onnx.ModelProto]) -> None:
    """Strong typing: no node mixes float16 and float32, so no parser has to guess."""
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    for name, model in graphs.items():
        types = _types(model)
        for node in model.graph.node:
            found = {types[value] for value in node.input if value} & floats
            assert len(found) <= 1, f"{name}: {node.name}"


def test_what_must_be_constant_is(graphs: dict[str, onnx.ModelProto]) -> None:
    """Weights of convolutions and axes are initializers, so weight norm is folded and shapes are known."""
    for name, model in graphs.items():
        constants = {tensor.name for tensor in model.graph.initializer}
        for node in model.graph.node:
            for position in CONSTANT_INPUTS.get(node.op_type, ()):
                if position < len(node.input):
                    assert node.input[position] in constants, f"{name}: {node.name} input {position}"


def test_shapes_are_taken_whole(graphs: dict[str, onnx.ModelProto]) -> None:
    """No Shape node has bounds, which older parsers ignore silently."""
    for name, model in graphs.items():
        assert not [node.name for node in model.graph.node if node.op_type == "Shape" and node.attribute], name


def test_constants_fit_into_half(graphs: dict[str, onnx.ModelProto]) -> None:
    """No constant of a float16 graph is infinite, and no mask constant is beyond the range."""
    for name, model in graphs.items():
        for tensor in model.graph.initializer:
            if tensor.data_type == onnx.TensorProto.FLOAT16:
                largest = np.abs(numpy_helper.to_array(tensor).astype(np.float32)).max(initial=0)
                assert largest < HALF_RANGE, f"{name}: {tensor.name}"


def test_normalisations_are_single_nodes(graphs: dict[str, onnx.ModelProto]) -> None:
    """A layer norm is one LayerNormalization node: no graph spells it out with a Sqrt or a Pow."""
    for name, model in graphs.items():
        assert not {node.op_type for node in model.graph.node} & {"Sqrt", "Pow", "ReduceL2", "Reciprocal"}, name
    kinds = [node.op_type for node in graphs["t2s_step.onnx"].graph.node]
    assert kinds.count("LayerNormalization") == 6


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type of every value by name."""
    graph = model.graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    return types
