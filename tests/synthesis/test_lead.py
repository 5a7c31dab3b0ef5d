"""Pieces grow by what the listener has in hand, and nobody ever waits for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_tts.synthesis.lead import Lead

from .stage import RATE, VOICE, Stage, hurried, request
from .toys import SIZES

TOKEN_S = SIZES.frames_per_token * SIZES.samples_per_frame / RATE


class Clock:
    """Tells the time that the toy networks would take."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_lead_is_spent_at_the_pace_of_the_last_sound() -> None:
    """Half of what is in hand, at the pace of the last sound; nothing before the first sound and after it ran out;
    silence lengthens it and took no work."""
    clock = Clock()
    lead = Lead(clock)
    assert lead.affords() == 0
    clock.now = 1.0
    lead.handed(2.0)
    lead.resumed()
    assert lead.affords() == pytest.approx(0.67 * 2.0 / 0.5)
    lead.handed(1.0, made=False)
    assert lead.affords() == pytest.approx(0.67 * 3.0 / 0.5)
    clock.now = 2.0
    assert lead.affords() == pytest.approx(0.67 * 2.0 / 0.5)
    clock.now = 9.0
    assert lead.affords() == 0
    lead.handed(1.0)
    lead.resumed()
    assert lead.affords() == pytest.approx(0.67 * 1.0 / 8.0)


def play(text: str, token_s: float, seed: int | None = None) -> tuple[list[int], list[float], Any]:
    """Speak on networks that take `token_s` per token: tokens decoded before each piece, by how much each piece came
    before the listener had heard the last one, and the waveform."""
    clock = Clock()
    stage = Stage(clock=clock)
    compute = stage.step._compute

    def slow(**feeds: Any) -> Any:
        clock.now += token_s
        return compute(**feeds)

    stage.step._compute = slow
    margins, pieces, until = [], [], 0.0
    for chunk in stage.synthesizer.stream(request(text, fragment_interval=0.1, seed=seed), VOICE):
        if chunk.samples.any():
            margins.append(until - clock.now if pieces else 0.0)
        until = max(until, clock.now) + len(chunk.samples) / RATE
        pieces.append(chunk.samples)
    counts, tokens = [], 0
    for event in stage.events:
        tokens += event == "token"
        if event == "wave":
            counts.append(tokens)
            tokens = 0
    return counts, margins, np.concatenate(pieces)


def test_a_fast_machine_needs_few_pieces() -> None:
    """The first sound comes as soon as ever; what follows is made in longer pieces, later sentences whole, and each
    before the listener is through with the last."""
    pieces, margins, _ = play("hello hello hello", 0.05 * TOKEN_S)
    assert pieces[0] == 15  # and one of the prefill
    assert len(pieces) == 4 < len(play_hurried("hello hello hello"))
    assert pieces[-2:] == [70, 70]  # whole
    assert min(margins) >= 0


def test_a_slow_machine_makes_pieces_as_before() -> None:
    """What is not ahead of the listener cannot wait for longer pieces, in later sentences neither."""
    pieces, _, _ = play("hello hello", 1.5 * TOKEN_S)
    assert pieces == play_hurried("hello hello")


def play_hurried(text: str) -> list[int]:
    """The pieces of a listener who has always heard everything."""
    stage = Stage(clock=hurried())
    list(stage.synthesizer.stream(request(text, fragment_interval=0.1), VOICE))
    waves = "".join("w" if event == "wave" else "t" for event in stage.events).split("w")
    return [len(tokens) for tokens in waves[:-1]]


def test_with_a_seed_pieces_do_not_depend_on_the_clock() -> None:
    """A seed fixes every sample, so there pieces are as they are on the slowest machine."""
    pieces, _, wave = play("hello hello", 0.05 * TOKEN_S, seed=1)
    assert pieces == play_hurried("hello hello")
    np.testing.assert_array_equal(wave, play("hello hello", 3 * TOKEN_S, seed=1)[2])


@pytest.mark.parametrize("pace", [0.02, 0.2, 0.5])
def test_nobody_waits_for_a_longer_piece(pace: float) -> None:
    """On every machine that keeps up with ease each piece comes before the one before it was heard, and the length is
    the same whatever the pieces."""
    _, margins, wave = play("hello hello hello hello", pace * TOKEN_S)
    _, _, slow = play("hello hello hello hello", 3 * TOKEN_S)
    assert len(wave) == len(slow)
    assert min(margins[2:]) >= 0
