"""Sequences decoded side by side: each as if alone, whoever joins, leaves, or is asked for first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_tts.convert.cpu_flavour import Int8, write_cpu_flavour
from edge_tts.engine.onnxruntime import OrtEngine
from edge_tts.errors import TextError
from edge_tts.synthesis.batch import Asked, DecodeBatch, Sequence, generate
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.t2s_fused import make_decoder
from edge_tts.values import IntArray, Sampling
from tests.engine.small_set import SIZES, write_graphs

from .scripted import END, ScriptedDecoder

Making = Callable[[int], Decoder]


@pytest.fixture(scope="module", params=["plain", "cpu", "int8w"])
def making(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Making:
    """Decoders of a small GPT with so many rows."""
    folder = write_graphs(tmp_path_factory.mktemp("set"))
    names = ("t2s_prefill", "t2s_step")
    if request.param != "plain":
        (folder / "other").mkdir()
        write_cpu_flavour(folder, folder / "other", Int8() if request.param == "int8w" else None)
        folder, names = folder / "other", ("t2s", "t2s_prompt") if request.param == "int8w" else ("t2s",)
    engines = {name: OrtEngine(folder / f"{name}.onnx", threads=1) for name in names}
    return lambda rows: make_decoder(engines, SIZES.limits, rows)


def asked(seed: int, tokens: int = 12, **options: object) -> Asked:
    """Of its own length, prompt and seed."""
    random = np.random.default_rng(seed)
    phonemes, prompt = int(random.integers(1, 40)), int(random.integers(0, 30))
    return Asked(
        prompt=Prompt(
            phoneme_ids=random.integers(1, 700, phonemes),
            bert=random.standard_normal((phonemes, 1024)).astype(np.float32),
            tokens=random.integers(0, 1024, prompt),
        ),
        sampling=Sampling(seed=seed),
        limit=tokens,
        **options,  # type: ignore[arg-type]
    )


class Watched:
    """A decoder that notes what each step is fed."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder, self.batch = decoder, decoder.batch
        self.steps: list[list[int]] = []
        self.starts: list[int] = []
        self.room, self.move, self.release = decoder.room, decoder.move, decoder.release

    def start(self, row: int, prompt: Prompt) -> np.ndarray:  # type: ignore[type-arg]
        self.starts.append(row)
        return self._decoder.start(row, prompt)

    def step(self, tokens: IntArray) -> np.ndarray:  # type: ignore[type-arg]
        self.steps.append(tokens.tolist())
        return self._decoder.step(tokens)


PLANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 90), st.integers(0, 40)), min_size=1, max_size=6)
"""Of each sequence: its seed, its length, and how many of its tokens are taken before it is let go."""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(1, 4), plans=PLANS, before=st.integers(0, 3), order=st.data())
def test_every_row_says_what_it_says_alone(
    making: Making, rows: int, plans: list[tuple[int, int, int]], before: int, order: st.DataObject
) -> None:
    """Sequences that join at any moment, are taken from in any order and are let go at any moment give the tokens of
    the unbatched path, in every flavour; in the end all rows are free."""
    alone, batch = making(1), DecodeBatch(making(rows))
    wanted = [asked(seed, length, before=tuple(range(before))) for seed, length, _ in plans]
    expected = [
        list(generate(alone, one.prompt, sampling=one.sampling, limit=one.limit, before=one.before)) for one in wanted
    ]
    taking, joined = {}, {}
    found: list[list[int]] = [[] for _ in plans]
    joining = list(range(len(plans)))
    while joining or taking:
        if joining and (not taking or order.draw(st.booleans())):
            index = joining.pop(0)
            joined[index] = batch.add(wanted[index])
            taking[index] = batch.decode(joined[index])
        index = order.draw(st.sampled_from(sorted(taking)))
        token, _ = next(taking[index], (None, 0)) if len(found[index]) < plans[index][2] else (None, 0)
        if token is None:
            taking.pop(index).close()
            batch.remove(joined[index])  # one that was not taken from yet
        else:
            found[index].append(token)
    for mine, theirs, (_, _, most) in zip(found, expected, plans, strict=True):
        assert mine == theirs[:most]
    assert batch.free == rows


def take(batch: DecodeBatch, sequence: Sequence) -> list[int]:
    return [token for token, _ in batch.decode(sequence)]


def test_a_row_that_is_given_back_is_used_again(making: Making) -> None:
    """Five sequences pass through two rows, no step has more than two, and one alone is one row, the first."""
    decoder = Watched(making(2))
    batch = DecodeBatch(decoder)
    lengths = [4, 20, 7, 5, 30]
    sequences = [batch.add(asked(seed, length)) for seed, length in enumerate(lengths)]
    assert [len(take(batch, sequence)) for sequence in sequences] == lengths
    assert decoder.starts == [0, 1, 1, 1, 1]
    assert [len(step) for step in decoder.steps].count(2) > 10
    assert max(len(step) for step in decoder.steps) == 2
    assert len(decoder.steps[-1]) == 1


def test_a_stopped_sequence_leaves_at_the_next_step(making: Making) -> None:
    """One whose caller stops it leaves the batch while another is taken from, and costs no step more."""
    decoder, answers = Watched(making(2)), iter([False] * 6)
    batch = DecodeBatch(decoder)
    first = batch.add(asked(1, 30))
    stopped = batch.add(asked(2, 30, should_stop=lambda: next(answers, True)))
    assert len(take(batch, first)) == 30
    assert stopped.stopped
    assert [len(step) for step in decoder.steps].count(2) < 6
    assert take(batch, stopped) == []
    assert batch.free == 2


def test_what_one_prompt_does_wrong_is_raised_where_it_was_asked_for(making: Making) -> None:
    """A prompt that does not fit ends its own sequence and no other."""
    batch = DecodeBatch(making(2))
    good, wrong = batch.add(asked(1)), batch.add(asked(2))
    wrong.asked.prompt.phoneme_ids.resize(3000, refcheck=False)
    assert len(take(batch, good)) == 12
    with pytest.raises(TextError, match="3000 phonemes"):
        take(batch, wrong)
    assert batch.free == 2


def test_nothing_is_decoded_before_it_is_asked_for() -> None:
    """A prompt is read when the first token is asked for, and no step is run for it."""
    decoder = ScriptedDecoder([1, 2, 3, END])
    batch = DecodeBatch(decoder)
    quiet = replace(asked(1).prompt, tokens=np.zeros(0, np.int64))
    tokens = batch.decode(batch.add(replace(asked(1), prompt=quiet)))
    assert decoder.prompts == []
    next(tokens)
    assert (len(decoder.prompts), decoder.fed) == (1, [[]])
