"""What goes wrong while an engine runs: refused captures, a full or lost device, feeds that do not fit, misuse."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from edge_tts.engine.contract import TensorSpec
from edge_tts.engine.onnxruntime import HostBuffer
from edge_tts.engine.tensorrt import trt_engine
from edge_tts.engine.tensorrt.cuda import Cuda, open_library
from edge_tts.engine.tensorrt.trt_engine import TrtEngine
from edge_tts.errors import DeviceLostError, EdgeTTSError, EngineError, ModelError
from edge_tts.graphs import SequenceLimits
from edge_tts.synthesis.batch import generate
from edge_tts.synthesis.t2s import SemanticDecoder
from edge_tts.values import Sampling

from .buffers import read, write
from .conftest import Bench, build_plan
from .fake_cudart import FakeCudart, Misuse
from .fake_tensorrt import Faults, fake_tensorrt
from .test_trt_decode import decoder, prompt

FEEDS = {"latent": np.ones((1, 8, 20), np.float32), "ge": np.ones((1, 512, 1), np.float32)}


def tokens(prefill: TrtEngine, step: TrtEngine) -> list[int]:
    return list(generate(decoder(prefill, step), prompt(30, 20, 1), sampling=Sampling(seed=3), limit=20))


@pytest.mark.parametrize("refuser", ["tensorrt", "cuda"])
def test_a_refused_capture_goes_on_without_graphs(
    refuser: str, graphs: Path, device: FakeCudart, open_engine: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused capture gives the same tokens and one warning, and is not retried."""
    cuda = Cuda(device)
    prefill = open_engine(graphs / "t2s_prefill.onnx", cuda)
    expected = tokens(prefill, open_engine(graphs / "t2s_step.onnx", cuda))
    device.refuse_graphs = refuser == "cuda"
    step = open_engine(graphs / "t2s_step.onnx", cuda, graphs=True, faults=Faults(refuse_capture=refuser == "tensorrt"))
    with caplog.at_level(logging.WARNING, "edge_tts.engine.tensorrt.trt_engine"):
        assert tokens(prefill, step) == expected
    assert sum("running without graphs" in record.message for record in caplog.records) == 1
    assert device.calls.count("cudaStreamBeginCapture") == 1


def test_captured_graphs_are_bounded(
    graphs: Path, device: FakeCudart, open_engine: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound, other shapes run without a graph, to the same tokens."""
    cuda = Cuda(device)
    prefill = open_engine(graphs / "t2s_prefill.onnx", cuda)
    expected = tokens(prefill, open_engine(graphs / "t2s_step.onnx", cuda))
    captured = []
    for bound in (64, 1):
        monkeypatch.setattr(trt_engine, "_MAX_GRAPHS", bound)
        device.calls.clear()
        assert tokens(prefill, open_engine(graphs / "t2s_step.onnx", cuda, graphs=True)) == expected
        captured.append(device.calls.count("cudaGraphInstantiateWithFlags"))
    assert captured[0] > captured[1] == 1


def test_a_replayed_step_makes_one_launch(graphs: Path, device: FakeCudart, open_engine: Bench) -> None:
    """Once a bucket is captured, a step is one launch, one wait and one append: no copy or run is queued by itself."""
    cuda = Cuda(device)
    subject = decoder(
        open_engine(graphs / "t2s_prefill.onnx", cuda), open_engine(graphs / "t2s_step.onnx", cuda, graphs=True)
    )
    subject.start(0, prompt(30, 20, 1))
    for _ in range(3):
        subject.step(np.array([5]))
    device.calls.clear()
    subject.step(np.array([5]))
    assert device.calls == ["cudaGraphLaunch", "cudaStreamSynchronize", "cudaMemcpy2DAsync"]


def test_a_full_device_is_a_named_error(graphs: Path, device: FakeCudart, open_engine: Bench) -> None:
    """Memory that runs out during a sentence ends that job with the requested and the free size."""
    cuda = Cuda(device)
    engine = open_engine(graphs / "wave.onnx", cuda)
    free = device.total - device.used
    device.total = device.used
    with pytest.raises(EngineError, match=r"wanted 0 MB, 0 of \d+ MB are free"):
        engine.run(FEEDS)
    device.total += free
    assert engine.run(FEEDS)["audio"].shape == (1, 20 * 640)


def test_a_lost_device_is_no_error_of_one_job(graphs: Path, device: FakeCudart, open_engine: Bench) -> None:
    """After a fault on the GPU nothing works in this process any more: the error is one that ends the process."""
    cuda = Cuda(device)
    engine = open_engine(graphs / "wave.onnx", cuda)
    cuda.zero(12345, 10)
    with pytest.raises(DeviceLostError) as lost:
        engine.run(FEEDS)
    assert not isinstance(lost.value, EdgeTTSError)


def test_a_surprise_in_the_middle_of_a_run_costs_the_process(
    graphs: Path, device: FakeCudart, open_engine: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception may leave work on the stream: it is an error that ends the process."""
    cuda = Cuda(device)
    engine = open_engine(graphs / "wave.onnx", cuda)
    monkeypatch.setattr(cuda, "synchronize", lambda: 1 / 0)
    with pytest.raises(DeviceLostError, match="ZeroDivisionError in the middle of a run"):
        engine.run(FEEDS)
    monkeypatch.undo()


def test_a_run_that_tensorrt_refuses_names_its_reason(graphs: Path, device: FakeCudart, open_engine: Bench) -> None:
    """`execute_async_v3` returns only False; the message that TensorRT logged is in the error."""
    engine = open_engine(graphs / "wave.onnx", Cuda(device), faults=Faults(fail_to_run=True))
    with pytest.raises(EngineError, match="not ready"):
        engine.run(FEEDS)


def test_feeds_that_do_not_fit_are_refused(graphs: Path, device: FakeCudart, open_engine: Bench) -> None:
    """A missing input, another type, a shape outside of the profile and a host buffer are named errors."""
    cuda = Cuda(device)
    engine = open_engine(graphs / "wave.onnx", cuda)
    latent, ge = FEEDS["latent"], FEEDS["ge"]
    host = HostBuffer(TensorSpec("ge", (1, 512, 1), np.dtype(np.float32)), ge)
    for feeds, words in (
        ({"latent": latent}, "takes"),
        ({"latent": latent.astype(np.float64), "ge": ge}, "float64"),
        ({"latent": np.ones((1, 8, 1025), np.float32), "ge": ge}, r"to \[1, 8, 1024\]"),
        ({"latent": latent, "ge": host}, "another runtime"),
        ({"latent": latent, "ge": engine_buffer(FakeCudart(), (1, 512, 1))}, "another stream"),
    ):
        with pytest.raises(EngineError, match=words):
            engine.run(feeds)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.run(FEEDS)


def engine_buffer(device: FakeCudart, shape: tuple[int, ...]):
    from edge_tts.engine.tensorrt.device_buffer import DeviceBuffer

    cuda = Cuda(device)
    return DeviceBuffer(TensorSpec("b", shape, np.dtype(np.float32)), cuda.allocate(4 * int(np.prod(shape))), cuda)


def test_a_damaged_plan_is_refused(graphs: Path, device: FakeCudart) -> None:
    """Bytes that are no engine raise a `ModelError` with TensorRT's message."""
    with pytest.raises(ModelError, match="no plan"):
        TrtEngine(b"nonsense", trt=fake_tensorrt("10.3", device), cuda=Cuda(device), path=Path("x.plan"))


def test_nothing_is_left_after_an_engine_that_does_not_fit(graphs: Path, tmp_path: Path, device: FakeCudart) -> None:
    """An engine that runs out of memory while it is opened frees what it had allocated."""
    trt, cuda = fake_tensorrt("10.3", device), Cuda(device)
    plan = build_plan(graphs / "wave.onnx", tmp_path / "wave.plan", trt)
    device.total = 5000  # the scratch memory fits, the outputs do not
    with pytest.raises(EngineError, match="MB are free"):
        TrtEngine(plan, trt=trt, cuda=cuda, path=Path("wave.plan"))
    assert device.used == 0


def test_buffers_are_checked(device: FakeCudart) -> None:
    """A prefix reads its part of the buffer, one outside is refused, and so are rows that do not fit."""
    slab = engine_buffer(device, (2, 8, 3, 4))
    rows = engine_buffer(device, (2, 3, 4))
    content = np.arange(2 * 8 * 3 * 4, dtype=np.float32).reshape(2, 8, 3, 4)
    write(slab, content)
    np.testing.assert_array_equal(read(slab), content)
    np.testing.assert_array_equal(read(slab.prefix(1, 3)), content[1, :3])
    for plane, length in ((2, 1), (0, 9), (1, 9), (0, -1)):
        with pytest.raises(EngineError, match="no prefix"):
            slab.prefix(plane, length)
    with pytest.raises(EngineError, match="another stream"):
        slab.write_at(rows, time=0, row=0)
    with pytest.raises(EngineError, match="cannot be appended"):
        slab.write_at(slab, time=1, row=0)


def test_without_a_cuda_runtime_or_device_the_reason_is_named() -> None:
    """A machine without libcudart or without a GPU gets a `ModelError` that says which."""

    def absent(name: str) -> None:
        raise OSError(name)

    with pytest.raises(ModelError, match="no CUDA runtime"):
        open_library(absent)
    with pytest.raises(ModelError, match="no CUDA device 0"):
        Cuda(FakeCudart(devices=0))
    with pytest.raises(ModelError, match="has no cudaGetDeviceCount"):
        Cuda(object())


def test_the_device_says_what_it_is(device: FakeCudart) -> None:
    """Compute capability, runtime version and memory."""
    cuda = Cuda(device)
    assert (cuda.capability(), cuda.version()) == ("8.7", "12.6")
    assert cuda.memory() == (1 << 30, 1 << 30)


def test_the_checking_device_catches_a_changed_context(graphs: Path, device: FakeCudart, open_engine: Bench) -> None:
    """The fake checks: touching a context after its capture is misuse, not a number."""
    cuda = Cuda(device)
    step = open_engine(graphs / "t2s_step.onnx", cuda, graphs=True)
    subject = SemanticDecoder(
        prefill=open_engine(graphs / "t2s_prefill.onnx", cuda), step=step, limits=SequenceLimits(), max_positions=128
    )
    subject.start(0, prompt(30, 20, 1))
    for _ in range(2):
        subject.step(np.array([5]))
    (replay,) = step._replays.values()
    replay.context.native.set_tensor_address("token", step._memory["token"])
    with pytest.raises(Misuse, match="context had been changed"):
        subject.step(np.array([5]))
