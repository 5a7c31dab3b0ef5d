"""From recordings to a model set, a step a stage; only where torch is installed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_tts.engine.load import load_engine
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.synthesis.synthesizer import load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.voices.builtin import BuiltinVoices
from tools.starter import cli, stage_speech
from tools.starter.cast import FLITE
from tools.starter.speech import spoken
from tools.starter.stage_data import phonemes
from tools.starter.teachers import choose
from tools.starter.teachers.teacher import Job, Utterance

torch = pytest.importorskip("torch", reason="TORCH IS NOT INSTALLED: only training needs it, and it was not tested")

FRONT_END = TextFrontEnd()
STAGES = ("speech", "data", "tokenizer", "decoder", "gpt")


class Buzzing:
    """A teacher of two languages that buzzes 80 ms a phoneme."""

    rate = 24000
    languages: tuple[str, ...] = ("en", "zh")
    voices: tuple[str, ...] = tuple(voice.speaker for voice in FLITE.voices)

    def crowd(self, rng: random.Random) -> str:
        return f"crowd{rng.randrange(9)}"

    def say(self, jobs: Sequence[Job]) -> Iterator[Utterance | None]:
        for job in jobs:
            names = phonemes(FRONT_END, job.text, job.language)
            seconds = 0.08 * len(names)
            wave = 0.3 * np.sign(np.sin(np.arange(int(seconds * self.rate)) * 0.03)).astype(np.float32)
            ends = tuple(0.08 * (at + 1) for at in range(len(names)))
            yield Utterance(wave, names, ends, np.full(int(seconds * 100), 115, np.float32))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which every stage has trained for a moment."""
    folder = tmp_path_factory.mktemp("starter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_speech, "PART", 20)
        patch.setattr(choose, "choose", lambda *_, **__: Buzzing())
        patch.setattr(cli, "lines", lambda path: ["Good morning."] if path == cli.HELD_OUT["en"] else ["早上好。"])
        for stage in STAGES:
            cli.main([stage, "--work", str(folder), "--hours", "0.02", "--minutes", "0.0001", "--threads", "1"])
        yield folder


def steps(work: Path, name: str) -> int:
    """How many a checkpoint has seen."""
    from tools.starter.loop import steps_of

    return steps_of(work / f"{name}.pt")


REFUSED = {"Loop", "If", "Scan", "NonZero", "RandomNormal", "RandomUniform", "RandomNormalLike", "STFT", "CumSum"}
"""Operators that TensorRT does not take."""


def test_a_set_of_recordings_speaks_both_languages(work: Path, tmp_path: Path) -> None:
    """The exported set is whole, computes what the networks compute, fits its budget, is nothing that TensorRT refuses,
    has the cast's voices and says a sentence of each language."""
    cli.main(["export", "--work", str(work), "--out", str(tmp_path / "set")])
    model = read_model_set(tmp_path / "set")
    verify_model_set(model)
    assert model.languages == ("en", "zh")
    assert model.voices == tuple(voice.id for voice in FLITE.voices)
    assert model.sample_rate == 24000
    graphs = list((tmp_path / "set").glob("*.onnx"))
    assert sum(path.stat().st_size for path in graphs) <= 48_000_000
    assert not REFUSED & {node.op_type for path in graphs for node in onnx.load(path).graph.node}
    voice = BuiltinVoices(model).load(model.voices[1])
    with ExitStack() as stack:
        synthesizer = load_synthesizer(model, FRONT_END, stack, load=partial(load_engine, threads=1))
        for text, language in (("Good morning.", "en"), ("早上好。", "zh")):
            assert len(spoken(synthesizer, voice, text, language=language)) > 0.1 * model.sample_rate


def test_tokens_are_those_of_the_tokenizer_as_it_is(work: Path) -> None:
    """Tokens are written once for a checkpoint, and again when it has been trained on."""
    before = {path: path.stat().st_mtime_ns for path in (work / "speech").glob("*.tokens.npz")}
    cli.main(["tokenizer", "--work", str(work), "--minutes", "0.0001"])
    assert before == {path: path.stat().st_mtime_ns for path in before}
    count = steps(work, "tokenizer")
    cli.main(["tokenizer", "--work", str(work), "--minutes", "0.02"])
    assert steps(work, "tokenizer") > count
    assert all(path.stat().st_mtime_ns > then for path, then in before.items())


def test_a_missing_stage_is_named(tmp_path: Path) -> None:
    """Training without recordings, and without tokens, says what to run first."""
    with pytest.raises(SystemExit, match=r"tokenizer: .*stages speech and data"):
        cli.main(["tokenizer", "--work", str(tmp_path)])


def test_the_judge_learns_from_both_and_the_decoder_from_the_judge() -> None:
    """The judge's loss moves the judge alone, the two others only what made the sound."""
    from tools.starter.discriminator import Discriminator, losses

    judge = Discriminator()
    made = torch.randn(2, 24000, requires_grad=True)
    own, fooled, apart = losses(judge, made, torch.randn(2, 24000))
    own.backward()
    assert made.grad is None
    assert all(parameter.grad is not None for parameter in judge.parameters())
    judge.zero_grad()
    (fooled + apart).backward()
    assert made.grad is not None
    assert all(parameter.grad is None for parameter in judge.parameters())
