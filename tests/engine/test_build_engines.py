"""tools/build_engines: builds, judges, prints what it took, and its status says whether all graphs got an engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_tts.convert.model_set import write_manifest
from tools import engine_building

from .here import Here
from .small_set import manifest, model_set

ROOT = Path(__file__).resolve().parents[2]


def test_it_builds_judges_and_tells(tmp_path: Path, graphs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All five engines: status 0 and their figures; built anew only when asked to; a wrong one: status 1."""
    here = Here(tmp_path, graphs)
    with here.loader() as loader:
        assert engine_building._build(model_set(here.graphs), loader, again=False) == 0
    output = capsys.readouterr().out
    assert output.count("MB, built in") == 5
    assert output.count("agrees") == 5
    with here.loader() as loader:
        assert engine_building._build(model_set(here.graphs), loader, again=False) == 0
    assert len(here.builds) == 5
    here.faults.wrong_by = 1.0
    with here.loader() as loader:
        assert engine_building._build(model_set(here.graphs), loader, again=True) == 1
    assert len(here.builds) == 10
    output = capsys.readouterr().out
    assert output.count("REFUSED") == 5
    assert output.count("stays with ONNX Runtime: refused after comparison") == 5
    assert here.device.leaks == []


def test_without_tensorrt_it_says_so_in_one_line(tmp_path: Path, graphs: Path) -> None:
    """On a machine without TensorRT the script ends with status 1 and the reason."""
    here = Here(tmp_path, graphs)
    write_manifest(here.graphs, manifest())
    tool = [sys.executable, "-m", "tools.engine_building", here.graphs, "-c", tmp_path / "config.yaml"]
    (tmp_path / "config.yaml").write_text("device: bench\n", encoding="utf-8")
    ran = subprocess.run(tool, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith("build_engines: ")
    assert len(ran.stderr.splitlines()) == 1
