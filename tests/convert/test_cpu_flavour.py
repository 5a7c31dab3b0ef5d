"""What the flavour for processors is made of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_tts.convert.blocked import can_be_blocked
from edge_tts.convert.builder import read_graph
from edge_tts.convert.cpu_flavour import write_cpu_flavour
from edge_tts.convert.int8_weights import Int8Graph
from edge_tts.convert.model_set import Options, Sources, convert
from edge_tts.convert.streamed import stages_of
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.errors import ModelError
from edge_tts.graphs import (
    CPU_CONTRACTS,
    ENCODER_CODES,
    ENCODER_TEXT,
    MOST_ROWS,
    T2S,
    T2S_PROMPT,
    WAVE,
    WAVE_STREAM,
    check,
)
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.synthesis.sovits import SplitEncoder
from edge_tts.synthesis.wave_stream import open_wave
from edge_tts.values import FloatArray
from tests.engine.small_set import SIZES, write_graphs

STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graphs of a small set."""
    return write_graphs(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def waves(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    """Both graphs of the wave."""
    folder = tmp_path_factory.mktemp("cpu")
    write_cpu_flavour(plain, folder)
    engines = {
        name: load_engine(place / f"{name}.onnx", threads=1) for name, place in ((WAVE, plain), (WAVE_STREAM, folder))
    }
    yield engines
    for engine in engines.values():
        engine.close()


def test_the_gpt_is_one_graph_with_one_set_of_weights(plain: Path, tmp_path: Path) -> None:
    """It keeps the contract, and its weights are less than a tenth larger than those of the plain step."""
    write_cpu_flavour(plain, tmp_path)
    halves = {"encoder_text.onnx", "encoder_codes.onnx"}
    made = {"t2s.onnx", "t2s.onnx.data", *halves, "flow.onnx", "wave_stream.onnx"}
    assert {path.name for path in tmp_path.iterdir()} == made
    sizes = check(T2S, load_engine(tmp_path / "t2s.onnx", threads=1), "v2", {}, half=False)
    assert sizes["planes"] == 4
    assert list(CPU_CONTRACTS) == [T2S, T2S_PROMPT, ENCODER_TEXT, ENCODER_CODES, WAVE_STREAM]


class Counted:
    """An engine, and how often it ran."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.runs = engine, 0

    def run(self, feeds: Any) -> Any:
        self.runs += 1
        return self._engine.run(feeds)


def test_the_text_of_a_sentence_is_encoded_once(plain: Path, tmp_path: Path) -> None:
    """In two graphs the encoder computes what it did in one, and while a sentence is streamed the first runs once;
    others in between, and more of them than are kept, change nothing."""
    write_cpu_flavour(plain, tmp_path)
    names = ("encoder_text", "encoder_codes")
    paths = [plain / "encoder.onnx", *(tmp_path / f"{name}.onnx" for name in names)]
    whole, text, codes = (load_engine(path, threads=1) for path in paths)
    counted = Counted(text)
    encoder = SplitEncoder(counted, codes)  # type: ignore[arg-type]
    random = np.random.default_rng(3)
    sentences = [random.integers(1, 300, (1, 5 + number)) for number in range(MOST_ROWS + 1)]
    ge = random.standard_normal((1, SIZES.conditioning_width, 1)).astype(np.float32)
    for ids, length in [(0, 3), (0, 9), (1, 4), (0, 20), *((number, 2) for number in range(2, 9)), (1, 5)]:
        feeds = {"codes": random.integers(0, 1000, (1, length)), "phoneme_ids": sentences[ids], "ge": ge}
        np.testing.assert_allclose(encoder.run(feeds)["features"], whole.run(feeds)["features"], atol=1e-6)
    assert counted.runs == MOST_ROWS + 2
    for engine in (whole, text, codes):
        engine.close()


def test_every_convolution_of_the_generator_has_two_axes(plain: Path, tmp_path: Path) -> None:
    """So that the runtime blocks it; the plain graph stays 1-D."""
    write_cpu_flavour(plain, tmp_path)
    for path, rank in ((plain / "wave.onnx", 3), (tmp_path / "wave_stream.onnx", 4)):
        model = onnx.load(path).graph
        weights = {tensor.name: len(tensor.dims) for tensor in model.initializer}
        ranks = {weights[node.input[1]] for node in model.node if "Conv" in node.op_type}
        assert ranks == {rank}


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 79), max_size=6, unique=True).map(sorted))
def test_a_wave_that_goes_on_is_the_wave_of_the_whole(waves: dict[str, Engine], cuts: list[int]) -> None:
    """However the latents are cut, also shorter than a stage's receptive field, the pieces join to the whole wave; each
    comes as soon as its receptive field is there, and both graphs behind the protocol say the same."""
    random, frame = np.random.default_rng(3), SIZES.samples_per_frame
    latent = random.standard_normal((1, SIZES.latent_width, 80)).astype(np.float32)
    conditioning = random.standard_normal((1, SIZES.conditioning_width, 1)).astype(np.float32)
    whole = waves[WAVE].run({"latent": latent, "ge": conditioning})["audio"][0]
    for name, engine in waves.items():
        stream, pieces = open_wave(engine, conditioning, SIZES), list[FloatArray]()
        for begin, end in pairwise([0, *cuts, 80]):
            pieces.append(stream.push(latent[:, :, begin:end], last=end == 80))
            waiting = end * frame - sum(map(len, pieces))
            assert waiting <= (SIZES.wave_halo_frames + 2) * frame, name
        np.testing.assert_allclose(np.concatenate(pieces), whole, atol=2e-6, err_msg=name)


def test_a_wave_that_goes_on_computes_little_twice(plain: Path) -> None:
    """What its stages keep is less than half of what the receptive field of the whole holds of their inputs."""
    stages = stages_of(read_graph(plain / "wave.onnx"))
    rates = np.cumprod([1, *(stage.rate for stage in stages[:-1])])
    kept = sum(stage.channels * (stage.before + stage.after) for stage in stages)
    windowed = 2 * SIZES.wave_halo_frames * sum(stage.channels * rates[n] for n, stage in enumerate(stages))
    assert kept < windowed / 2


def test_a_graph_that_counts_axes_from_the_end_stays_plain(tmp_path: Path) -> None:
    """The starter's wave transposes and pads: only its GPT has a second flavour, with weights in full."""
    assert not can_be_blocked(read_graph(STARTER / "wave.onnx"))
    write_cpu_flavour(STARTER, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"t2s.onnx", "t2s.onnx.data"}


def test_a_gpt_of_another_make_is_named(plain: Path, tmp_path: Path) -> None:
    """A step that tools/convert did not write, and a file that is none, are errors that name it."""
    source = tmp_path / "set"
    shutil.copytree(plain, source)
    shutil.copyfile(source / "wave.onnx", source / "t2s_step.onnx")
    with pytest.raises(ModelError, match="not a graph that tools/convert writes"):
        write_cpu_flavour(source, tmp_path)
    (source / "t2s_step.onnx").write_bytes(b"\xff" * 99)
    with pytest.raises(ModelError, match=r"t2s_step.onnx: not a readable ONNX graph"):
        write_cpu_flavour(source, tmp_path)


@pytest.mark.parametrize("name", ["wave", "t2s_step"])
def test_a_damaged_graph_is_named(name: str, plain: Path, tmp_path: Path) -> None:
    """A graph whose nodes read what is not there is one error that names the set."""
    source = tmp_path / "set"
    shutil.copytree(plain, source)
    model = onnx.load(source / f"{name}.onnx")
    for node in model.graph.node:
        if node.op_type in ("Conv", "MatMul"):
            node.input[1] = "nowhere"
    onnx.save(model, source / f"{name}.onnx")
    with pytest.raises(ModelError, match="not a graph that tools/convert writes"):
        write_cpu_flavour(source, tmp_path)


def test_a_converted_set_can_bring_it(v2: Sources, tmp_path: Path) -> None:
    """`--flavour cpu` adds the folder `cpu`, and the manifest says so and has its checksums."""
    convert(v2, tmp_path / "mine", Options(name="mine", fused=True))
    model = read_model_set(tmp_path / "mine")
    verify_model_set(model)
    assert model.flavours == ("plain", "cpu")
    assert {"cpu/t2s.onnx", "cpu/t2s.onnx.data", "cpu/wave_stream.onnx", "t2s_step.onnx"} <= set(model.files)


def test_weights_in_8_bits_are_near(tmp_path: Path) -> None:
    """A product with them is within 1.5 % of the exact one; weights whose inputs are no blocks stay exact."""
    random = np.random.default_rng(2)
    feed = random.standard_normal((3, 128)).astype(np.float32)
    for wide, kind in ((128, "MatMulNBits"), (100, "MatMul")):
        weight = random.standard_normal((wide, 64)).astype(np.float32)
        graph = Int8Graph("g")
        graph.output("y", graph.op("MatMul", graph.input("x", ["n", wide]), graph.constant(weight)), ["n", 64])
        graph.save(tmp_path / "g.onnx")
        assert [node.kind for node in read_graph(tmp_path / "g.onnx").nodes] == [kind, "Identity"]
        expected = feed[:, :wide] @ weight
        found = load_engine(tmp_path / "g.onnx", threads=1).run({"x": feed[:, :wide]})["y"]
        assert np.linalg.norm(found - expected) < 0.015 * np.linalg.norm(expected)
