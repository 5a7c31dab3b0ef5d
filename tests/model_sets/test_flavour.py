"""A set gets its graphs for processors once, they are judged, and whatever is wrong with them costs only them."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_tts.cli.main import main
from edge_tts.config import EngineConfig, config_from
from edge_tts.convert.cpu_flavour import Int8, write_cpu_flavour
from edge_tts.convert.model_set import write_manifest
from edge_tts.engine.load import EngineLoader, load_engine
from edge_tts.errors import ModelError
from edge_tts.model_sets import flavour as flavours
from edge_tts.model_sets import optimize as making
from edge_tts.model_sets.flavour import FlavourCache, make_in_child, needless, optimized
from edge_tts.model_sets.loading import load_fastest, open_networks
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.model_sets.optimize import optimize
from edge_tts.request import SpeakRequest
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import FloatArray, ModelSet
from tests.engine.small_set import manifest, voice, write_graphs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set with its manifest."""
    place = write_graphs(tmp_path_factory.mktemp("small"))
    write_manifest(place, manifest())
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> ModelSet:
    """The set as it is read."""
    return read_model_set(folder)


@pytest.fixture(scope="module")
def made(model: ModelSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the flavour of the set."""
    cache = tmp_path_factory.mktemp("made")
    optimize(model, FlavourCache(cache), 1)
    return cache


@pytest.fixture
def engine(made: Path, tmp_path: Path) -> EngineConfig:
    """The configuration of a device where the exact flavour was made."""
    shutil.copytree(made, tmp_path / "engines")
    return EngineConfig(threads=1, cache_dir=tmp_path / "engines", flavour="cpu")


def spoken(model: ModelSet, engine: EngineConfig) -> tuple[FloatArray, set[str]]:
    """One sentence through the daemon's way of loading, and the graphs that ran."""
    request = SpeakRequest(text="The tea is ready.", id="1", voice="v", seed=4)
    with EngineLoader(execution="cpu", threads=1) as loader, ExitStack() as stack:
        networks = load_fastest(model, TextFrontEnd(), stack, loader, engine)
        steps = iter(range(40))
        chunks = [chunk.samples for chunk in networks.stream(request, voice(), lambda: next(steps, None) is None)]
        return np.concatenate(chunks), {choice.graph for choice in loader.choices}


def test_the_processor_runs_the_flavour_and_says_the_same(model: ModelSet, engine: EngineConfig) -> None:
    """With `execution: cpu` the fused GPT runs; the sound is that of the plain graphs to a hundred-thousandth."""
    found, ran = spoken(model, engine)
    assert ran == {"t2s", "encoder_text", "encoder_codes", "flow", "wave_stream"}
    expected, ran = spoken(model, engine.model_copy(update={"flavour": "plain"}))
    assert ran == {"t2s_prefill", "t2s_step", "encoder", "flow", "wave"}
    both = min(len(found), len(expected))  # it was stopped, and one has settled more by then than the other
    assert both > 10_000
    np.testing.assert_allclose(found[:both], expected[:both], atol=1e-5)


def test_a_first_start_makes_it_and_a_second_finds_it(
    model: ModelSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child makes graphs and verdicts in `engine.cache_dir`; later starts only read them."""
    engine, waited = EngineConfig(threads=1, cache_dir=tmp_path / "engines"), list[int]()
    with EngineLoader(execution="cpu", threads=1) as loader:
        first = optimized(model, engine, loader, waiting=lambda: waited.append(1))
        assert set(first.replaced) == {"t2s", "t2s_prompt", "encoder_text", "encoder_codes", "flow", "wave_stream"}
        monkeypatch.setattr(flavours, "COMMAND", ("false",))
        assert optimized(model, engine, loader) == first
    assert [path.name[:6] for path in engine.cache_dir.iterdir()] == ["int8w-"]


def test_models_optimize_makes_it_by_hand(model: ModelSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints where it is and every graph's error and times; a float16 set is refused by name."""
    path, sets = tmp_path / "config.yaml", tmp_path / "models"
    shutil.copytree(model.directory, sets / "small")
    path.write_text(json.dumps({"models": {"name": "small"}, "engine": {"threads": 1}}))
    assert main(["models", "optimize", "-c", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    graphs = ["encoder_codes", "encoder_text", "flow", "t2s", "t2s_prompt", "wave_stream"]
    assert [line.split()[0] for line in lines[1:]] == graphs
    assert all("relative rms error" in line for line in lines[1:])
    raw = sets / "small" / "manifest.json"
    raw.write_text(raw.read_text().replace('"fp32"', '"fp16"'))
    assert main(["models", "optimize", "small", "-c", str(path)]) == 1
    assert "small is a set in fp16, for GPUs" in capsys.readouterr().err


def test_another_set_has_a_flavour_of_its_own(model: ModelSet, engine: EngineConfig) -> None:
    """Nothing made for other weights is found."""
    other = replace(model, files={**model.files, "t2s_step.onnx": "0" * 64})
    assert FlavourCache(engine.cache_dir).find(model) is not None
    assert FlavourCache(engine.cache_dir).find(other) is None


def test_a_set_without_checksums_has_none(
    model: ModelSet, engine: EngineConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """All its plain graphs are opened, and the log says why."""
    bare = replace(model, files={})
    with EngineLoader(execution="cpu", threads=1) as loader:
        assert needless(bare, engine, loader) == frozenset()
        assert optimized(bare, engine, loader) == bare
        assert needless(model, engine, loader) >= {"t2s_prefill", "t2s_step", "encoder", "flow", "wave"}
    assert "no checksums" in caplog.text


@pytest.mark.parametrize("poor", ["cache", "prompt", "kernel of the prompt", "both"])
def test_what_8_bits_cannot_do_here_is_done_in_full(
    model: ModelSet, tmp_path: Path, poor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that the runtime does not know and a prefill that is far from the plain one are left out, each by itself;
    the weights keep their 8 bits."""

    def write(source: Path, out: Path, int8: Int8 | None = None) -> None:
        assert int8 is not None
        write_cpu_flavour(source, out, int8)
        if poor in ("cache", "both") and int8.cache_ranges is not None:
            assert cache_dtype(out) == np.int8
            (out / "t2s.onnx").write_bytes(b"an operator that nobody knows")
        if poor in ("prompt", "both") and int8.prompt:
            harm_weights(out / "t2s_prompt.onnx.data")
        if poor == "kernel of the prompt" and int8.prompt:
            (out / "t2s_prompt.onnx").write_bytes(b"an operator that nobody knows")

    monkeypatch.setattr(making, "write_cpu_flavour", write)
    cache = FlavourCache(tmp_path, "int8w")
    optimize(model, cache, 1)
    found = cache.find(model)
    assert found is not None
    assert found.verdicts["t2s"].agrees
    assert cache_dtype(found.folder) == (np.float32 if poor in ("cache", "both") else np.int8)
    assert ("t2s_prompt" in found.applied(model).replaced) == (poor == "cache")


def harm_weights(path: Path) -> None:
    """They stay numbers, but are others."""
    data = np.fromfile(path, np.uint8)
    data[: len(data) // 2] //= 2
    data.tofile(path)


def cache_dtype(folder: Path) -> np.dtype[Any]:
    """Of a fused GPT."""
    engine = load_engine(folder / "t2s.onnx", threads=1)
    try:
        return engine.inputs["past_0"].dtype
    finally:
        engine.close()


@pytest.mark.parametrize("harm", ["cut", "changed", "record", "gone"])
def test_damage_is_found_and_mended(model: ModelSet, engine: EngineConfig, harm: str) -> None:
    """A file that is cut short, changed or missing, or a record that cannot be read, has the flavour made again."""
    (place,) = engine.cache_dir.iterdir()
    weights, record = place / "t2s.onnx.data", place / "flavour.json"
    if harm == "record":
        record.write_text("{")
    elif harm == "gone":
        weights.unlink()
    else:
        data = weights.read_bytes()
        weights.write_bytes(data[:100] if harm == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    assert FlavourCache(engine.cache_dir).find(model) is None
    with EngineLoader(execution="cpu", threads=1) as loader:
        assert "t2s" in optimized(model, engine, loader).replaced


@pytest.mark.parametrize("harm", ["none", "flavour", "flavour that loads", "no flavour"])
def test_what_is_opened_was_verified(
    model: ModelSet, engine: EngineConfig, tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start reads the graphs that it opens: a damaged plain GPT is no matter while the flavour stands for it, and is
    told when it does not: when that is damaged and cannot be made again, or no runtime loads it."""
    sets = tmp_path / "sets"
    shutil.copytree(model.directory, sets / "small")
    damage(sets / "small" / "t2s_step.onnx")
    (place,) = engine.cache_dir.iterdir()
    if harm == "flavour":
        damage(place / "t2s.onnx.data")
        monkeypatch.setattr(flavours, "COMMAND", ("false",))
    elif harm == "flavour that loads":
        monkeypatch.setattr(FlavourCache, "find", FlavourCache.made)
        (place / "t2s.onnx").write_bytes(b"an operator that nobody knows")
    elif harm == "no flavour":
        engine = engine.model_copy(update={"flavour": "plain"})
    config = config_from(
        {"models": {"dir": str(sets), "name": "small"}, "engine": engine.model_dump(mode="json")}, folder=tmp_path
    )
    opening = open_networks(read_model_set(sets / "small"), config)
    if harm == "none":
        with opening as networks:
            assert "t2s" in networks.synthesizer.model.replaced
    else:
        with pytest.raises(ModelError, match=r"t2s_step\.onnx: is damaged"), opening:
            pass


def damage(path: Path) -> None:
    """One bit is another."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("wrong", ["it fails", "no room", "no folder"])
def test_without_it_the_plain_graphs_speak(
    model: ModelSet, tmp_path: Path, wrong: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A child that fails, a full disk or a cache that cannot be written leave speech, one warning and no half files."""
    engine = EngineConfig(threads=1, cache_dir=tmp_path / "engines")
    if wrong == "no folder":
        (tmp_path / "engines").write_text("a file")
    else:
        says = "no room" if wrong == "no room" else "t2s: cannot be made"
        command = (sys.executable, "-c", f"import sys; sys.exit({says!r})")
        monkeypatch.setattr(flavours, "COMMAND", command)
    with EngineLoader(execution="cpu", threads=1) as loader, caplog.at_level(logging.WARNING):
        assert optimized(model, engine, loader) is model
    assert any("the plain graphs run" in record.message for record in caplog.records)


def test_a_disk_that_fills_leaves_nothing_behind(model: ModelSet, tmp_path: Path) -> None:
    """The folder in which it was made is removed, and the cache has no flavour."""

    def fill(folder: Path) -> dict[str, flavours.Verdict]:
        (folder / "t2s.onnx").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    cache = FlavourCache(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        cache.add(model, fill)
    assert list(tmp_path.iterdir()) == []
    assert cache.find(model) is None


def test_a_graph_that_disagrees_is_not_used(model: ModelSet, folder: Path, tmp_path: Path) -> None:
    """Of a set that brings a wrong wave and a GPT that no runtime loads, only the flow is taken; all have a reason."""
    brought = tmp_path / "set"
    shutil.copytree(folder, brought)
    (brought / "cpu").mkdir()
    write_cpu_flavour(folder, brought / "cpu")
    wave = onnx.load(brought / "cpu" / "wave_stream.onnx")
    for tensor in [tensor for tensor in wave.graph.initializer if len(tensor.dims) == 4]:
        tensor.CopyFrom(numpy_helper.from_array(1.5 * numpy_helper.to_array(tensor), tensor.name))
    onnx.save(wave, brought / "cpu" / "wave_stream.onnx")
    (brought / "cpu" / "t2s.onnx").write_bytes(b"none")
    write_manifest(brought, {**manifest(), "flavours": ["plain", "cpu"]})
    owner = read_model_set(brought)
    verify_model_set(owner)
    optimize(owner, FlavourCache(tmp_path / "engines"), 1)
    found = FlavourCache(tmp_path / "engines").find(owner)
    assert found is not None
    assert {name: verdict.agrees for name, verdict in found.verdicts.items()} == {
        "t2s": False,
        "encoder_text": True,
        "encoder_codes": True,
        "flow": True,
        "wave_stream": False,
    }
    assert all(verdict.reason for verdict in found.verdicts.values())
    taken = {name: brought / "cpu" / f"{name}.onnx" for name in ("encoder_text", "encoder_codes", "flow")}
    assert found.applied(owner).replaced == taken


def test_only_the_newest_flavours_are_kept(model: ModelSet, tmp_path: Path) -> None:
    """Of many sets that were tried, three."""
    cache = FlavourCache(tmp_path)
    for number in range(5):
        cache.add(replace(model, files={**model.files, "wave.onnx": f"{number}" * 64}), lambda folder: {})
    assert len(list(tmp_path.iterdir())) == 3
    assert cache.find(replace(model, files={**model.files, "wave.onnx": "4" * 64})) is not None


def test_a_float16_set_and_a_gpu_keep_the_plain_graphs(model: ModelSet, engine: EngineConfig) -> None:
    """They are for GPUs."""
    with EngineLoader(execution="cpu", threads=1) as loader:
        half = replace(model, precision="fp16")
        assert optimized(half, engine, loader) is half
    with EngineLoader(execution="auto", threads=1) as loader:
        loader._provider = "CUDAExecutionProvider"
        assert optimized(model, engine, loader) is model


def test_a_child_that_hangs_is_ended(model: ModelSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits may give up: the child is killed and its exception goes on."""
    monkeypatch.setattr(flavours, "COMMAND", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(flavours, "_TICK_S", 0.01)
    children: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: children.append(popen(*a, **k)) or children[-1])

    def stop() -> None:
        raise ModelError("asked to stop")

    with pytest.raises(ModelError, match="asked to stop"):
        make_in_child(model, EngineConfig(cache_dir=tmp_path), "cpu", waiting=stop)
    assert children[0].returncode is not None


def test_the_record_is_read_by_people_too(model: ModelSet, made: Path) -> None:
    """It names every graph with verdict, error and times."""
    (place,) = made.iterdir()
    verdicts = json.loads((place / "flavour.json").read_text())["verdicts"]
    assert set(verdicts) == {"t2s", "encoder_text", "encoder_codes", "flow", "wave_stream"}
    assert all("relative rms error" in verdict["reason"] for verdict in verdicts.values())


def test_where_8_bits_are_too_few_the_exact_flavour_runs(
    model: ModelSet, engine: EngineConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """A GPT in 8 bits that was refused here costs only the 8 bits."""
    refused = flavours.Verdict(agrees=False, reason="relative rms error 0.2", ms=1.0, plain_ms=1.0)
    FlavourCache(engine.cache_dir, "int8w").add(model, lambda folder: {"t2s": refused})
    with EngineLoader(execution="cpu", threads=1) as loader:
        found = optimized(model, engine.model_copy(update={"flavour": "int8w"}), loader)
        assert found == optimized(model, engine, loader)
    assert "t2s" in found.replaced
    assert "the GPT of the flavour int8w is not used here" in caplog.text


def test_a_set_may_forbid_8_bits(model: ModelSet, engine: EngineConfig) -> None:
    """Then the exact flavour runs where 8 bits are configured, and none in 8 bits is made."""
    with EngineLoader(execution="cpu", threads=1) as loader:
        eight = engine.model_copy(update={"flavour": "int8w"})
        assert (
            optimized(replace(model, eight_bits=False), eight, loader).replaced
            == optimized(model, engine, loader).replaced
        )
    assert not list(engine.cache_dir.glob("int8w-*"))


def test_8_bits_are_asked_for_and_judged_by_their_own_limits(model: ModelSet, tmp_path: Path) -> None:
    """`flavour: int8w` has a GPT a quarter as large, whose error is far over rounding and within 3e-2."""
    made = {}
    for kind in ("cpu", "int8w"):
        cache = FlavourCache(tmp_path, kind)
        optimize(model, cache, 1)
        found = cache.find(model)
        assert found is not None
        made[kind] = (found.verdicts["t2s"], (found.folder / "t2s.onnx.data").stat().st_size)
    (exact, full), (rounded, small) = made["cpu"], made["int8w"]
    assert exact.agrees
    assert rounded.agrees
    assert "error 0.00" in rounded.reason or "error 0.01" in rounded.reason
    assert small < full
