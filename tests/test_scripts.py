"""The scripts in tools/ that have no suffix, which no type checker looks at."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "tools"
SCRIPTS = [path for path in sorted(TOOLS.iterdir()) if path.is_file() and not path.suffix]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_relative_path_is_the_callers(script: Path) -> None:
    """No script leaves the caller's folder, unless it has made the paths it was given absolute."""
    source = script.read_text(encoding="utf-8")
    assert "os.chdir" not in source or ".absolute()" in source


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_what_a_script_imports_of_ours_is_there(script: Path) -> None:
    """Every name that it imports from the package or from tools exists."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("edge_tts", "tools"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")
