"""What TensorRT logs: a missing GPU is no error of a builder that goes on, and a refusal says why."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.engine.tensorrt.messages import expected, make_logger
from edge_tts.engine.tensorrt.trt_engine import TrtEngine
from edge_tts.errors import ModelError
from edge_tts.graphs import SequenceLimits

from .conftest import build_plan
from .fake_builder import NO_GPU, FakeBuilder, FakeConfig
from .fake_cudart import FakeCudart
from .fake_tensorrt import fake_tensorrt
from .small_set import write_prefill_of

TRT: Any = fake_tensorrt("10.3", None)
Severity = TRT.ILogger.Severity
REAL = "IBuilder::buildSerializedNetwork: Error Code 2: OutOfMemory (Requested size was 1234 bytes.)"


@pytest.mark.parametrize(
    "message",
    [
        NO_GPU,
        "CUDA initialization failure with error: 35. Please check your CUDA installation",
        "CUDA initialization failure with error: 100",
        "[runtime.cpp::parsePlan::314] Error Code 1: Cuda failure: no CUDA-capable device is detected",
        "IRuntime::deserializeCudaEngine: Error Code 1: Cuda Runtime (CUDA driver is a stub library)",
        "No CUDA driver detected: setting target driver version to 0 (unknown)",
        "[virtualMemoryBuffer.cpp::resizePhysical::140] Error Code 1: Cuda Driver (CUDA error 100)",
    ],
)
def test_a_missing_gpu_is_no_error(message: str, caplog: pytest.LogCaptureFixture) -> None:
    """What only says that there is no GPU stays below WARNING, and explains a refusal only where nothing else does."""
    logger = make_logger(TRT, "wave")
    with caplog.at_level(logging.DEBUG):
        logger.log(Severity.ERROR, message)
        logger.log(Severity.WARNING, message)
    assert {record.levelno for record in caplog.records} == {logging.INFO}
    assert logger.reason() == message
    logger.log(Severity.ERROR, REAL)
    logger.log(Severity.INTERNAL_ERROR, message)
    assert logger.reason() == REAL


@pytest.mark.parametrize("message", [REAL, "Cuda failure: 350", "cudaError 2: out of memory", "CUDA error 700"])
def test_other_errors_stay_errors(message: str, caplog: pytest.LogCaptureFixture) -> None:
    """An error that is about something else is logged as one and kept as the reason."""
    logger = make_logger(TRT, "wave")
    logger.log(Severity.ERROR, message)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert logger.reason() == message


def test_a_warning_is_heard_unless_it_is_explained(caplog: pytest.LogCaptureFixture) -> None:
    """The reminder that int64 inputs are bound as int64 is explained, and not shown to the owner of a device."""
    logger = make_logger(TRT, "wave")
    explained = "ModelImporter.cpp:1071: Make sure input codes has Int64 binding."
    for message in (explained, "Some tactics do not have sufficient workspace memory to run."):
        logger.log(Severity.WARNING, message)
    assert [record.getMessage() for record in caplog.records] == [
        "wave: Some tactics do not have sufficient workspace memory to run."
    ]
    assert (expected(explained) != "", expected("another")) == (True, "")


def test_a_build_without_a_gpu_logs_no_error(graphs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A builder that reads damaged timings without a GPU complains and goes on; the log has no ERROR."""
    (tmp_path / "timings").write_bytes(b"garbage")
    build_plan(graphs / "flow.onnx", tmp_path / "flow.plan", fake_tensorrt("rtx 1.7", None))
    assert [record.levelname for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    ("kind", "method", "answer", "words"),
    [
        (FakeBuilder, "create_network", None, "makes no strongly typed network"),
        (FakeConfig, "add_optimization_profile", -1, "refuses the profile"),
    ],
)
def test_what_the_library_refuses_by_its_return_value_is_an_error(
    kind: type,
    method: str,
    answer: int | None,
    words: str,
    graphs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No network, or -1 for a profile: no exception of the library's, so the build looks at what it is given."""
    monkeypatch.setattr(kind, method, lambda *arguments: answer)
    with pytest.raises(ModelError, match=words):
        build_plan(graphs / "wave.onnx", tmp_path / "wave.plan", fake_tensorrt("11.4", None))


def nothing(logger: Any) -> None:
    """In place of a class whose library returns nothing."""
    logger.log(Severity.ERROR, "CUDA initialization failure with error: 35")
    raise TypeError("pybind11::init(): factory function returned nullptr")


def test_no_builder_is_a_named_error(graphs: Path, tmp_path: Path) -> None:
    """Without a GPU TensorRT 10 makes no builder, which its binding calls a TypeError."""
    trt = fake_tensorrt("10.3", None)
    trt.Builder = nothing
    with pytest.raises(ModelError, match="makes no builder: CUDA initialization failure with error: 35"):
        build_plan(graphs / "wave.onnx", tmp_path / "wave.plan", trt)


def test_no_runtime_is_a_named_error(device: FakeCudart) -> None:
    """Nor does it make a runtime."""
    trt = fake_tensorrt("10.3", device)
    trt.Runtime = nothing
    with pytest.raises(ModelError, match="makes no runtime: CUDA initialization failure with error: 35"):
        TrtEngine(b"", trt=trt, cuda=Cuda(device), path=Path("wave.plan"))


def test_a_profile_that_promises_too_much_is_no_engine(tmp_path: Path) -> None:
    """The builder warns that the largest shapes do not fit each other, and goes on; the build does not."""
    write_prefill_of(tmp_path / "t2s_prefill.onnx", text_positions=64)
    trt, plan = fake_tensorrt("10.16", None), tmp_path / "t2s_prefill.plan"
    with pytest.raises(ModelError, match="promises shapes that the network cannot take: Profile kMAX values"):
        build_plan(tmp_path / "t2s_prefill.onnx", plan, trt, limits=SequenceLimits(text_positions=65))
    assert not plan.exists()
