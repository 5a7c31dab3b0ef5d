"""tools/build_engines: builds, judges, prints what it took, and its status says whether all graphs got an engine."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from edge_tts.convert.model_set import write_manifest

from .here import Here
from .small_set import manifest, model_set

TOOL = Path(__file__).resolve().parents[2] / "tools" / "build_engines"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The script as a module."""
    loader = SourceFileLoader("build_engines", str(TOOL))
    spec = spec_from_loader("build_engines", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_it_builds_judges_and_tells(
    tool: ModuleType, tmp_path: Path, graphs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All five engines: status 0 and their figures; built anew only when asked to; a wrong one: status 1."""
    here = Here(tmp_path, graphs)
    with here.loader() as loader:
        assert tool._build(model_set(here.graphs), loader, again=False) == 0
    told = capsys.readouterr().out
    assert told.count("MB, built in") == 5
    assert told.count("agrees") == 5
    with here.loader() as loader:
        assert tool._build(model_set(here.graphs), loader, again=False) == 0
    assert len(here.builds) == 5
    here.faults.wrong_by = 1.0
    with here.loader() as loader:
        assert tool._build(model_set(here.graphs), loader, again=True) == 1
    assert len(here.builds) == 10
    told = capsys.readouterr().out
    assert told.count("REFUSED") == 5
    assert told.count("stays with ONNX Runtime: refused after comparison") == 5
    assert here.device.leaks == []


def test_without_tensorrt_it_says_so_in_one_line(tmp_path: Path, graphs: Path) -> None:
    """On a machine without TensorRT the script ends with status 1 and the reason."""
    here = Here(tmp_path, graphs)
    write_manifest(here.graphs, manifest())
    ran = subprocess.run([sys.executable, TOOL, here.graphs], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("build_engines: ")
    assert len(ran.stderr.splitlines()) == 1
