"""Reads the pickle inside a torch file as data: nothing is imported or called, so nothing can be executed.

A small stack machine knows the opcodes that torch and plain containers need, and by name only tensors, storages,
ordered dicts and the `utils.HParams` of fine-tuned files. Its work grows with the pickle's length: a key is a scalar,
because hashing or comparing a tuple visits all below it, and containers are copied within a budget.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

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
_MAKERS = (
    "collections.OrderedDict torch._utils._rebuild_tensor_v2 torch._utils._rebuild_parameter utils.HParams".split()
)
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_MARK = object()
_MOST_STEPS = 1_000_000
"""Opcodes and copied items."""


@dataclass(frozen=True, slots=True)
class Storage:
    """Record `data/<key>` of the file."""

    key: str
    dtype: str
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A view of a storage; offset and strides in elements. Nothing of it is checked."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Bag(dict[str, Any]):
    """The attributes of a `utils.HParams` object."""


class _Name(str):
    """A class or function that the pickle names."""


def read_pickle(data: bytes) -> Any:
    """The value of a torch pickle, with `StoredTensor` for tensors and `Bag` for HParams. Raises CheckpointError."""
    return _Machine().run(data)


class _Machine:
    """Protocols 2 to 5, without globals and calls."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._steps = 0

    def run(self, data: bytes) -> Any:
        try:
            return self._run(io.BytesIO(data))
        # What a damaged pickle runs into.
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"the pickle is malformed: {error}") from error

    def _run(self, file: io.BytesIO) -> Any:
        while code := file.read(1):
            opcode = _OPCODES.get(code)
            if opcode is not None and opcode.name == "STOP":
                return self._pop()
            step = self._STEPS.get(opcode.name) if opcode is not None else None
            if opcode is None or step is None:
                name = opcode.name if opcode is not None else repr(code)
                raise CheckpointError(f"byte {file.tell() - 1}: a checkpoint has no use for the opcode {name}")
            self._spend(1)
            step(self, opcode.arg.reader(file) if opcode.arg is not None else None)
        raise CheckpointError("the pickle has no end")

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise CheckpointError("the pickle takes more work than any checkpoint's")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value belongs")
        return value

    def _marked(self) -> list[Any]:
        values: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            values.append(value)
        return values[::-1]

    def _tuple(self, count: int) -> None:
        self._push(tuple([self._pop() for _ in range(count)][::-1]))

    def _memoize(self, key: int) -> None:
        self._memo[key] = self._stack[-1]

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is no text")
        self._push(_name(module, name))

    def _set_items(self, flat: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict):
            raise TypeError("items for something that is no dict")
        target.update((_key(key), value) for key, value in zip(flat[::2], flat[1::2], strict=True))

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise TypeError("elements for something that is no list")
        target.extend(values)

    def _reduce(self) -> None:
        arguments, maker = self._pop(), self._pop()
        if not isinstance(maker, _Name) or not isinstance(arguments, tuple):
            raise CheckpointError("the pickle wants to call something that has no name")
        if maker not in _MAKERS:
            raise CheckpointError(f"the pickle wants to call {maker}, which no checkpoint needs; nothing was executed")
        if maker == "collections.OrderedDict":
            self._push(self._copied(arguments[0]) if arguments else {})
        elif maker == "utils.HParams":
            self._push(Bag())
        elif maker == "torch._utils._rebuild_parameter":
            self._push(arguments[0])
        else:
            self._push(_tensor(*arguments))

    def _build(self) -> None:
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, Bag):
            if not isinstance(state, dict):
                raise TypeError("an HParams without values")
            target.update(self._copied(state))
        elif not isinstance(target, dict):  # an ordered dict's is torch's `_metadata`
            raise TypeError("a state for something that has none")

    def _copied(self, items: Any) -> dict[Any, Any]:
        """A dict, or a list of pairs, as a new dict."""
        if not isinstance(items, dict | list):
            raise TypeError("a dict of something that has no items")
        self._spend(len(items))
        pairs = items.items() if isinstance(items, dict) else items
        return {_key(key): value for key, value in pairs}

    _STEPS: ClassVar[Mapping[str, Callable[[_Machine, Any], object]]] = {
        **dict.fromkeys(("PROTO", "FRAME"), lambda self, arg: None),
        **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _push),
        **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _push),
        **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _memoize),
        **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda self, key: self._push(self._memo[key])),
        "MEMOIZE": lambda self, arg: self._memoize(len(self._memo)),
        "NONE": lambda self, arg: self._push(None),
        "NEWTRUE": lambda self, arg: self._push(True),
        "NEWFALSE": lambda self, arg: self._push(False),
        "GLOBAL": lambda self, arg: self._push(_name(*str(arg).split(" ", 1))),
        "STACK_GLOBAL": lambda self, arg: self._stack_global(),
        "BINPERSID": lambda self, arg: self._push(_storage(self._pop())),
        "REDUCE": lambda self, arg: self._reduce(),
        "NEWOBJ": lambda self, arg: self._reduce(),
        "BUILD": lambda self, arg: self._build(),
        "MARK": lambda self, arg: self._push(_MARK),
        "POP": lambda self, arg: self._stack.pop(),
        "EMPTY_DICT": lambda self, arg: self._push({}),
        "EMPTY_LIST": lambda self, arg: self._push([]),
        "EMPTY_TUPLE": lambda self, arg: self._push(()),
        "TUPLE": lambda self, arg: self._push(tuple(self._marked())),
        "TUPLE1": lambda self, arg: self._tuple(1),
        "TUPLE2": lambda self, arg: self._tuple(2),
        "TUPLE3": lambda self, arg: self._tuple(3),
        "SETITEM": lambda self, arg: self._set_items([self._pop(), self._pop()][::-1]),
        "SETITEMS": lambda self, arg: self._set_items(self._marked()),
        "APPEND": lambda self, arg: self._extend([self._pop()]),
        "APPENDS": lambda self, arg: self._extend(self._marked()),
    }


def _key(value: Any) -> Any:
    if value is not None and not isinstance(value, str | int | float):
        raise CheckpointError(
            f"the pickle has a {type(value).__name__} for a key; a checkpoint's keys are text or numbers"
        )
    return value


def _name(module: str, name: str) -> _Name:
    full = _Name(f"{module}.{name}")
    if full not in _MAKERS and not (module in ("torch", "torch.storage") and name in _STORAGES):
        raise CheckpointError(f"the pickle names {full}, which no checkpoint needs; nothing was executed")
    return full


def _storage(identity: Any) -> Storage:
    if not isinstance(identity, tuple) or len(identity) != 5:
        raise ValueError("a malformed storage")
    tag, kind, key, _location, length = identity
    if tag != "storage" or not isinstance(kind, _Name) or not isinstance(key, str) or type(length) is not int:
        raise ValueError("a malformed storage")
    return Storage(key, _STORAGES[kind.rpartition(".")[2]], length)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> StoredTensor:
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ValueError("a malformed tensor")
    return StoredTensor(storage, offset, shape, strides)
