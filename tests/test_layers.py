"""The shape of the package: who may import whom, and one home for each foreign library. Read from the source."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "edge_tts"

RANKS = [
    (
        *("__init__", "values", "errors", "schema", "config", "request", "durable", "model_folder", "graphs"),
        *("yaml_file", "limited_process"),
    ),
    ("text", "engine", "audio", "convert", "buckets"),
    ("synthesis", "recordings"),
    ("runtime",),
    ("speaking",),
    ("voices",),
    ("model_sets",),
    ("fleet",),
    ("enrolment",),
    ("front_doors",),
    ("app",),
    ("doctor", "farm"),
    ("cli", "launcher", "__main__"),
]
"""Rooms from the ground up. A room imports from the rows below its own; the ground and the top row also from beside."""

HOMES = {
    "pydantic": "schema.py",
    "yaml": "yaml_file.py",
    "paho": "front_doors/mqtt/",
    "wyoming": "front_doors/wyoming/protocol.py",
    "starlette": "front_doors/http/http_door.py",
    "uvicorn": "front_doors/http/http_server.py",
    "zeroconf": "front_doors/wyoming/announcement.py",
    "sounddevice": "audio/devices.py",
    "soundfile": "audio/sound_files.py",
    "soxr": "audio/wave.py",
    "onnxruntime": "engine/onnxruntime.py",
    "tensorrt": "engine/tensorrt/trt_engine.py",
    "onnx": "convert/builder.py",
    "google": "convert/builder.py",  # protobuf's errors
    "cryptography": "fleet/signing.py",
    "obstore": "buckets/bucket.py",
    "gpiod": "enrolment/button.py",
    "jtop": "runtime/telemetry.py",
    "prometheus_client": "runtime/metrics.py",
    "re2": "text/patterns.py",
    "ray": "farm/serve_app.py",
}
"""Foreign library -> the one file, or folder, that imports it. numpy is at home everywhere."""

OPTIONAL = set(
    "cryptography gpiod jtop prometheus_client re2 sounddevice starlette tensorrt uvicorn wyoming zeroconf".split()
)
"""Libraries that a machine may lack, and PortAudio's, which looks for sound devices when it is imported."""

FILES = sorted(PACKAGE.rglob("*.py"))
RANK_OF = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
BESIDE = {0, len(RANKS) - 1}
"""Ranks whose rooms may import from each other."""


def name_of(path: Path) -> str:
    """The dotted name of a module of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> list[tuple[ast.stmt, str]]:
    """Every import of a file, wherever in the file it is made, and the absolute name of the module."""
    return list(_imports(parsed(path)))


def _imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{node.module}: imports are absolute"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield node, inner if inner in MODULES else node.module


def room_of(module: str) -> str:
    """The room of the package that a module name belongs to."""
    return module.split(".")[1] if module.count(".") else "__init__"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down(path: Path) -> None:
    """A file imports from its own room, from rooms below, and from nothing in tools or tests."""
    own = room_of(name_of(path))
    for node, module in imports(path):
        top = module.split(".")[0]
        assert top not in ("tools", "tests"), f"{path}:{node.lineno} imports {module}"
        if top == "edge_tts":
            other = room_of(module)
            beside = RANK_OF[own] in BESIDE and RANK_OF[own] == RANK_OF[other]
            allowed = own == other or beside or RANK_OF[other] < RANK_OF[own]
            assert allowed, f"{path}:{node.lineno}: {own} must not import {module}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    """There is no circle, not even through an import inside a function."""
    imported = {name: {module for _, module in imports(path) if module in MODULES} for name, path in MODULES.items()}
    while free := {name for name, needs in imported.items() if not needs}:
        imported = {name: needs - free for name, needs in imported.items() if name not in free}
    assert not imported, f"circles among {sorted(imported)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_foreign_library_has_one_home(path: Path) -> None:
    """Besides the standard library and numpy, a file imports only the libraries that live in it."""
    here = path.relative_to(PACKAGE).as_posix()
    for node, module in imports(path):
        top = module.split(".")[0]
        if top in sys.stdlib_module_names or top in ("edge_tts", "numpy"):
            continue
        home = HOMES.get(top, "no file yet")
        at_home = here == home or (home.endswith("/") and here.startswith(home))
        assert at_home, f"{path}:{node.lineno}: {top} lives in {home}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_optional_libraries_are_imported_inside_a_function(path: Path) -> None:
    """Everything else is imported at the top, where a reader looks for it."""
    tree = parsed(path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {inner.lineno for function in functions for inner in ast.walk(function) if isinstance(inner, ast.stmt)}
    for node, module in imports(path):
        optional = module.split(".")[0] in OPTIONAL
        assert node.lineno not in inside or optional, f"{path}:{node.lineno}: {module} is imported inside a function"


def test_a_name_stands_for_one_thing() -> None:
    """No two classes of the package have the same name, nor two files but for those that do the same for another
    language, or write a network and run it."""
    classes, files = Counter[str](), Counter[str]()
    for path in FILES:
        tree = parsed(path)
        classes.update(node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
        place = path.relative_to(PACKAGE).parts[:-1]
        if path.name != "__init__.py" and not (place[:1] == ("text",) and len(place) == 2) and place != ("convert",):
            files[path.name] += 1
    assert [name for name, count in classes.items() if count > 1] == []
    assert [name for name, count in files.items() if count > 1] == []


def test_every_room_has_a_rank() -> None:
    """No part of the package escapes the rules."""
    assert {room_of(name) for name in MODULES} <= set(RANK_OF)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_module_says_what_it_does(path: Path) -> None:
    """A module opens with its docstring; that of a room also says in which order to read it."""
    said = ast.get_docstring(parsed(path))
    assert said, f"{path} has no docstring"
    if path.name == "__init__.py" and path.parent != PACKAGE:
        assert "Read `" in said, f"{path} does not say where to begin"
