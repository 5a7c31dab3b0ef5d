"""The shape of the package: who may import whom, and one home for each foreign library. Read from the source."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "edge_tts"

RANKS = {
    **dict.fromkeys(("__init__", "values", "errors", "schema", "config", "durable"), 0),
    **dict.fromkeys(("text", "engine", "audio", "store", "convert"), 1),
    "speech": 2,
    "service": 3,
    **dict.fromkeys(("daemon", "models", "voices", "cli", "cli_voices", "cli_sync", "doctor", "__main__"), 4),
}
"""A part may import from lower ranks; within rank 0 and rank 4 from each other too."""

NOT_FOR = {"speech": {"audio", "store", "convert"}}
"""Lower parts that a part must do without all the same."""

HOMES = {
    "pydantic": "schema.py",
    "yaml": "config.py",
    "paho": "service/mqtt.py",
    "sounddevice": "audio/devices.py",
    "soundfile": "audio/files.py",
    "soxr": "audio/wave.py",
    "onnxruntime": "engine/ort.py",
    "tensorrt": "engine/trt.py",
    "onnx": "convert/builder.py",
    "obstore": "store/bucket.py",
    "gpiod": "service/button.py",
    "prometheus_client": "service/health.py",
    "jtop": "service/telemetry.py",
}
"""Foreign library -> the one file that imports it. numpy is at home everywhere."""

FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every module that a file imports, wherever in the file it does so."""
    package = ["edge_tts", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            if stem == "edge_tts":
                yield from ((node.lineno, f"edge_tts.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, stem


def part_of(module: str) -> str:
    """The part of the package that a module name belongs to."""
    names = module.split(".")
    return names[1] if len(names) > 1 and names[1] in RANKS else "__init__"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down(path: Path) -> None:
    """A file imports from its own part, from lower ranks, and from nothing in tools or tests."""
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for line, module in imports(path):
        top = module.split(".")[0]
        assert top not in ("tools", "tests"), f"{path}:{line} imports {module}"
        if top == "edge_tts":
            other = part_of(module)
            level = RANKS[own] in (0, 4) and RANKS[own] == RANKS[other]
            allowed = own == other or level or (RANKS[other] < RANKS[own] and other not in NOT_FOR.get(own, ()))
            assert allowed, f"{path}:{line}: {own} must not import {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_foreign_library_has_one_home(path: Path) -> None:
    """Besides the standard library and numpy, a file imports only the libraries that live in it."""
    here = path.relative_to(PACKAGE).as_posix()
    for line, module in imports(path):
        top = module.split(".")[0]
        if top in sys.stdlib_module_names or top in ("edge_tts", "numpy"):
            continue
        assert HOMES.get(top) == here, f"{path}:{line}: {top} lives in {HOMES.get(top, 'no file yet')}"


def test_every_file_has_a_rank() -> None:
    """No part of the package escapes the rules."""
    assert {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} <= set(RANKS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_module_says_what_it_does(path: Path) -> None:
    """The first line of a module is its docstring; an empty __init__ needs none."""
    source = path.read_text(encoding="utf-8")
    if source.strip():
        assert ast.get_docstring(ast.parse(source)), f"{path} has no docstring"
