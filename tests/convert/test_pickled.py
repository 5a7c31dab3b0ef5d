"""The pickle reader builds data and executes nothing, whatever it is fed."""

from __future__ import annotations

import contextlib
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.convert.pickled import Bag, read_pickle
from edge_tts.errors import CheckpointError

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
_TREES = st.recursive(
    _SCALARS,
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(max_size=5), children, max_size=4)
        | st.tuples(children)
        | st.tuples(children, children, children, children)
    ),
    max_leaves=20,
)


class _Runs:
    """Unpickled by the standard library, it would create a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self._path,))


@given(tree=_TREES, protocol=st.sampled_from([2, 3, 4, 5]))
def test_plain_trees_come_back_as_they_were(tree: Any, protocol: int) -> None:
    """Whatever plain containers and scalars a config holds, in whichever protocol, is read back equal."""
    assert read_pickle(pickle.dumps(tree, protocol)) == tree


@given(data=st.binary(max_size=200))
def test_noise_is_refused_by_name(data: bytes) -> None:
    """Arbitrary bytes end in a value or in CheckpointError, never in another exception."""
    with contextlib.suppress(CheckpointError):
        read_pickle(data)


@given(position=st.integers(0, 10_000), replacement=st.integers(0, 255))
def test_a_damaged_pickle_is_refused_by_name(position: int, replacement: int) -> None:
    """One wrong byte anywhere in a real pickle ends in a value or in CheckpointError, never in another exception."""
    data = bytearray(pickle.dumps({"model": {"rates": [10, 8, 2], "name": "x", "p": 0.5}, "flag": True}, 2))
    data[position % len(data)] = replacement
    with contextlib.suppress(CheckpointError):
        read_pickle(bytes(data))


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_an_object_that_runs_code_is_refused_and_nothing_runs(protocol: int, tmp_path: Path) -> None:
    """A pickle that calls a function is refused in every protocol, and the function was not called."""
    marker = tmp_path / "executed"
    with pytest.raises(CheckpointError):
        read_pickle(pickle.dumps(_Runs(marker), protocol))
    assert not marker.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(X\x04\x00\x00\x00truetR.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.",
        b"(cos\nsystem\nX\x04\x00\x00\x00trueo.",
        b"(X\x04\x00\x00\x00trueios\nsystem\n.",
        b"\x82\x01.",
        b"cutils\nHParams\n)\x81(N}X\x0c\x00\x00\x00__setstate__cos\nsystem\nstb.",
        b"ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb.",
        b"ctorch._utils\n_rebuild_tensor_v2\nX\x01\x00\x00\x00aR.",
    ],
    ids=["global", "stack-global", "obj", "inst", "extension", "setstate", "class-state", "no-tuple"],
)
def test_every_way_to_call_something_is_refused(data: bytes) -> None:
    """All opcodes that could import, call or change a class end in CheckpointError."""
    with pytest.raises(CheckpointError):
        read_pickle(data)


def test_the_refusal_names_what_was_wanted() -> None:
    """The message tells which function the file asked for and that nothing was executed."""
    with pytest.raises(CheckpointError, match=r"os\.system.*nothing was executed"):
        read_pickle(b"cos\nsystem\n(X\x04\x00\x00\x00truetR.")


def test_hparams_become_plain_values() -> None:
    """Upstream's attribute bag is read as a mapping, nested ones too, without any class of that name."""
    inner = b"cutils\nHParams\n)\x81}X\x01\x00\x00\x00bK\x02sb"
    read = read_pickle(b"\x80\x02cutils\nHParams\n)\x81}X\x01\x00\x00\x00a" + inner + b"sb.")
    assert read == {"a": {"b": 2}}
    assert isinstance(read, Bag)
