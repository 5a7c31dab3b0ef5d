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

from edge_tts.convert.weight_spool import SpooledWeight, WeightSpool
from edge_tts.errors import ModelError

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
_SMALL = 64
"""Elements up to which equal constants are written once."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor of the graph being written. A constant stays untyped until a node asks for it in its own type."""

    name: str
    dtype: DType
    array: Array | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a graph."""

    name: str
    """What `Graph` takes as an island."""
    kind: str
    inputs: tuple[str, ...]
    """Names of values."""


class Graph:
    """One ONNX graph under construction.

    Inputs and outputs are float32 whatever happens inside. With `half` all arithmetic is float16, except the nodes
    named in `islands`, which stay float32 between two Casts. Node names do not depend on `half`, so that names
    measured on a float32 graph are valid islands for its float16 twin. An `exposed` graph gives every float value
    inside it as an output too, to measure with. Large weights wait in the file `spool` until the graph is saved beside
    it; without one they wait in memory.
    """

    def __init__(
        self,
        name: str,
        *,
        half: bool = False,
        islands: frozenset[str] = frozenset(),
        exposed: bool = False,
        spool: Path | None = None,
    ) -> None:
        self.name = name
        self._half = half
        self._islands = islands
        self._scope: list[str] = []
        self._exact = False
        self._counts: dict[str, int] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._exposed = exposed
        self._weights = WeightSpool(spool)
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
        value = Value(f"{name}:0", result)
        self._nodes.append(helper.make_node(kind, feeds, [value.name], name=name, **attributes))
        if self._exposed and result in ("float32", "float16"):
            self._outputs.append(helper.make_tensor_value_info(value.name, _ELEMENT[result], None))
        return value

    @property
    def nodes(self) -> dict[str, Node]:
        """What was written so far: name of a value -> the node that gives it."""
        return {node.output[0]: Node(node.name, node.op_type, tuple(node.input)) for node in self._nodes}

    def save(self, path: Path) -> None:
        """Write the graph to `path`; weights over 1 GiB go beside it, into `path` + `.data`. It ends the graph."""
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="edge-ttsd")
        for tensor in self._tensors(path.with_name(path.name + ".data")):
            model.graph.initializer.append(tensor)
        path.write_bytes(model.SerializeToString())
        self.close()

    def close(self) -> None:
        """Give up what is not saved: the spool goes."""
        self._weights.close()

    def _tensors(self, data: Path) -> Iterator[onnx.TensorProto]:
        """All initializers, one at a time; the large ones of a large graph stay in a file that becomes `data`."""
        if self._weights.bytes > EXTERNAL_ABOVE_BYTES:
            for name, held in self._weights.give(data):
                yield _placed(name, held, data.name)
        else:
            for name, array in self._weights.arrays():
                yield numpy_helper.from_array(array, name)

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
        if full not in self._weights:
            with np.errstate(over="ignore"):
                stored = np.ascontiguousarray(array, dtype=np.dtype(dtype))
            if stored.dtype.kind == "f" and not np.isfinite(stored).all():
                largest = float(np.abs(array).max())
                raise ModelError(f"{self.name}: the weight {name} reaches {largest:g}, too much for {dtype}")
            self._weights.put(full, stored)
        return full


def _placed(name: str, held: Array | SpooledWeight, location: str) -> onnx.TensorProto:
    """The tensor of an initializer; that of a large weight points into the data file.

    Shapes and bounds are small and stay in the graph: whoever infers shapes reads them before any data file.
    """
    if not isinstance(held, SpooledWeight):
        return numpy_helper.from_array(held, name)
    tensor = TensorProto(name=name, dims=held.shape, data_type=helper.np_dtype_to_tensor_dtype(held.dtype))
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": held.offset, "length": held.bytes}
    tensor.external_data.extend(onnx.StringStringEntryProto(key=k, value=str(v)) for k, v in entries.items())
    return tensor
