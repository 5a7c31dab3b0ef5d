"""Building, caching, judging and falling back: every failure of TensorRT still ends in speech."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge_tts.engine.load import Backends, BuildRules, EngineLoader
from edge_tts.engine.onnxruntime import CPU, OrtEngine
from edge_tts.engine.tensorrt.build import BuildOptions, BuildRequest, read_request, request_json
from edge_tts.engine.tensorrt.build_process import build_in_child
from edge_tts.engine.tensorrt.plan_cache import PlanVerdict, read_record
from edge_tts.engine.tensorrt.trt_engine import TrtEngine
from edge_tts.errors import ModelError
from edge_tts.graphs import SequenceLimits

from .fake_tensorrt import fake_tensorrt
from .here import Here
from .small_set import SIZES, write_prefill_of

ROOT = Path(__file__).resolve().parents[2]
GOOD = PlanVerdict(agrees=True, reason="equal")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Builder processes find the fake TensorRT; call it to choose a fault."""
    places = os.pathsep.join([str(ROOT / "tests" / "engine" / "child"), str(ROOT)])
    monkeypatch.setenv("PYTHONPATH", places)

    def choose(fault: str = "", version: str = "10.3") -> None:
        monkeypatch.setenv("FAKE_TENSORRT_FAULT", fault)
        monkeypatch.setenv("FAKE_TENSORRT_VERSION", version)

    choose()
    return choose


@pytest.fixture
def here(tmp_path: Path, graphs: Path) -> Iterator[Here]:
    """A fresh device; at the end no memory of it is left allocated."""
    place = Here(tmp_path, graphs)
    yield place
    assert place.device.leaks == []


def speaks_on(loader: EngineLoader, path: Path) -> str:
    """Load a graph, close it, and return where it would have run."""
    loader.load(path).close()
    return next(choice.runs_on for choice in loader.choices if choice.graph == path.stem)


def test_an_engine_is_built_once_judged_and_then_used(here: Here, child: Callable[..., None]) -> None:
    """The first start builds, in a real child process, and asks for a verdict; later starts find both."""
    here.in_child = True
    with here.loader() as loader:
        assert loader.prepare([here.wave]) == (here.wave,)
        assert speaks_on(loader, here.wave) == CPU  # an engine without a verdict does not speak
        loader.judge(here.wave, GOOD)
        assert speaks_on(loader, here.wave) == "tensorrt"
        stored = loader.built(here.wave)
    assert stored is not None
    assert stored.path.stat().st_mode & 0o077 == 0
    with here.loader() as loader:
        assert loader.prepare([here.wave]) == ()
        assert speaks_on(loader, here.wave) == "tensorrt"
        assert loader.choices[0].reason == ""
    assert here.builds == ["wave"]


def test_a_judged_engine_computes_what_the_graph_says(here: Here) -> None:
    """What the loader opens is an engine: same names, same results as ONNX Runtime."""
    random = np.random.default_rng(0)
    feeds = {
        "latent": random.standard_normal((1, 8, 30)).astype(np.float32),
        "ge": random.standard_normal((1, 512, 1)).astype(np.float32),
    }
    with here.loader() as loader:
        loader.prepare([here.wave])
        loader.judge(here.wave, GOOD)
        engine, plain = loader.load(here.wave), loader.reference(here.wave)
        assert isinstance(engine, TrtEngine)
        assert isinstance(plain, OrtEngine)
        np.testing.assert_array_equal(engine.run(feeds)["audio"], plain.run(feeds)["audio"])
        engine.close()


@pytest.mark.parametrize("change", ["graph", "weights", "options", "version", "gpu", "positions"])
def test_a_changed_key_means_another_engine(here: Here, change: str) -> None:
    """Another graph, weights beside it, options, TensorRT, GPU or positions: another engine is built."""
    with here.loader() as loader:
        loader.prepare([here.wave])
    options = {}
    if change == "graph":
        shutil.copy(here.wave, here.wave.with_suffix(".copy"))
        here.wave.write_bytes(here.wave.with_suffix(".copy").read_bytes() + b"\x42\x00")  # an empty unknown field
    if change == "weights":
        here.wave.with_name("wave.onnx.data").write_bytes(b"weights")
    if change == "options":
        options = {"optimization_level": 2}
    if change == "version":
        here.version = "10.16"
    if change == "gpu":
        here.device.capability = (11, 0)
    with here.loader(**options) as loader:
        loader.prepare([here.wave], SequenceLimits(text_positions=300) if change == "positions" else None)
    assert here.builds == ["wave", "wave"]


def test_the_limits_of_the_set_travel_to_the_builder() -> None:
    """A build request is the same on both sides of the process border, the limits in it too."""
    options = BuildOptions(batch=3, limits=SequenceLimits(text_positions=300, flow_frames=12000))
    request = BuildRequest("wave", "a.onnx", "a.plan", "timings", options)
    assert read_request(request_json(request)) == request


def test_a_refused_engine_stays_refused(here: Here) -> None:
    """A verdict against an engine outlives the process: ONNX Runtime speaks, and the choice says why."""
    with here.loader() as loader:
        loader.prepare([here.wave])
        loader.judge(here.wave, PlanVerdict(agrees=False, reason="error 3.1"))
    with here.loader() as loader:
        assert loader.prepare([here.wave]) == ()
        assert speaks_on(loader, here.wave) == CPU
        assert "error 3.1" in loader.choices[0].reason
    assert here.builds == ["wave"]


@pytest.mark.parametrize(
    ("fault", "words"), [("out_of_memory", "out of memory"), ("die", "fell over"), ("hang", "still going on after")]
)
def test_a_failed_build_falls_back(here: Here, child: Callable[..., None], fault: str, words: str) -> None:
    """A build that runs out of memory, dies or hangs leaves ONNX Runtime speaking, a reason, and no half engine."""
    child(fault)
    here.in_child = True
    with here.loader(limit_s=0.2 if fault == "hang" else 60.0) as loader:
        assert loader.prepare([here.wave]) == ()
        assert speaks_on(loader, here.wave) == CPU
        assert words in loader.choices[0].reason
    assert list(here.plans.glob("*.plan")) == []


def test_a_graph_that_the_parser_refuses_falls_back(here: Here) -> None:
    """The reason names the graph that TensorRT cannot parse."""
    here.wave.write_bytes((here.graphs / "flow.onnx").read_bytes())  # parses, but is not what the contract says
    with here.loader() as loader:
        loader.prepare([here.wave])
        engine = loader.load(here.wave)
        assert "not in the graph contract" in loader.choices[0].reason
        engine.close()


def test_a_profile_beyond_the_tables_of_the_graph_falls_back(here: Here) -> None:
    """A manifest that promises more positions than the network has: TensorRT only warns, and its engine is not used."""
    write_prefill_of(here.prefill, text_positions=300)
    with here.loader() as loader:
        loader.prepare([here.prefill], SequenceLimits(text_positions=301))
        engine = loader.load(here.prefill)
        assert "the profile promises shapes that the network cannot take" in loader.choices[0].reason
        engine.close()
    assert list(here.plans.glob("*.plan")) == []
    with here.loader() as loader:
        assert loader.prepare([here.prefill], SequenceLimits(text_positions=300)) == (here.prefill,)


def test_an_operator_that_the_parser_does_not_take_is_named(here: Here) -> None:
    """The parser says no more than `false`; the reason has node and operator."""
    node = onnx.helper.make_node("Det", ["latent"], ["audio"], name="odd")
    inputs = [onnx.helper.make_tensor_value_info("latent", onnx.TensorProto.FLOAT, [1, 8, "F"])]
    outputs = [onnx.helper.make_tensor_value_info("audio", onnx.TensorProto.FLOAT, None)]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "wave", inputs, outputs)), here.wave)
    with here.loader() as loader:
        loader.prepare([here.wave])
        assert loader.built(here.wave) is None
        with pytest.raises(ModelError, match=r"refuses the graph: odd \(Det\): it does not take this operator"):
            loader.candidate(here.wave)


def damage_plan(plan: Path) -> None:
    data = bytearray(plan.read_bytes())
    data[-1] ^= 1
    plan.write_bytes(bytes(data))


def damage_record(plan: Path) -> None:
    plan.with_suffix(".json").write_text("{", encoding="utf-8")


def lose_record(plan: Path) -> None:
    plan.with_suffix(".json").unlink()


def open_to_others(plan: Path) -> None:
    plan.chmod(0o666)


def swap_for_link(plan: Path) -> None:
    elsewhere = plan.with_name("elsewhere")
    plan.rename(elsewhere)
    plan.symlink_to(elsewhere)


@pytest.mark.parametrize("harm", [damage_plan, damage_record, lose_record, open_to_others, swap_for_link])
def test_an_engine_that_cannot_be_trusted_is_built_again(here: Here, harm: Callable[[Path], None]) -> None:
    """An engine that is damaged, unrecorded or writable by others is not deserialized, but built and judged again."""
    with here.loader() as loader:
        loader.prepare([here.wave])
        loader.judge(here.wave, GOOD)
        stored = loader.built(here.wave)
    assert stored is not None
    harm(stored.path)
    with here.loader() as loader:
        assert loader.prepare([here.wave]) == (here.wave,)
    assert here.builds == ["wave", "wave"]


def test_an_engine_of_another_version_is_refused_when_loaded(here: Here) -> None:
    """If the key is wrong, deserializing refuses and ONNX Runtime speaks."""
    with here.loader() as loader:
        loader.prepare([here.wave])
        loader.judge(here.wave, GOOD)
        loader._trt = fake_tensorrt("10.16", here.device)  # the library changes under the running loader
        assert speaks_on(loader, here.wave) == CPU
        assert "built by 10.3" in loader.choices[0].reason


def test_prefill_and_step_run_together_or_not_at_all(here: Here) -> None:
    """They share the cache on the device: when one is refused, both run on ONNX Runtime."""
    with here.loader() as loader:
        loader.prepare([here.prefill, here.step])
        loader.judge(here.prefill, GOOD)
        assert speaks_on(loader, here.prefill) == CPU
        loader.judge(here.step, GOOD)
        assert speaks_on(loader, here.prefill) == "tensorrt"
        assert speaks_on(loader, here.step) == "tensorrt"
        loader.judge(here.step, PlanVerdict(agrees=False, reason="NaN"))
        assert speaks_on(loader, here.prefill) == CPU


def test_a_full_device_at_load_falls_back_as_a_group(here: Here) -> None:
    """When the second engine of the pair does not fit, the first is closed and both run on ONNX Runtime."""
    with here.loader() as loader:
        loader.prepare([here.prefill, here.step], SIZES.limits)
        loader.judge(here.prefill, GOOD)
        loader.judge(here.step, GOOD)
        here.device.total = 970_000  # the prefill fits with its outputs, the step's scratch does not
        here.device.used = 300_000
        assert speaks_on(loader, here.prefill) == CPU
        assert speaks_on(loader, here.step) == CPU
        assert all("MB are free" in choice.reason for choice in loader.choices)
        assert here.device.used == 300_000
        here.device.total, here.device.used = 1 << 30, 0


def test_without_tensorrt_auto_is_silent_and_tensorrt_says_why(tmp_path: Path, graphs: Path) -> None:
    """A laptop has no TensorRT: `auto` runs on the CPU without a warning, `tensorrt` with a reason."""

    def nothing() -> Any:
        raise ModelError("no CUDA runtime here")

    rules = BuildRules(directory=tmp_path)
    for execution, reason in (("auto", ""), ("tensorrt", "no CUDA runtime here")):
        backends = Backends(open_device=nothing, probe=lambda name: "no")
        with EngineLoader(execution=execution, rules=rules, backends=backends) as loader:
            assert loader.prepare([graphs / "wave.onnx"]) == ()
            assert speaks_on(loader, graphs / "wave.onnx") == CPU
            assert loader.choices[0].reason == reason
    assert list(tmp_path.iterdir()) == []


def test_a_child_reports_progress_and_cost(tmp_path: Path, graphs: Path, child: Callable[..., None]) -> None:
    """The real child process reports each step of the build, leaves only engine and timings, and measures itself."""
    steps: list[tuple[str, int, int]] = []
    request = BuildRequest(
        graph="wave",
        onnx=str(graphs / "wave.onnx"),
        plan=str(tmp_path / "wave.plan"),
        timing_cache=str(tmp_path / "timings"),
        options=BuildOptions(),
    )
    cost = build_in_child(request, limit_s=60, progress=lambda *step: steps.append(step), waiting=lambda: None)
    assert steps == [("Cloning network graph", 1, 1), ("Building engine", 1, 2), ("Building engine", 2, 2)]
    assert cost.seconds > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["timings", "wave.plan"]


PARENT = """
import sys
from pathlib import Path
from edge_tts.engine.tensorrt.build import BuildOptions, BuildRequest
from edge_tts.engine.tensorrt.build_process import build_in_child

plan = Path(sys.argv[2])
request = BuildRequest("wave", sys.argv[1], str(plan), str(plan.with_name("timings")), BuildOptions())

def report(phase, step, of):
    print(*(pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()), flush=True)

build_in_child(request, limit_s=60, progress=report, waiting=lambda: None)
"""


def test_a_builder_does_not_outlive_its_parent(tmp_path: Path, graphs: Path, child: Callable[..., None]) -> None:
    """When the daemon is killed during a build, the kernel ends the builder too; no partial engine is left."""
    child("hang")
    arguments = [sys.executable, "-c", PARENT, graphs / "wave.onnx", tmp_path / "wave.plan"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        builder = int(parent.stdout.readline())
        stream = os.pidfd_open(builder)
        parent.kill()
    assert select.select([stream], [], [], 20)[0]  # readable once the process has ended
    os.close(stream)
    assert not (tmp_path / "wave.plan").exists()


def test_a_builder_finds_the_package_from_anywhere(
    tmp_path: Path, graphs: Path, child: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout that is not installed, run from another folder, builds as well."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "engine" / "child"))
    monkeypatch.chdir(tmp_path)
    plan = tmp_path / "wave.plan"
    request = BuildRequest("wave", str(graphs / "wave.onnx"), str(plan), str(tmp_path / "timings"), BuildOptions())
    build_in_child(request, limit_s=60, progress=lambda *step: None, waiting=lambda: None)
    assert plan.exists()


def test_damaged_timings_only_cost_time(tmp_path: Path, graphs: Path) -> None:
    """A timing cache that TensorRT cannot read is replaced; the next build continues with the new one."""
    from .conftest import build_plan

    (tmp_path / "timings").write_bytes(b"garbage")
    for count in (1, 2):
        build_plan(graphs / "wave.onnx", tmp_path / "wave.plan", fake_tensorrt("11.4", None))
        assert (tmp_path / "timings").read_bytes() == b"TIMES" + b" timed" * count


def test_the_record_tells_what_a_build_took(here: Here) -> None:
    """The record of an engine has its key, seconds and memory of its build."""
    with here.loader() as loader:
        loader.prepare([here.wave])
        stored = loader.built(here.wave)
    assert stored is not None
    record = json.loads(stored.record.read_text(encoding="utf-8"))
    assert record["key"]["tensorrt"] == "10.3.0"
    assert record["key"]["capability"] == "8.7"
    assert record["build_s"] > 0
    assert read_record(stored.path) == stored


def test_only_the_latest_engines_of_a_graph_are_kept(here: Here) -> None:
    """Engines of old model sets go, the latest three of a graph stay."""
    for level in range(5):
        with here.loader(optimization_level=level) as loader:
            loader.prepare([here.wave])
    assert len(list(here.plans.glob("wave-*.plan"))) == 3
    assert len(list(here.plans.glob("wave-*.json"))) == 3
