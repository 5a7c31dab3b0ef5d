"""Writes ONNX graphs node by node, and reads them back to write them another way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper

from edge_tts.convert.weight_spool import SpooledWeight, WeightSpool
from edge_tts.errors import ModelError

DType = Literal["float32", "float16", "int64", "int32", "uint8", "int8", "bool"]
Array = npt.NDArray[Any]

OPSET = 17
IR_VERSION = 8
"""Released with opset 17; the oldest supported runtimes read it."""
EXTERNAL_ABOVE_BYTES = 1 << 30
"""Larger graphs keep their weights in a second file: protobuf ends at 2 GiB, and the file can be mapped."""

RUNTIME_OPS = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

_ELEMENT: dict[str, int] = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "bool": TensorProto.BOOL,
}
_NARROW: dict[str, DType] = {"uint8": "uint8", "int8": "int8", "bool": "bool"}
# These move values without computing, so they keep the type of their input.
_MOVES = frozenset({"Reshape", "Transpose", "Slice", "Gather", "Concat", "Unsqueeze", "Expand", "Pad", "Identity"})
_SMALL = 64
"""Elements of constants that are written once if equal."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor. A constant has an array, stored in the type of each node that uses it."""

    name: str
    dtype: DType
    array: Array | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a graph; `inputs` are names of values."""

    name: str
    kind: str
    inputs: tuple[str, ...]


class Graph:
    """One ONNX graph under construction.

    Inputs and outputs are float32. With `half` all arithmetic is float16, except the nodes named in `islands`, which
    stay float32 between two Casts. Node names do not depend on `half`, so islands can be measured on the float32 graph.
    An `exposed` graph has every float value as an output, to measure with. Large weights wait in the file `spool`.
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
        self._casts: set[str] = set()
        self._domains: set[str] = set()

    def affine(self, x: Value, weight: Array, bias: Array) -> Value:
        """x [..., in] times weight [in, out], plus bias [out]."""
        y = self.op("MatMul", x, self.constant(weight, "weight"))
        return self.op("Add", y, self.constant(bias, "bias"))

    @contextmanager
    def scope(self, name: str, *, exact: bool = False) -> Iterator[None]:
        """Prefix the names of what is written inside; with `exact` it stays float32."""
        before = self._exact
        self._scope.append(name)
        self._exact = before or exact
        try:
            yield
        finally:
            self._scope.pop()
            self._exact = before

    def input(self, name: str, shape: Sequence[int | str], dtype: DType = "float32", *, half: bool = False) -> Value:
        """Declare an input; strings in `shape` name dimensions that vary.

        With `half` it is float16 in a float16 graph, for data that stays on the device.
        """
        dtype = "float16" if half and self._half else dtype
        self._inputs.append(helper.make_tensor_value_info(name, _ELEMENT[dtype], list(shape)))
        return Value(name, dtype)

    def output(self, name: str, value: Value, shape: Sequence[int | str], *, half: bool = False) -> None:
        """Declare `value` as an output, float32 unless `half` (see `input`)."""
        dtype: DType = "float32" if value.dtype == "float16" and not half else value.dtype
        if value.name == name:
            pass  # a node wrote it under that name
        elif dtype == value.dtype:
            self._nodes.append(helper.make_node("Identity", [self._name_of(value, dtype)], [name], name=f"out/{name}"))
        else:
            self._cast(value, name, dtype, f"out/{name}")
        self._outputs.append(helper.make_tensor_value_info(name, _ELEMENT[dtype], list(shape)))

    def constant(self, array: Any, label: str = "constant") -> Value:
        """A weight or another fixed tensor; integers become int64, but those of 8 bits."""
        array = np.asarray(array)
        dtype: DType = "float32" if array.dtype.kind == "f" else _NARROW.get(array.dtype.name, "int64")
        if array.size > _SMALL:
            return Value(self._unique(label), dtype, array)
        key = (dtype, array.shape, array.tobytes())
        if key not in self._small:
            self._small[key] = Value(self._unique(label), dtype, array)
        return self._small[key]

    def op(self, kind: str, *inputs: Value, dtype: DType | None = None, **attributes: Any) -> Value:
        """Write a node and return its output, of type `dtype` if that differs from the inputs'."""
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

    def fused(
        self, kind: str, *inputs: Value | None, outputs: Sequence[str] = ("",), **attributes: Any
    ) -> tuple[Value, ...]:
        """Write a float32 node of ONNX Runtime's own; None leaves out an input, an empty name is made up."""
        name = self._unique(kind)
        names = [given or f"{name}:{index}" for index, given in enumerate(outputs)]
        feeds = ["" if value is None else self._name_of(value, "float32") for value in inputs]
        self._nodes.append(helper.make_node(kind, feeds, names, name=name, domain=RUNTIME_OPS, **attributes))
        self._domains.add(RUNTIME_OPS)
        return tuple(Value(made, "float32") for made in names)

    def branch(
        self, condition: Value, then: Callable[[], Sequence[Value]], otherwise: Sequence[Value]
    ) -> tuple[Value, ...]:
        """What `then` writes where `condition` (bool [1]) holds, else the values `otherwise`. Float32 graphs only."""
        name, sides = self._unique("If"), dict[str, onnx.GraphProto]()
        values: Sequence[Value] = ()
        for side, written in (("then_branch", then), ("else_branch", lambda: otherwise)):
            outside, self._nodes = self._nodes, []
            values, results = written(), list[onnx.ValueInfoProto]()
            for index, value in enumerate(values):
                result = f"{name}/{side}:{index}"
                self._nodes.append(helper.make_node("Identity", [self._name_of(value, value.dtype)], [result]))
                results.append(helper.make_tensor_value_info(result, _ELEMENT[value.dtype], None))
            sides[side] = helper.make_graph(self._nodes, side, [], results)
            self._nodes = outside
        made = tuple(Value(f"{name}:{index}", value.dtype) for index, value in enumerate(values))
        self._nodes.append(helper.make_node("If", [condition.name], [value.name for value in made], name=name, **sides))
        return made

    @property
    def nodes(self) -> dict[str, Node]:
        """Name of a value -> the node that computes it."""
        return {node.output[0]: Node(node.name, node.op_type, tuple(node.input)) for node in self._nodes}

    def save(self, path: Path, *, external: bool = False) -> None:
        """Write the graph to `path` (weights over 1 GiB, or `external` ones, to `path` + `.data`) and close it."""
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs)
        opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(name, 1) for name in self._domains)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="edge-ttsd")
        for tensor in self._tensors(path.with_name(path.name + ".data"), external):
            model.graph.initializer.append(tensor)
        path.write_bytes(model.SerializeToString())
        self.close()

    def close(self) -> None:
        """Remove the spool."""
        self._weights.close()

    def _tensors(self, data: Path, external: bool) -> Iterator[onnx.TensorProto]:
        """All initializers, one at a time; a large graph's spool becomes the file `data`."""
        if external or self._weights.bytes > EXTERNAL_ABOVE_BYTES:
            for name, weight in self._weights.move(data):
                yield _initializer(name, weight, data.name)
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

    def _name_of(self, value: Value, dtype: DType) -> str:
        """The name of `value` in the float type `dtype` (integers have only one)."""
        if value.dtype not in ("float32", "float16"):
            dtype = value.dtype
        if value.array is not None:
            return self._initializer(value.name, value.array, dtype)
        if value.dtype == dtype:
            return value.name
        name = f"{value.name}->{dtype}"
        if name not in self._casts:
            self._cast(value, name, dtype, name)
            self._casts.add(name)
        return name

    def _cast(self, value: Value, output: str, dtype: DType, name: str) -> None:
        self._nodes.append(helper.make_node("Cast", [value.name], [output], name=name, to=_ELEMENT[dtype]))

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


def _initializer(name: str, weight: Array | SpooledWeight, location: str) -> onnx.TensorProto:
    """The tensor of a weight; small ones stay out of the data file, which shape inference does not read."""
    if not isinstance(weight, SpooledWeight):
        return numpy_helper.from_array(weight, name)
    tensor = TensorProto(name=name, dims=weight.shape, data_type=helper.np_dtype_to_tensor_dtype(weight.dtype))
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": weight.offset, "length": weight.bytes}
    tensor.external_data.extend(onnx.StringStringEntryProto(key=k, value=str(v)) for k, v in entries.items())
    return tensor


@dataclass(frozen=True, slots=True)
class StoredNode:
    """A node of a graph on disk."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredPort:
    """An input or output of a graph on disk; sizes given as text vary."""

    name: str
    shape: tuple[int | str, ...]
    dtype: DType


@dataclass(frozen=True, slots=True)
class StoredGraph:
    """A graph on disk, its nodes in order."""

    name: str
    inputs: tuple[StoredPort, ...]
    outputs: tuple[StoredPort, ...]
    nodes: tuple[StoredNode, ...]
    tensors: dict[str, onnx.TensorProto]

    def array(self, name: str) -> Array | None:
        """A constant, also one that is stored in float16 behind a Cast; None for what is computed."""
        if name in self.tensors:
            return numpy_helper.to_array(self.tensors[name])
        cast = next((node for node in self.nodes if node.kind == "Cast" and name in node.outputs), None)
        stored = None if cast is None else self.array(cast.inputs[0])
        return None if stored is None else stored.astype(np.float32)


def read_graph(path: Path) -> StoredGraph:
    """Raises ModelError for a file that is no graph."""
    try:
        return _stored(onnx.load(str(path)).graph)
    except (OSError, ValueError, LookupError, TypeError, DecodeError) as error:
        raise ModelError(f"{path}: not a readable ONNX graph: {error}") from error


def stored_constant(g: Graph, graph: StoredGraph, name: str, *, axis: int | None = None) -> Value:
    """A constant of a stored graph for a node of `g`; with `axis` that one is new, of size 1."""
    array = graph.array(name)
    assert array is not None, name
    label = name.partition(".")[0]  # the graph counts what has the same name
    return g.constant(array if axis is None else np.expand_dims(array, axis), label)


def _stored(graph: onnx.GraphProto) -> StoredGraph:
    nodes = [
        StoredNode(
            node.name,
            node.op_type,
            tuple(node.input),
            tuple(node.output),
            {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute},
        )
        for node in graph.node
    ]
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    return StoredGraph(graph.name, _ports(graph.input), _ports(graph.output), tuple(nodes), tensors)


def _ports(values: Sequence[onnx.ValueInfoProto]) -> tuple[StoredPort, ...]:
    names: dict[int, DType] = {element: name for name, element in _ELEMENT.items()}  # type: ignore[misc]  # the library's enum is untyped
    return tuple(
        StoredPort(
            value.name,
            tuple(size.dim_param or int(size.dim_value) for size in value.type.tensor_type.shape.dim),
            names[value.type.tensor_type.elem_type],
        )
        for value in values
    )
