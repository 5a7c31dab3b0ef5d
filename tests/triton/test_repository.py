"""tools/triton_repository: what it writes, read as Triton reads it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_tts.engine.load import load_engine
from edge_tts.engine.tensorrt.plan_cache import onnx_digest
from edge_tts.errors import ModelError
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.values import ModelSet
from tools.triton.batched import write_batched
from tools.triton.repository import SERVED, Serving, write_repository

STARTER = Path(__file__).resolve().parent.parent.parent / "models" / "starter"


def test_rows_of_a_batched_graph_say_what_each_says_alone(small: ModelSet, tmp_path: Path) -> None:
    """Three sentences of one length through encoder, flow and wave at once are what they are one by one."""
    random = np.random.default_rng(5)
    for name in SERVED:
        assert write_batched(small.graph(name), tmp_path / name)
        alone, together = load_engine(small.graph(name)), load_engine(tmp_path / name)
        rows = [
            {
                port.name: random.integers(1, 60, shape) if port.dtype.kind == "i" else random.random(shape, np.float32)
                for port in alone.inputs.values()
                for shape in [[30 if isinstance(size, str) else size for size in port.shape]]
            }
            for _ in range(3)
        ]
        joined = {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
        joined |= {key: value[:, None] for key, value in joined.items() if key == "noise_scale"}
        for key, value in together.run(joined).items():
            for index, row in enumerate(rows):
                np.testing.assert_allclose(value[index : index + 1], alone.run(row)[key], rtol=1e-4, atol=1e-5)


def test_a_graph_that_cannot_be_batched_is_served_one_by_one(tmp_path: Path) -> None:
    """The starter's graphs have a batch of 1 inside: the repository serves them as they are."""
    single = write_repository(read_model_set(STARTER), tmp_path / "out", Serving())
    assert single == list(SERVED)
    assert (tmp_path / "out/wave/1/model.onnx").read_bytes() == (STARTER / "wave.onnx").read_bytes()
    assert "max_batch_size: 0" in (tmp_path / "out/wave/config.pbtxt").read_text()


def test_the_set_in_it_is_whole(small: ModelSet, tmp_path: Path) -> None:
    """The model that speaks finds a set that verifies, and nothing lies beside the repository."""
    write_repository(small, tmp_path / "out", Serving())
    verify_model_set(read_model_set(tmp_path / "out/edge_tts/1/set"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_is_overwritten(small: ModelSet, tmp_path: Path) -> None:
    """A folder with something in it is refused by name and stays."""
    (tmp_path / "photo").touch()
    with pytest.raises(ModelError, match="exists already"):
        write_repository(small, tmp_path, Serving())
    assert [path.name for path in tmp_path.iterdir()] == ["photo"]


def test_engines_are_those_that_were_judged_here(small: ModelSet, tmp_path: Path) -> None:
    """With `tensorrt` the engine of just this graph that agreed is served; without one the tool says what to do."""
    plans = tmp_path / "engines"
    plans.mkdir(mode=0o700)
    for name in SERVED:
        _record(plans, name, onnx_digest(small.graph(name)), agrees=True)
    write_repository(small, tmp_path / "out", Serving(runtime="tensorrt", plans=plans))
    assert (tmp_path / "out/flow/1/model.plan").read_bytes() == b"flow"
    assert 'backend: "tensorrt"' in (tmp_path / "out/flow/config.pbtxt").read_text()
    shutil.rmtree(plans)
    plans.mkdir(mode=0o700)
    _record(plans, "encoder", onnx_digest(small.graph("encoder")), agrees=False)
    with pytest.raises(ModelError, match="tools/build_engines"):
        write_repository(small, tmp_path / "other", Serving(runtime="tensorrt", plans=plans))


@pytest.mark.parametrize("runtime", ["onnxruntime", "python"])
def test_every_config_is_one_of_tritons(small: ModelSet, tmp_path: Path, runtime: str) -> None:
    """Triton's own protobuf reads every config.pbtxt, and the names and types in it are the graphs'."""
    configs = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="tritonclient is not installed")
    from google.protobuf import text_format

    write_repository(small, tmp_path / "out", Serving(runtime=runtime, rows=4))
    for name in (*SERVED, "edge_tts"):
        config = configs.ModelConfig()
        text_format.Parse((tmp_path / "out" / name / "config.pbtxt").read_text(), config)
        assert (config.name, config.backend) == (name, "python" if name == "edge_tts" else runtime)
        if name in SERVED:
            engine = load_engine(small.graph(name))
            assert config.max_batch_size == 4
            assert [port.name for port in config.input] == list(engine.inputs)
        else:
            assert config.model_transaction_policy.decoupled


def _record(plans: Path, name: str, digest: str, *, agrees: bool) -> None:
    plan = plans / f"{name}-0123456789abcdef.plan"
    plan.write_bytes(name.encode())
    values = {
        "graph": name,
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "build_s": 1.0,
        "peak_memory_mb": 1,
        "verdict": {"agrees": agrees, "reason": ""},
        "key": {"onnx": digest},
    }
    plan.with_suffix(".json").write_text(json.dumps(values))
