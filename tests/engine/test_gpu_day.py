"""tools/gpu_day: every part on the fakes, and a machine without a GPU, where every part says why it is skipped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_tts.engine.onnxruntime import CPU
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.values import ModelSet
from tools.gpu import command, engines, machine, memory, part, provider, sets, training
from tools.gpu.page import as_page
from tools.gpu.report import WORK, Report, Skipped, read_report

from .fake_cudart import FakeCudart
from .fake_tensorrt import Faults, fake_tensorrt
from .small_set import model_set

ROOT = Path(__file__).resolve().parents[2]
PART = """
import json, os, sys, threading
name, folder = sys.argv[1:]
report = {"part": name, "status": "ended early", "reason": "", "seconds": 0, "rows": [["first", "ok", ""]],
          "figures": {}, "log": [], "file": None}
del report["file"]
def save():
    with open(os.path.join(folder, name + ".json"), "w") as file:
        json.dump(report, file)
if name == "hangs":
    threading.Event().wait()
save()
if name == "crashes":
    print("the driver fell over", file=sys.stderr)
    os._exit(139)
report["status"] = name
save()
"""


def results(report: Report) -> dict[str, str]:
    return {what: result for what, result, _ in report.rows}


def test_a_part_that_crashes_or_hangs_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others go on, what a dead part had found is kept, and the results are written with the reason of each."""
    monkeypatch.setattr(command, "PARTS", {"crashes": 60.0, "hangs": 0.2, "ok": 60.0, "skipped": 60.0})
    day = command.Day(tmp_path, command=(sys.executable, "-c", PART))
    reports = command.spend(day)
    assert [report.status for report in reports] == ["ended early", "timed out", "ok", "skipped"]
    assert results(reports[0]) == {"first": "ok"}
    assert "status 139: the driver fell over" in reports[0].reason
    assert "after 0 s" in reports[1].reason
    command.write(day, reports, ["a note"])
    written = json.loads((tmp_path / "gpu_day.json").read_text(encoding="utf-8"))
    assert [entry["status"] for entry in written["parts"]] == [report.status for report in reports]
    page = (tmp_path / "gpu_day.md").read_text(encoding="utf-8")
    assert "the driver fell over" in page
    assert "a note" in page


def test_what_there_is_no_time_for_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine minutes are nine minutes: parts after them are not begun."""
    now = iter([0.0, 1.0, 1.0, 536.0, 536.0])
    monkeypatch.setattr(command, "PARTS", {"ok": 60.0, "late": 60.0})
    day = command.Day(tmp_path, clock=lambda: next(now), command=(sys.executable, "-c", PART))
    assert [report.status for report in command.spend(day)] == ["ok", "no time"]


def test_without_a_gpu_every_part_says_why_it_is_skipped(tmp_path: Path) -> None:
    """The real command, on a machine whose GPU, if any, is hidden: status 0, and six reasons."""
    hidden = {"PATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    tool = [sys.executable, str(ROOT / "tools" / "gpu_day"), "--out", str(tmp_path / "day")]
    done = subprocess.run(tool, capture_output=True, text=True, check=False, env={**os.environ, **hidden})
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((tmp_path / "day" / "gpu_day.json").read_text(encoding="utf-8"))
    assert [entry["part"] for entry in written["parts"]] == list(command.PARTS)
    assert {entry["status"] for entry in written["parts"]} == {"skipped"}
    assert all(entry["reason"] for entry in written["parts"])
    assert "# A GPU day" in (tmp_path / "day" / "gpu_day.md").read_text(encoding="utf-8")
    assert not (tmp_path / "day" / WORK).exists()


def test_only_the_wheels_of_the_folder_are_installed(tmp_path: Path) -> None:
    """A wheel that fits lands in a folder that the parts import from; one that is broken is noted and costs itself."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    facts = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    with zipfile.ZipFile(wheels / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "there = True\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", facts)
        tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr("tiny-1.0.dist-info/WHEEL", tag)
        wheel.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\n")
    (wheels / "broken-1.0-py3-none-any.whl").write_bytes(b"no archive")
    environment, notes = command._environment(wheels, tmp_path)
    code = [sys.executable, "-c", "import tiny; print(tiny.there)"]
    done = subprocess.run(code, capture_output=True, text=True, check=True, env={**os.environ, **environment})
    assert done.stdout == "True\n"
    assert [note.split(" (")[0] for note in notes] == ["not installed: broken-1.0-py3-none-any.whl", "2 wheels given"]


def test_the_cuda_part_passes_on_the_checking_device(tmp_path: Path) -> None:
    """Every check of memory, copies, streams, events, graphs and errors holds on the fake, and the device is left clean
    up to the last one, which loses it."""
    device = FakeCudart()
    report = Report("memory", file=tmp_path / "memory.json")
    memory.run(report, tmp_path, lambda: Cuda(device), megabytes=4)
    assert {what: note for what, result, note in report.rows if result in ("FAILED", "skipped")} == {}
    assert report.figures["bandwidth"] > 0
    assert report.status == "ended early"  # which the caller makes "ok"
    assert read_report(tmp_path / "memory.json", "memory").rows == report.rows


def test_a_device_that_copies_wrongly_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strided copy that goes astray fails its line, and the part goes on."""
    device = FakeCudart()
    real = Cuda.copy_rows

    def astray(self: Cuda, target: tuple[int, int], source: tuple[int, int], *, width: int, rows: int) -> None:
        real(self, target, source, width=width, rows=max(rows - 1, 1))

    monkeypatch.setattr(Cuda, "copy_rows", astray)
    report = Report("memory")
    memory.run(report, tmp_path, lambda: Cuda(device), megabytes=4)
    failed = [what for what, result, _ in report.rows if result == "FAILED"]
    assert len(failed) == 1
    assert "strided append" in failed[0]
    assert report.status == "failed"


def brief(folder: Path, precision: str = "fp32") -> ModelSet:
    """A small set whose segments end soon."""
    return replace(model_set(folder, precision), max_tokens_per_phoneme=0.5)


@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_the_tensorrt_part_builds_judges_and_times(
    wrong: float, tmp_path: Path, graphs: Path, half_graphs: Path
) -> None:
    """Both precisions on the fake: verdicts, engines, the page of figures and the floor; a wrong engine fails."""
    device, faults = FakeCudart(), Faults(wrong_by=wrong)
    memory_report = Report("memory", status="ok", file=tmp_path / "memory.json")
    memory_report.figure("bandwidth", 1e9)

    def opened() -> tuple[Any, Cuda]:
        return fake_tensorrt("11.4", device, faults), Cuda(device)

    report = Report("engines")
    models = {"small fp32": lambda: brief(graphs), "small fp16": lambda: brief(half_graphs, "fp16")}
    if wrong:
        del models["small fp16"]
    engines.run(report, tmp_path, opened, models)
    found = results(report)
    assert device.leaks == []
    assert found["small fp32: all engines are built, agree and speak"] == ("FAILED" if wrong else "ok")
    if not wrong:
        assert found["small fp16: all engines are built, agree and speak"] == "ok"
        assert found["small fp16, runs on"] == "tensorrt, all graphs"
        assert report.figures["small fp16 over floor"] > 0
        assert "small fp16, ms per token without captured graphs" in found
        assert report.log == []


def test_a_library_without_kernels_for_the_gpu_is_no_failure() -> None:
    """TensorRT-RTX names the GPUs that it supports; TensorRT does not, and is tried."""
    named = SimpleNamespace(ComputeCapability=SimpleNamespace(__members__={"NONE": 0, "SM86": 1, "SM120": 2}))
    assert engines.why_unsupported(named, "8.6") == engines.why_unsupported(named, "12.0") == ""
    assert "does not support compute capability 9.0, only SM86, SM120" in engines.why_unsupported(named, "9.0")
    assert engines.why_unsupported(SimpleNamespace(), "8.7") == ""


def test_float16_is_compared_with_float32(tmp_path: Path, graphs: Path, half_graphs: Path) -> None:
    """The provider's part on the processor: each graph of the float16 set against its float32 original, with its error;
    a set of other weights disagrees."""
    report = Report("provider")
    provider.compare(report, brief(graphs), brief(half_graphs, "fp16"), CPU)
    assert set(results(report).values()) == {"agrees"}
    assert 0 < report.figures["wave"]["relative_rms"] < 1e-2
    with pytest.raises(Skipped, match="no GPU here: hidden"):
        provider.run(report, tmp_path, lambda name: "hidden")


def test_what_is_missing_is_a_reason_and_what_breaks_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that is not installed skips its part; an exception that nobody foresaw fails it, and says which."""

    def missing(report: Report, folder: Path) -> None:
        raise ImportError("No module named 'torch'")

    def broken(report: Report, folder: Path) -> None:
        raise ZeroDivisionError("surprise")

    for body, status, words in ((missing, "skipped", "torch"), (broken, "failed", "surprise")):
        monkeypatch.setattr(training, "run", body)
        report = Report("training", file=tmp_path / "training.json")
        part.run(report, tmp_path)
        kept = read_report(tmp_path / "training.json", "training")
        assert (kept.status, words in kept.reason) == (status, True)


def test_the_machine_is_described(tmp_path: Path) -> None:
    """What nvidia-smi tells becomes lines and a figure."""
    report = Report("machine")
    machine.run(report, tmp_path, lambda query: dict.fromkeys(query.split(","), "7"))
    assert results(report)["compute_cap"] == "7"
    assert report.figures["gpu"]["power.draw"] == "7"


def test_sets_are_made_only_where_something_runs_them(tmp_path: Path) -> None:
    """Without a device no gigabyte of random weights is written, and a part that needs a set says which is missing."""
    Report("memory", status="skipped", reason="no GPU", file=tmp_path / "memory.json").save()
    with pytest.raises(Skipped, match="no GPU"):
        sets.run(Report("sets"), tmp_path)
    with pytest.raises(Skipped, match="no full-size set in fp16"):
        sets.full_set(tmp_path, "fp16")


def test_a_training_step_is_timed(tmp_path: Path) -> None:
    """Steps of the starter's GPT, on the processor here."""
    pytest.importorskip("torch")
    report = Report("training")
    training.run(report, tmp_path, device="cpu", steps=1)
    assert report.figures["step_ms"] > 0


def test_the_page_is_a_table_whatever_the_text() -> None:
    """Bars and line breaks in a reason break no table; warnings are shown."""
    report = Report("memory", "failed", "a | b\nc", rows=[("x|y", "ok", "")], log=["WARNING odd"])
    page = as_page([report], [])
    assert "| memory | failed | 0 | a / b c |" in page
    assert "| x/y | ok |  |" in page
    assert "    WARNING odd" in page
