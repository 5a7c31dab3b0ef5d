"""Reads the pickle inside a torch file as data. Nothing is imported, looked up or called, so nothing can be executed.

A small machine runs the few opcodes that torch and plain containers need and builds plain Python values. The only named
things it knows are tensors, storages, ordered dicts and the `utils.HParams` bag of fine-tuned files; it does not know
where a tensor's bytes are.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_tts.errors import CheckpointError

_STORAGES = {
    "HalfStorage": "float16",
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_MAKERS = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("utils", "HParams"),
}
_MARK = object()
_MOST_OPCODES = 2_000_000


@dataclass(frozen=True, slots=True)
class Storage:
    """A stretch of one type inside the file: record `data/<key>`, `length` elements."""

    key: str
    dtype: str
    length: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that has not been read: where it lies and its shape. Always dense and row-major."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Bag(dict[str, Any]):
    """The values of a `utils.HParams` object, which is an attribute bag."""


@dataclass(frozen=True, slots=True)
class _Name:
    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def read_pickle(data: bytes) -> Any:
    """The value that a torch pickle describes, with `StoredTensor` for tensors and `Bag` for HParams.

    Raises CheckpointError for a malformed pickle and for one that names anything but the few known classes.
    """
    return _Machine().run(data)


class _Machine:
    """The stack machine of pickle, protocols 2 to 5, without globals and without calls."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._steps: dict[str, Callable[[Any], None]] = {
            "GLOBAL": lambda arg: self._push(_name(*str(arg).split(" ", 1))),
            "STACK_GLOBAL": lambda arg: self._stack_global(),
            "BINPERSID": lambda arg: self._push(_storage(self._pop())),
            "REDUCE": lambda arg: self._reduce(),
            "NEWOBJ": lambda arg: self._reduce(),
            "BUILD": lambda arg: self._build(),
            "MARK": lambda arg: self._push(_MARK),
            "POP": lambda arg: self._discard(),
            "EMPTY_DICT": lambda arg: self._push({}),
            "EMPTY_LIST": lambda arg: self._push([]),
            "EMPTY_TUPLE": lambda arg: self._push(()),
            "TUPLE": lambda arg: self._push(tuple(self._marked())),
            "TUPLE1": lambda arg: self._tuple(1),
            "TUPLE2": lambda arg: self._tuple(2),
            "TUPLE3": lambda arg: self._tuple(3),
            "SETITEM": lambda arg: self._set_items([self._pop(), self._pop()][::-1]),
            "SETITEMS": lambda arg: self._set_items(self._marked()),
            "APPEND": lambda arg: self._extend([self._pop()]),
            "APPENDS": lambda arg: self._extend(self._marked()),
            "MEMOIZE": lambda arg: self._memoize(len(self._memo)),
        }
        self._steps.update(dict.fromkeys(("BINPUT", "LONG_BINPUT"), self._memoize))
        self._steps.update(dict.fromkeys(("BINGET", "LONG_BINGET"), self._recall))
        self._steps.update({op: lambda arg: None for op in ("PROTO", "FRAME")})
        literals = "BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8"
        self._steps.update(dict.fromkeys(literals.split(), self._push))
        self._steps["NONE"] = lambda arg: self._push(None)
        self._steps["NEWTRUE"] = lambda arg: self._push(True)
        self._steps["NEWFALSE"] = lambda arg: self._push(False)

    def run(self, data: bytes) -> Any:
        try:
            for count, (opcode, arg, position) in enumerate(pickletools.genops(data)):
                if opcode.name == "STOP":
                    return self._pop()
                step = self._steps.get(opcode.name)
                if step is None or count > _MOST_OPCODES:
                    raise CheckpointError(f"byte {position}: a checkpoint has no use for the opcode {opcode.name}")
                step(arg)
        # A damaged pickle runs into the stack's end, the memo's gaps or a value of the wrong type.
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"the pickle is malformed: {error}") from error
        raise CheckpointError("the pickle has no end")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value belongs")
        return value

    def _discard(self) -> None:
        self._stack.pop()

    def _marked(self) -> list[Any]:
        """Everything above the last mark, which goes too."""
        values: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def _tuple(self, count: int) -> None:
        self._push(tuple([self._pop() for _ in range(count)][::-1]))

    def _memoize(self, key: int) -> None:
        self._memo[key] = self._stack[-1]

    def _recall(self, key: int) -> None:
        self._push(self._memo[key])

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._push(_name(module, name))

    def _set_items(self, flat: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict):
            raise TypeError("items for something that is no dict")
        target.update(zip(flat[::2], flat[1::2], strict=True))

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise TypeError("elements for something that is no list")
        target.extend(values)

    def _reduce(self) -> None:
        arguments, maker = self._pop(), self._pop()
        if not isinstance(maker, _Name) or not isinstance(arguments, tuple):
            raise CheckpointError("the pickle wants to call something that has no name")
        if (maker.module, maker.name) not in _MAKERS:
            raise CheckpointError(f"the pickle wants to call {maker}, which no checkpoint needs; nothing was executed")
        if maker.name == "OrderedDict":
            pairs = arguments[0] if arguments else []
            self._push(dict(pairs))
        elif maker.name == "HParams":
            self._push(Bag())
        elif maker.name == "_rebuild_parameter":
            self._push(arguments[0])
        else:
            self._push(_tensor(*arguments))

    def _build(self) -> None:
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, Bag):
            if not isinstance(state, dict):
                raise TypeError("an HParams without values")
            target.update(state)
        elif not isinstance(target, dict):  # an ordered dict's state is torch's `_metadata`, of no use here
            raise TypeError("a state for something that has none")


def _name(module: str, name: str) -> _Name:
    known = (module, name) in _MAKERS or (module in ("torch", "torch.storage") and name in _STORAGES)
    if not known:
        raise CheckpointError(f"the pickle names {module}.{name}, which no checkpoint needs; nothing was executed")
    return _Name(module, name)


def _storage(identity: Any) -> Storage:
    tag, kind, key, _location, length = identity
    if tag != "storage" or not isinstance(kind, _Name) or not isinstance(key, str) or not isinstance(length, int):
        raise ValueError("a malformed storage")
    return Storage(key, _STORAGES[kind.name], length)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> StoredTensor:
    if not isinstance(storage, Storage) or len(shape) != len(strides):
        raise ValueError("a malformed tensor")
    if not all(isinstance(number, int) and number >= 0 for number in (offset, *shape, *strides)):
        raise ValueError("a tensor with impossible sizes")
    tensor = StoredTensor(storage, offset, tuple(shape))
    dense = 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and stride != dense and tensor.size:
            raise CheckpointError("a tensor is not stored densely; save the checkpoint with contiguous tensors")
        dense *= length
    if offset + tensor.size > storage.length:
        raise CheckpointError("a tensor reaches past the end of its storage")
    return tensor
