"""The flavour for processors computes what the plain graphs compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_tts import graphs
from edge_tts.convert.cpu_flavour import Int8, write_cpu_flavour
from edge_tts.engine.onnxruntime import OrtEngine
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.t2s import SemanticDecoder, prefill_feeds
from edge_tts.synthesis.t2s_fused import FusedDecoder
from edge_tts.values import FloatArray
from tests.engine.small_set import SIZES, write_graphs

LIMITS = SIZES.limits


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small set's graphs, and in `cpu` those of the other flavour."""
    folder = write_graphs(tmp_path_factory.mktemp("set"))
    (folder / "cpu").mkdir()
    write_cpu_flavour(folder, folder / "cpu")
    return folder


@pytest.fixture
def fused(plain: Path) -> FusedDecoder:
    """Two rows of the fused GPT."""
    return FusedDecoder(gpt=OrtEngine(plain / "cpu" / "t2s.onnx", threads=1), limits=LIMITS, batch=2)


@pytest.fixture
def reference(plain: Path) -> SemanticDecoder:
    """One row of the plain GPT."""
    engines = [OrtEngine(plain / f"{name}.onnx", threads=1) for name in ("t2s_prefill", "t2s_step")]
    return SemanticDecoder(prefill=engines[0], step=engines[1], limits=LIMITS)


def prompt(seed: int, phonemes: int, tokens: int) -> Prompt:
    """Random ids and BERT rows."""
    random = np.random.default_rng(seed)
    return Prompt(
        phoneme_ids=random.integers(0, 700, phonemes),
        bert=random.standard_normal((phonemes, 1024)).astype(np.float32),
        tokens=random.integers(0, 1024, tokens),
    )


def alone(decoder: Decoder, asked: Prompt, tokens: list[int]) -> list[FloatArray]:
    """Logits after the prompt and after each token, in row 0."""
    logits = [decoder.start(0, asked)]
    logits += [decoder.step(np.full(decoder.batch, token))[0] for token in tokens]
    decoder.release(0)
    return logits


@pytest.mark.parametrize("tokens", [0, 1, 20])
def test_the_fused_gpt_gives_the_plain_logits(fused: FusedDecoder, reference: SemanticDecoder, tokens: int) -> None:
    """After prompts with and without tokens, and after every token fed, a second time in a used row too."""
    for seed in (1, 2):
        asked, said = prompt(seed, 30, tokens), list(range(0, 700, 10))
        expected, found = alone(reference, asked, said), alone(fused, asked, said)
        np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_row_that_joins_late_changes_nothing(fused: FusedDecoder, reference: SemanticDecoder) -> None:
    """Rows of different lengths decode side by side, each as if alone."""
    first, second, said = prompt(3, 12, 5), prompt(4, 40, 9), [3, 1, 4, 1, 5, 9]
    expected = [alone(reference, asked, said) for asked in (first, second)]
    found: list[list[FloatArray]] = [[fused.start(0, first)], []]
    for step, token in enumerate(said):
        if step == 2:
            found[1].append(fused.start(1, second))
        late = said[step - 2] if step >= 2 else 0
        logits = fused.step(np.array([token, late]))
        found[0].append(logits[0])
        if step >= 2:
            found[1].append(logits[1])
    np.testing.assert_allclose(found[0], expected[0], atol=2e-5)
    np.testing.assert_allclose(found[1], expected[1][:5], atol=2e-5)


@pytest.mark.parametrize("flavour", ["fused", "reference"])
def test_a_row_that_moves_goes_on_as_before(request: pytest.FixtureRequest, plain: Path, flavour: str) -> None:
    """When the first of two rows ends, the second takes its place, and its logits stay those of one alone."""
    engines = [OrtEngine(plain / f"{name}.onnx", threads=1) for name in ("t2s_prefill", "t2s_step")]
    two = SemanticDecoder(prefill=engines[0], step=engines[1], limits=LIMITS, batch=2)
    subject: Decoder = request.getfixturevalue("fused") if flavour == "fused" else two
    first, second, said = prompt(3, 12, 5), prompt(4, 70, 9), list(range(9))
    expected = alone(request.getfixturevalue("reference"), second, said)
    subject.start(0, first)
    found = [subject.start(1, second)]
    found += [subject.step(np.array([5, token]))[1] for token in said[:3]]
    subject.move(1, 0)
    found += [subject.step(np.array([token]))[0] for token in said[3:6]]
    subject.start(1, first)
    found += [subject.step(np.array([token, 5]))[0] for token in said[6:]]
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_full_row_neither_fails_nor_disturbs_the_other(plain: Path, reference: SemanticDecoder) -> None:
    """A row that is fed on past the end of the cache stays at its end; the row beside it goes on unchanged."""
    short = graphs.SequenceLimits(text_positions=32, audio_positions=32)
    decoder = FusedDecoder(gpt=OrtEngine(plain / "cpu" / "t2s.onnx", threads=1), limits=short, batch=2)
    full, other = prompt(5, 30, 30), prompt(6, 4, 0)
    assert decoder.start(0, full).shape == (1025,)
    decoder.start(1, other)
    said = list(range(1, 9))
    found = [decoder.step(np.array([0, token]))[1] for token in said]
    assert decoder.room(0) <= 0
    np.testing.assert_allclose(found, alone(reference, other, said)[1:], atol=2e-5)


def test_convolutions_in_blocks_give_the_plain_result(plain: Path) -> None:
    """Every output of the rewritten flow, under the names, shapes and types of the plain one."""
    engines = [OrtEngine(folder / "flow.onnx", threads=1) for folder in (plain, plain / "cpu")]
    random, sizes = np.random.default_rng(8), {"F": 37}
    assert engines[0].inputs == engines[1].inputs
    feeds = {
        spec.name: random.standard_normal([sizes.get(str(size), size) for size in spec.shape]).astype(np.float32)
        for spec in engines[0].inputs.values()
    }
    expected, found = (engine.run(feeds) for engine in engines)
    for output in expected:
        np.testing.assert_allclose(found[output], expected[output], atol=1e-5)


def test_a_cache_in_8_bits_is_near_and_keeps_rows_apart(
    plain: Path, tmp_path: Path, reference: SemanticDecoder
) -> None:
    """Keys and values that are stored as integers take a quarter of the memory, move the logits by less than 3 %, and a
    row's do not depend on the one beside it; what is beyond the ranges is clipped, not wrapped."""
    asked, said = prompt(7, 30, 20), list(range(0, 300, 10))
    expected = np.array(alone(reference, asked, said))
    decoders = []
    for part in (1.0, 0.5):
        folder = tmp_path / str(part)
        folder.mkdir()
        write_cpu_flavour(plain, folder, Int8(part * ranges_of(plain, asked, prompt(8, 40, 60)), prompt=False))
        decoders.append(FusedDecoder(gpt=OrtEngine(folder / "t2s.onnx", threads=1), limits=LIMITS, batch=2))
    assert {array.dtype for array in decoders[0]._cache} == {np.dtype(np.int8)}
    found, clipped = (np.array(alone(decoder, asked, said)) for decoder in decoders)
    assert distance(found, expected) < 0.03
    assert distance(clipped, expected) < 0.3
    two = decoders[0]
    beside = [two.start(0, asked)]
    two.start(1, prompt(9, 12, 5))
    beside += [two.step(np.array([token, 3]))[0] for token in said]
    np.testing.assert_array_equal(beside, found)


@pytest.mark.parametrize("narrow", [False, True])
def test_a_prefill_in_8_bits_is_near(plain: Path, tmp_path: Path, reference: SemanticDecoder, narrow: bool) -> None:
    """The prompt goes through a graph of its own, whose logits, and those of the steps behind its keys and values, are
    less than 3 % off; also of a prompt without tokens, with a feature that is 100 times as large as the others, and
    without features."""
    write_cpu_flavour(plain, tmp_path, Int8(ranges_of(plain, prompt(8, 40, 60), prompt(7, 30, 20)) if narrow else None))
    own, step = (OrtEngine(tmp_path / f"{name}.onnx", threads=1) for name in ("t2s_prompt", "t2s"))
    decoder = FusedDecoder(gpt=step, prompt=own, limits=LIMITS, batch=2)
    loud, silent = prompt(7, 30, 20), prompt(8, 40, 60)
    loud.bert[3] *= 100
    silent.bert[:] = 0
    for asked in (prompt(7, 30, 20), prompt(8, 12, 0), loud, silent):
        expected, found = (np.array(alone(one, asked, [5, 7, 9])) for one in (reference, decoder))
        assert distance(found[:1], expected[:1]) < 0.03
        assert distance(found, expected) < (0.1 if narrow else 0.03)  # ranges that are those of other prompts clip


def ranges_of(folder: Path, *prompts: Prompt) -> FloatArray:
    """The largest keys and values of prompts [planes, width]."""
    engine = OrtEngine(folder / "t2s_prefill.onnx", threads=1)
    largest = [np.abs(engine.run(prefill_feeds(one))["rows"]).max(axis=(1, 2)) for one in prompts]
    ranges: FloatArray = np.max(largest, axis=0)
    return ranges


def distance(found: FloatArray, expected: FloatArray) -> float:
    """Relative rms."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
