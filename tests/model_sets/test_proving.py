"""A set is loaded and run by a process with limits before this one does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_tts.config import EngineConfig
from edge_tts.convert.model_set import write_manifest
from edge_tts.errors import ModelError
from edge_tts.limited_process import ProcessLimits
from edge_tts.model_sets import proving
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.model_sets.proving import prove
from edge_tts.model_sets.rehearsal import rehearse
from edge_tts.values import ModelSet
from tests.engine.small_set import manifest, write_graphs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set with its manifest."""
    place = write_graphs(tmp_path_factory.mktemp("small"))
    write_manifest(place, manifest())
    return place


@pytest.fixture
def model(folder: Path) -> ModelSet:
    """The set as it is read."""
    return read_model_set(folder)


@pytest.fixture
def engine(tmp_path: Path) -> EngineConfig:
    """A device where nothing was tried yet."""
    return EngineConfig(threads=1, cache_dir=tmp_path / "engines", flavour="plain")


def no_process(module: str, *_: object, **__: object) -> bytes:
    """In place of `run_limited`."""
    raise AssertionError(module)


def test_it_is_done_once(model: ModelSet, engine: EngineConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start finds that the set was proved; one with other files is proved anew."""
    prove(model, engine)
    monkeypatch.setattr(proving, "run_limited", no_process)
    prove(model, engine)
    model.files["wave.onnx"] = "0" * 64
    with pytest.raises(AssertionError, match="proving"):
        prove(model, engine)


def test_a_cache_that_cannot_be_written_refuses_nothing(model: ModelSet, tmp_path: Path) -> None:
    """The set is tried again at the next start."""
    (tmp_path / "engines").write_text("a file")
    prove(model, EngineConfig(threads=1, cache_dir=tmp_path / "engines"))


def test_a_graph_that_cannot_be_loaded_is_named(folder: Path, tmp_path: Path, engine: EngineConfig) -> None:
    """The refusal is that of the runtime, with the graph's path, and nothing is remembered."""
    for path in folder.iterdir():
        (tmp_path / "set" / path.name).parent.mkdir(exist_ok=True)
        (tmp_path / "set" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "set" / "wave.onnx").write_bytes(b"\x08\x08" + os.urandom(64))
    (tmp_path / "set" / "manifest.json").unlink()
    write_manifest(tmp_path / "set", manifest())
    with pytest.raises(ModelError, match=r"wave\.onnx: not a graph"):
        prove(read_model_set(tmp_path / "set"), engine)
    assert not engine.cache_dir.exists()


TRICKS = {
    "while True: pass": "it takes more than 1 s of computing",
    "return [bytes(1 << 24) for _ in range(1 << 12)]": "takes more memory than a model set of its size",
    "import os; os.abort()": r"ends the process that looks \(SIGABRT\)",
    "raise KeyError('unforeseen')": "KeyError: 'unforeseen'",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_what_breaks_the_runtime_costs_only_its_process(
    trick: str, model: ModelSet, engine: EngineConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphs that loop, allocate, crash or raise while they are tried fail the trial of their set, by name."""
    lines = [
        "import sys",
        "from edge_tts.model_sets import proving",
        f"def load_engine(path, **threads):\n {trick}",
        "proving.load_engine = load_engine",
        "sys.exit(proving.main(sys.argv[1:]))",
    ]
    (tmp_path / "loads.py").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(proving, "_MODULE", "loads")
    monkeypatch.setattr(proving, "_limits", lambda model, polyphones: ProcessLimits(2 << 30, 1))
    with pytest.raises(ModelError, match=f"{model.directory}: .*{TRICKS[trick]}"):
        rehearse(model, engine)
