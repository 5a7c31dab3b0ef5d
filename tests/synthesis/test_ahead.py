"""The next segments are decoded beside the one that is heard, and change nothing but the time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_tts.synthesis.batch import DecodeBatch

from .stage import VOICE, Stage, hurried, request

WORDS = "one two three"


def quick() -> Callable[[], float]:
    """The clock of a machine that needs no time."""
    return lambda: 0.0


def batch_of(stage: Stage) -> DecodeBatch:
    return stage.synthesizer._networks.batch


def test_the_next_segments_wait_for_the_first_sound() -> None:
    """Nothing is decoded for a later segment before the first chunk; then they join, and steps have all rows."""
    stage = Stage(rows=4, clock=quick())
    chunks = stage.synthesizer.stream(request(WORDS), VOICE)
    next(chunks)
    assert len(stage.prefill.calls) == 1
    assert {len(call["token"]) for call in stage.step.calls} == {1}
    next(chunks)
    assert len(stage.prefill.calls) == 3
    assert len(stage.step.calls[-1]["token"]) == 4


@pytest.mark.parametrize(("rows", "clock"), [(1, quick), (4, hurried)])
def test_a_listener_without_a_lead_is_not_kept_waiting(rows: int, clock: Callable[[], Callable[[], float]]) -> None:
    """With one row, or on a machine that hardly keeps up, a segment begins when the one before is over."""
    stage = Stage(rows=rows, clock=clock())
    for _ in stage.synthesizer.stream(request(WORDS), VOICE):
        assert len(stage.prefill.calls) <= 1 + stage.events.count("token") // 70
    assert {len(call["token"]) for call in stage.step.calls} == {1}


def test_the_sound_is_the_same() -> None:
    """With a seed every sample is that of segments decoded one after another."""
    one, four = (
        np.concatenate([chunk.samples for chunk in Stage(rows=rows, clock=quick()).synthesizer.stream(*said)])
        for rows, said in ((rows, (request(WORDS), VOICE)) for rows in (1, 4))
    )
    np.testing.assert_array_equal(one, four)


def test_requests_that_are_taken_by_turns_sound_as_alone() -> None:
    """Two streams share the steps; each is what it is by itself."""
    stage = Stage(rows=2, clock=hurried())
    texts = ("hello", "abc def")
    alone = [list(Stage().synthesizer.stream(request(text), VOICE)) for text in texts]
    streams = [stage.synthesizer.stream(request(text), VOICE) for text in texts]
    taken = [[next(stream)] for stream in streams]
    for _ in range(len(alone[1])):
        for stream, chunks in zip(streams, taken, strict=True):
            chunks += [chunk for chunk in [next(stream, None)] if chunk is not None]
    for mine, theirs in zip(taken, alone, strict=True):
        np.testing.assert_array_equal(*(np.concatenate([chunk.samples for chunk in side]) for side in (mine, theirs)))
    assert any(len(call["token"]) == 2 for call in stage.step.calls)


@pytest.mark.parametrize("how", ["stopped", "abandoned"])
def test_a_request_that_ends_early_takes_its_segments_along(how: str) -> None:
    """After a stop, and after a stream that nobody takes from any more, all rows are free."""
    stage, stop = Stage(rows=3, clock=quick()), list[bool]()
    chunks = stage.synthesizer.stream(request("one two three four"), VOICE, lambda: bool(stop))
    for _ in range(2):
        next(chunks)
    assert batch_of(stage).free == 0
    if how == "stopped":
        stop.append(True)
        list(chunks)
    else:
        chunks.close()  # type: ignore[attr-defined]
    assert batch_of(stage).free == 3
