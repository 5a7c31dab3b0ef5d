"""Writes ONNX graphs node by node; the only home of `onnx`. It knows types and names, and nothing about speech."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..errors import ModelError

DType = Literal["float32", "float16", "int64", "bool"]
Array = npt.NDArray[Any]

OPSET = 17
IR_VERSION = 8
"""What opset 17 was released with; the oldest runtimes we meet read it."""
EXTERNAL_ABOVE_BYTES = 1 << 30
"""Larger graphs keep their weights in a second file: protobuf ends at 2 GiB, and a Jetson should map, not copy."""

_ELEMENT: dict[str, int] = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}
# These move values and never compute with them, so they keep the type they are given.
_MOVES = frozenset({"Reshape", "Transpose", "Slice", "Gather", "Concat", "Unsqueeze", "Expand", "Pad", "Identity"})
_ALIGNMENT = 4096
_SMALL = 64
"""Elements up to which equal constants are written once, and stay in the graph file."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the graph being written. A constant stays untyped until a node asks for it in its own type."""

    name: str
    dtype: DType
    array: Array | None = None


class Graph:
    """One ONNX graph under construction.

    Inputs and outputs are float32 whatever happens inside. With `half` all arithmetic is float16, except the nodes
    named in `islands`, which stay float32 between two Casts. Node names do not depend on `half`, so that names
    measured on a float32 graph are valid islands for its float16 twin.
    """

    def __init__(self, name: str, *, half: bool = False, islands: frozenset[str] = frozenset()) -> None:
        self.name = name
        self._half = half
        self._islands = islands
        self._scope: list[str] = []
        self._exact = False
        self._counts: dict[str, int] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initializers: dict[str, Array] = {}
        self._small: dict[tuple[str, tuple[int, ...], bytes], Value] = {}
        self._casts: dict[tuple[str, DType], Value] = {}

    @contextmanager
    def scope(self, name: str, *, exact: bool = False) -> Iterator[None]:
        """Nodes and constants written inside carry this name in front of theirs; with `exact` they stay float32."""
        before = self._exact
        self._scope.append(name)
        self._exact = before or exact
        try:
            yield
        finally:
            self._scope.pop()
            self._exact = before

    def input(self, name: str, shape: Sequence[int | str], dtype: DType = "float32", *, half: bool = False) -> Value:
        """Declare an input of the graph; strings in `shape` name dimensions that vary.

        With `half` it is float16 in a float16 graph: for what stays on the device between two runs.
        """
        dtype = "float16" if half and self._half else dtype
        self._inputs.append(helper.make_tensor_value_info(name, _ELEMENT[dtype], list(shape)))
        return Value(name, dtype)

    def output(self, name: str, value: Value, shape: Sequence[int | str], *, half: bool = False) -> None:
        """Declare `value` as an output; floats leave as float32 unless `half` (see `input`)."""
        dtype: DType = "float32" if value.dtype == "float16" and not half else value.dtype
        if dtype == value.dtype:
            self._nodes.append(helper.make_node("Identity", [self._name_of(value, dtype)], [name], name=f"out/{name}"))
        else:
            node = helper.make_node("Cast", [value.name], [name], name=f"out/{name}", to=_ELEMENT[dtype])
            self._nodes.append(node)
        self._outputs.append(helper.make_tensor_value_info(name, _ELEMENT[dtype], list(shape)))

    def constant(self, array: Any, label: str = "constant") -> Value:
        """A weight or another fixed tensor. Floats take the type of the node that uses them; integers are int64."""
        array = np.asarray(array)
        dtype: DType = "float32" if array.dtype.kind == "f" else "bool" if array.dtype.kind == "b" else "int64"
        if array.size > _SMALL:
            return Value(self._unique(label), dtype, array)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._small:
            self._small[key] = Value(self._unique(label), dtype, array)
        return self._small[key]

    def op(self, kind: str, *inputs: Value, dtype: DType | None = None, **attributes: Any) -> Value:
        """Write one node and return its output. `dtype` is that of the output where it differs from the inputs'."""
        name = self._unique(kind)
        work = self._moving_type(inputs) if kind in _MOVES else self._working_type(name)
        feeds = [self._name_of(value, work) for value in inputs]
        floats = any(value.dtype in ("float32", "float16") for value in inputs)
        result: DType = dtype or (work if floats else inputs[0].dtype)
        self._nodes.append(helper.make_node(kind, feeds, [f"{name}:0"], name=name, **attributes))
        return Value(f"{name}:0", result)

    def save(self, path: Path) -> None:
        """Write the graph to `path`; weights over 1 GiB go beside it, into `path` + `.data`.

        Raises ModelError when a weight does not fit into float16.
        """
        total = sum(array.nbytes for array in self._initializers.values())
        if total > EXTERNAL_ABOVE_BYTES:
            with path.with_name(path.name + ".data").open("wb") as sink:
                tensors = [_tensor(name, array, sink) for name, array in self._initializers.items()]
        else:
            tensors = [_tensor(name, array, None) for name, array in self._initializers.items()]
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, tensors)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="edge-ttsd")
        with path.open("wb") as file:
            file.write(model.SerializeToString())

    def _unique(self, label: str) -> str:
        stem = "/".join([*self._scope, label])
        count = self._counts.get(stem, 0)
        self._counts[stem] = count + 1
        return stem if count == 0 else f"{stem}.{count}"

    def _working_type(self, node: str) -> DType:
        exact = self._exact or node in self._islands
        return "float16" if self._half and not exact else "float32"

    def _moving_type(self, inputs: Sequence[Value]) -> DType:
        for value in inputs:
            if value.array is None and value.dtype in ("float32", "float16"):
                return value.dtype
        return "float16" if self._half else "float32"

    def _name_of(self, value: Value, wanted: DType) -> str:
        """The name under which `value` is available in the float type `wanted` (integers have only one)."""
        if value.dtype not in ("float32", "float16"):
            wanted = value.dtype
        if value.array is not None:
            return self._initializer(value.name, value.array, wanted)
        if value.dtype == wanted:
            return value.name
        key = (value.name, wanted)
        if key not in self._casts:
            name = f"{value.name}->{wanted}"
            self._nodes.append(helper.make_node("Cast", [value.name], [name], name=name, to=_ELEMENT[wanted]))
            self._casts[key] = Value(name, wanted)
        return self._casts[key].name

    def _initializer(self, name: str, array: Array, dtype: DType) -> str:
        full = name if dtype != "float32" or not self._half else f"{name}.float32"
        if full not in self._initializers:
            with np.errstate(over="ignore"):
                stored = np.ascontiguousarray(array, dtype=np.dtype(dtype))
            if stored.dtype.kind == "f" and not np.isfinite(stored).all():
                largest = float(np.abs(array).max())
                raise ModelError(f"{self.name}: the weight {name} reaches {largest:g}, too much for {dtype}")
            self._initializers[full] = stored
        return full


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a written graph."""

    kind: str
    inputs: tuple[str, ...]
    """Names of values."""


def expose(source: Path, out: Path) -> dict[str, Node]:
    """Write the graph `source` again with every float value inside it as an output, to measure ranges with.

    `out` lies in the same folder, so that external weights are found. Returns all nodes by the name of their value.
    """
    model = onnx.load(str(source), load_external_data=False)
    inferred = onnx.shape_inference.infer_shapes(model)
    for value in inferred.graph.value_info:
        if value.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.FLOAT16):
            model.graph.output.append(value)
    out.write_bytes(model.SerializeToString())
    return {node.output[0]: Node(node.op_type, tuple(node.input)) for node in model.graph.node}


def node_of(value: str) -> str:
    """The name of the node that gives a value of a written graph: what `Graph` takes as an island."""
    return value.removesuffix(":0")


def _tensor(name: str, array: Array, sink: Any) -> onnx.TensorProto:
    """The tensor of an initializer; with a data file a weight goes there and the tensor points to it.

    Shapes and bounds stay in the graph: whoever infers shapes reads them before any data file.
    """
    if sink is None or array.size <= _SMALL:
        return numpy_helper.from_array(array, name)
    sink.seek(-sink.tell() % _ALIGNMENT, 1)
    offset = sink.tell()
    array.tofile(sink)
    tensor = TensorProto(name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype))
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": Path(sink.name).name, "offset": offset, "length": array.nbytes}
    tensor.external_data.extend(onnx.StringStringEntryProto(key=k, value=str(v)) for k, v in entries.items())
    return tensor
