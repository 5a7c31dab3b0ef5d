"""The decode loop: cache rows land where they belong, and a sequence ends when upstream's would."""

from __future__ import annotations

import numpy as np
import pytest

from edge_tts.errors import TextError
from edge_tts.graphs import SequenceLimits
from edge_tts.synthesis.batch import generate
from edge_tts.synthesis.interfaces import Prompt
from edge_tts.synthesis.t2s import SemanticDecoder, TokenChooser, prefill_mask
from edge_tts.values import Sampling

from .toys import TOKENS, WIDTH, ToyGpt

GREEDY = Sampling(top_k=1, repetition_penalty=1.0)
LONG = list(range(20))


def prompt(phonemes: int = 3, tokens: int = 2) -> Prompt:
    return Prompt(
        phoneme_ids=np.arange(phonemes, dtype=np.int64),
        bert=np.zeros((phonemes, WIDTH), np.float32),
        tokens=np.arange(tokens, dtype=np.int64),
    )


def decoder(
    gpt: ToyGpt, *, batch: int = 1, positions: int = 128, limits: SequenceLimits | None = None
) -> SemanticDecoder:
    return SemanticDecoder(
        prefill=gpt.prefill,
        step=gpt.step,
        limits=limits or SequenceLimits(),
        max_positions=positions,
        batch=batch,
    )


def test_tokens_until_the_end_token() -> None:
    """Greedy decoding gives what the network wants to say; the end token itself is not given."""
    gpt = ToyGpt(LONG)
    assert list(generate(decoder(gpt), prompt(), sampling=GREEDY)) == LONG


def test_no_end_in_the_first_eleven_steps() -> None:
    """A network that wants to end at once still says eleven tokens, as upstream's does."""
    gpt = ToyGpt([])
    assert len(list(generate(decoder(gpt), prompt(), sampling=GREEDY))) == 11


def test_the_limit_keeps_every_token() -> None:
    """At the limit nothing is dropped, and no step is run for a token that is not vocoded."""
    gpt = ToyGpt(LONG)
    assert list(generate(decoder(gpt), prompt(), sampling=GREEDY, limit=13)) == LONG[:13]
    assert len(gpt.step.calls) == 12


def test_a_full_cache_ends_the_sequence() -> None:
    """When the cache is full the sequence ends with what it has instead of writing past the end."""
    gpt = ToyGpt(LONG * 9)
    assert len(list(generate(decoder(gpt, positions=64), prompt(30, 20), sampling=GREEDY))) == 15


def test_a_prompt_that_does_not_fit_is_refused() -> None:
    """A text longer than the cache is an error that says how much fits."""
    with pytest.raises(TextError, match="at most 63"):
        decoder(ToyGpt(LONG), positions=64).start(0, prompt(60, 4))


def test_stopping_between_tokens() -> None:
    """`should_stop` is asked for every token."""
    answers = iter([False] * 5 + [True])
    gpt = ToyGpt(LONG)
    assert len(list(generate(decoder(gpt), prompt(), sampling=GREEDY, should_stop=lambda: next(answers)))) == 5


def test_cache_rows_of_two_sequences() -> None:
    """Rows of different lengths decode side by side: each step sees its own row's past, in place and in order."""
    gpt = ToyGpt(LONG)
    both = decoder(gpt, batch=2)
    both.start(0, prompt(3, 2))
    both.start(1, prompt(7, 4))
    for _ in range(3):
        both.step(np.array([1, 2], np.int64))
    fed = gpt.step.calls[-1]
    for row, length in ((0, 5 + 2), (1, 11 + 2)):
        assert (fed["mask"][row] == 0).sum() == length
        for plane in range(4):
            np.testing.assert_array_equal(fed[f"cache_{plane}"][:length, row, 0], np.arange(1, length + 1))


def test_a_released_row_stays_out_of_the_way() -> None:
    """After release a row is all masked and the other row goes on."""
    gpt = ToyGpt(LONG)
    both = decoder(gpt, batch=2)
    both.start(0, prompt(3, 2))
    both.start(1, prompt(7, 4))
    both.release(0)
    both.step(np.array([1, 2], np.int64))
    assert (gpt.step.calls[-1]["mask"][0] == 0).sum() == 0
    both.start(0, prompt(2, 1))
    both.step(np.array([1, 2], np.int64))
    assert [(row == 0).sum() for row in gpt.step.calls[-1]["mask"]] == [3, 12]


def test_mask_of_the_prompt() -> None:
    """Text sees all text and no audio; audio sees all text and audio up to itself."""
    visible = prefill_mask(2, 3) == 0
    expected = [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(visible, np.array(expected, bool))


def test_the_penalty_comes_before_the_decision_to_end() -> None:
    """The end token is never penalised, so a penalised favourite can lose to it; then the sequence is over."""
    logits = np.zeros(TOKENS, np.float32)
    logits[3], logits[TOKENS - 1] = 1.2, 1.0
    chooser = TokenChooser(
        prompt_tokens=np.array([3]), tokens=TOKENS, sampling=Sampling(top_k=1, repetition_penalty=1.35), limit=99
    )
    early = [chooser.choose(np.roll(logits, index + 1)) for index in range(11)]
    assert None not in early
    assert chooser.choose(logits) is None
    assert chooser.over


def test_what_was_decoded_before_is_fed_and_counts() -> None:
    """A sequence goes on behind its first tokens: they are fed one by one, penalized, and part of the limit."""
    gpt = ToyGpt(LONG)
    assert list(generate(decoder(gpt), prompt(), sampling=GREEDY, before=tuple(LONG[:5]), limit=13)) == LONG[5:13]
    assert [int(call["token"][0]) for call in gpt.step.calls] == LONG[:12]
    logits = np.zeros(TOKENS, np.float32)
    logits[3], logits[4] = 1.2, 1.0
    chooser = TokenChooser(
        prompt_tokens=np.array([], np.int64), tokens=TOKENS, sampling=Sampling(top_k=1), limit=99, before=np.array([3])
    )
    assert chooser.choose(logits) == 4


def test_a_token_is_not_drawn_more_often_in_a_row_than_allowed() -> None:
    """The favourite gives way to the second best after so many in a row, those decoded before among them, and comes
    back behind it."""
    logits = np.zeros(TOKENS, np.float32)
    logits[3], logits[4] = 9.0, 5.0
    chooser = TokenChooser(
        prompt_tokens=np.array([], np.int64),
        tokens=TOKENS,
        sampling=Sampling(top_k=1, repetition_penalty=1.0),
        limit=99,
        before=np.array([3, 3]),
        longest_run=3,
    )
    assert [chooser.choose(logits) for _ in range(9)] == [3, 4, 3, 3, 3, 4, 3, 3, 3]


def test_a_seed_repeats_the_choice() -> None:
    """The same seed draws the same tokens, another seed draws others."""
    flat = np.zeros(TOKENS, np.float32)

    def draws(seed: int) -> list[int | None]:
        chooser = TokenChooser(
            prompt_tokens=np.array([], np.int64), tokens=TOKENS, sampling=Sampling(seed=seed), limit=99
        )
        return [chooser.choose(flat) for _ in range(8)]

    assert draws(5) == draws(5)
    assert draws(5) != draws(6)


def test_decoding_ends_at_the_last_position_of_the_set() -> None:
    """A sequence that would go on is cut where the network has no position for another token."""
    gpt = ToyGpt(LONG)
    short = decoder(gpt, limits=SequenceLimits(audio_positions=9))
    tokens = list(generate(short, prompt(tokens=2), sampling=GREEDY))
    assert max(int(call["position"][0]) for call in gpt.step.calls) == 8
    assert tokens == LONG[: 9 - 2 + 1]


def test_a_prompt_longer_than_the_positions_is_refused() -> None:
    """Phonemes that the network has no positions for do not reach it."""
    gpt = ToyGpt(LONG)
    with pytest.raises(TextError, match="5 phonemes; 4 fit"):
        decoder(gpt, limits=SequenceLimits(text_positions=4)).start(0, prompt(phonemes=5))
    assert gpt.prefill.calls == []


def test_a_reference_longer_than_any_recording_is_refused() -> None:
    """The prefill is built for the tokens of ten seconds; more are refused alike on every runtime."""
    gpt = ToyGpt(LONG)
    subject = decoder(gpt, positions=512)
    subject.start(0, prompt(phonemes=3, tokens=265))
    with pytest.raises(TextError, match="has 266 semantic tokens; 265 fit"):
        subject.start(0, prompt(phonemes=3, tokens=266))
    assert len(gpt.prefill.calls) == 1
