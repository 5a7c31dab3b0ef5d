"""The whole decode and a whole sentence on the checking device, against the plain path on ONNX Runtime."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.synthesis.batch import generate
from edge_tts.synthesis.interfaces import Prompt
from edge_tts.synthesis.sovits import NoiseField, Sovits
from edge_tts.synthesis.stream import SegmentStream
from edge_tts.synthesis.t2s import SemanticDecoder
from edge_tts.values import FloatArray, Sampling

from .conftest import Bench
from .fake_cudart import FakeCudart
from .fake_tensorrt import VERSIONS
from .small_set import SIZES, voice


def prompt(phonemes: int, tokens: int, seed: int) -> Prompt:
    random = np.random.default_rng(seed)
    bert = random.standard_normal((phonemes, 1024)).astype(np.float32)
    return Prompt(phoneme_ids=random.integers(1, 732, phonemes), bert=bert, tokens=random.integers(0, 1024, tokens))


def decoder(prefill: Engine, step: Engine, *, batch: int = 1) -> SemanticDecoder:
    return SemanticDecoder(prefill=prefill, step=step, limits=SIZES.limits, max_positions=256, batch=batch)


def plain(graphs: Path, stack: ExitStack, *, batch: int = 1) -> SemanticDecoder:
    engines = [load_engine(graphs / f"{name}.onnx", threads=1) for name in ("t2s_prefill", "t2s_step")]
    for engine in engines:
        stack.callback(engine.close)
    return decoder(*engines, batch=batch)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("captured", [False, True])
def test_one_sequence_equals_the_plain_path(
    version: str, captured: bool, graphs: Path, device: FakeCudart, open_engine: Bench
) -> None:
    """A sequence long enough to cross a bucket gives the plain path's tokens, with and without captured graphs."""
    sampling = Sampling(seed=3)
    cuda = Cuda(device)
    with ExitStack() as stack:
        expected = list(generate(plain(graphs, stack), prompt(30, 20, 1), sampling=sampling, limit=60))
    prefill = open_engine(graphs / "t2s_prefill.onnx", cuda, version=version)
    step = open_engine(graphs / "t2s_step.onnx", cuda, version=version, graphs=captured)
    found = list(generate(decoder(prefill, step), prompt(30, 20, 1), sampling=sampling, limit=60))
    assert len(found) == 60
    assert found == expected
    assert device.calls.count("cudaGraphInstantiateWithFlags") == (2 if captured else 0)  # one graph per bucket
    prefill.close()
    step.close()
    cuda.close()
    assert device.leaks == []


def logits_of(subject: SemanticDecoder, steps: int) -> list[FloatArray]:
    """Logits of three rows that start at different times with different prompts; one of them starts anew."""
    prompts = [prompt(40, 10, 1), prompt(12, 0, 2), prompt(70, 55, 3)]
    seen = [subject.start(0, prompts[0]), subject.start(2, prompts[2])]
    random = np.random.default_rng(9)
    for index in range(steps):
        if index == 5:
            seen.append(subject.start(1, prompts[1]))  # joins late
        if index == 12:
            subject.release(0)
        if index == 15:
            seen.append(subject.start(0, prompts[1]))
        logits = subject.step(random.integers(0, 1024, 3))
        used = [row for row in range(3) if not (row == 1 and index < 5) and not (row == 0 and 12 <= index < 15)]
        seen.append(logits[used])
    return seen


@pytest.mark.parametrize("captured", [False, True])
def test_rows_of_different_lengths_decode_side_by_side(
    captured: bool, graphs: Path, device: FakeCudart, open_engine: Bench
) -> None:
    """Rows of different lengths, one joining late and one started anew, give the plain path's logits at every step."""
    cuda = Cuda(device)
    with ExitStack() as stack:
        expected = logits_of(plain(graphs, stack, batch=3), 24)
    prefill = open_engine(graphs / "t2s_prefill.onnx", cuda)
    step = open_engine(graphs / "t2s_step.onnx", cuda, graphs=captured, batch=3)
    found = logits_of(decoder(prefill, step, batch=3), 24)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_cache_stays_in_half_precision(half_graphs: Path, device: FakeCudart, open_engine: Bench) -> None:
    """A float16 set decodes with a float16 cache on the device and equals the plain path."""
    cuda, sampling = Cuda(device), Sampling(seed=1)
    with ExitStack() as stack:
        expected = list(generate(plain(half_graphs, stack), prompt(30, 20, 1), sampling=sampling, limit=40))
    prefill = open_engine(half_graphs / "t2s_prefill.onnx", cuda)
    step = open_engine(half_graphs / "t2s_step.onnx", cuda, graphs=True)
    assert step.inputs["cache_0"].dtype == np.float16
    assert list(generate(decoder(prefill, step), prompt(30, 20, 1), sampling=sampling, limit=40)) == expected


def sentence(engines: dict[str, Engine]) -> FloatArray:
    """Phonemes to waveform as in production: in pieces, while the tokens are decoded."""
    phonemes = np.random.default_rng(4).integers(1, 700, 25)
    speaker = voice()
    sovits = Sovits(encoder=engines["encoder"], flow=engines["flow"], wave=engines["wave"], sizes=SIZES)
    stream = SegmentStream(
        vocoder=sovits,
        phoneme_ids=phonemes,
        conditioning=speaker.conditioning,
        noise=NoiseField(seed=2, width=SIZES.latent_width),
    )
    read = Prompt(
        phoneme_ids=np.concatenate([speaker.prompt_phoneme_ids, phonemes]),
        bert=np.zeros((37, 1024), np.float32),
        tokens=speaker.prompt_tokens,
    )
    tokens: list[int] = []
    pieces = []
    subject = decoder(engines["t2s_prefill"], engines["t2s_step"])
    for token in generate(subject, read, sampling=Sampling(seed=11), limit=50):
        tokens.append(token)
        if len(tokens) in (16, 30):
            pieces.append(stream.render(np.array(tokens), last=False))
    return np.concatenate([*pieces, stream.render(np.array(tokens), last=True)])


def test_a_whole_sentence_equals_the_plain_path(graphs: Path, device: FakeCudart, open_engine: Bench) -> None:
    """All five graphs on the device give the samples of ONNX Runtime, twice in a row."""
    cuda = Cuda(device)
    names = ("t2s_prefill", "t2s_step", "encoder", "flow", "wave")
    expected = sentence({name: load_engine(graphs / f"{name}.onnx", threads=1) for name in names})
    engines: dict[str, Engine] = {
        name: open_engine(graphs / f"{name}.onnx", cuda, graphs=name == "t2s_step") for name in names
    }
    for _ in range(2):
        np.testing.assert_array_equal(sentence(engines), expected)
    assert len(expected) == 50 * 2 * 640
    assert np.isfinite(expected).all()
