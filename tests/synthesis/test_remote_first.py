"""Another machine speaks first; what it does not finish is begun again here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_tts.errors import TextError, TransportError
from edge_tts.synthesis.levels import VoiceLevels
from edge_tts.synthesis.remote import RemoteLine
from edge_tts.synthesis.remote_first import RemoteFirst
from edge_tts.values import AudioChunk, FloatArray, GuardCounts

from .stage import MODEL, VOICE, Stage, request

SOUND = np.full(30, 0.25, np.float32)


class OtherMachine:
    """Speaks `lines` lines whole, the next one in part, and then is gone."""

    def __init__(self, lines: int = 100) -> None:
        self.asked: list[RemoteLine] = []
        self._lines, self.gone = lines, False

    def is_due(self) -> bool:
        return not self.gone

    def speak(self, line: RemoteLine, should_stop: Callable[[], bool]) -> Generator[FloatArray, None, GuardCounts]:
        self.asked.append(line)
        yield SOUND
        if len(self.asked) > self._lines:
            self.gone = True
            raise TransportError("other: broke off in mid-sentence")
        return GuardCounts(segments=1, retried=1, faults={"loop": 1})


def first(stage: Stage, other: OtherMachine) -> RemoteFirst:
    return RemoteFirst(stage.synthesizer, other)  # type: ignore[arg-type]  # it has the same face


def join(chunks: list[AudioChunk]) -> FloatArray:
    return np.concatenate([chunk.samples for chunk in chunks])


def test_the_other_machine_speaks_every_line() -> None:
    """Nothing is decoded here: its sound, our pauses, its guard's counts; each line has a seed of its own."""
    stage, other = Stage(), OtherMachine()
    chunks = list(first(stage, other)(request("one two", seed=5, fragment_interval=0.1, priority="alert"), VOICE))
    pause = np.zeros(20, np.float32)
    assert np.array_equal(join(chunks), np.concatenate([SOUND, pause, SOUND, pause]))
    assert [chunk.last for chunk in chunks] == [False] * 4 + [True]
    assert chunks[-1].guard == GuardCounts(segments=2, retried=2, faults={"loop": 2})
    assert [(line.text, line.sampling.seed, line.priority) for line in other.asked] == [
        ("one", 5, "alert"),
        ("two", 6, "alert"),
    ]
    assert "token" not in stage.events


def test_a_line_that_breaks_off_is_begun_again_here(caplog: pytest.LogCaptureFixture) -> None:
    """After one whole line and a part, the second and third are those that are spoken here, word for word."""
    here = list(Stage().synthesizer.stream(request("one two six", seed=5, fragment_interval=0.1), VOICE))
    of_one_line = len(join(here)) // 3
    chunks = list(first(Stage(), OtherMachine(1))(request("one two six", seed=5, fragment_interval=0.1), VOICE))
    heard = join(chunks)
    assert np.array_equal(heard[: 30 + 20], np.concatenate([SOUND, np.zeros(20, np.float32)]))
    assert np.array_equal(heard[30 + 20 + 30 :], join(here)[of_one_line:])
    assert (chunks[-1].guard.segments, chunks[-1].guard.retried) == (3, 1)
    assert "goes on here: other: broke off in mid-sentence" in caplog.text


def test_a_machine_that_failed_is_left_alone() -> None:
    """A request while it is not due is spoken here, sample for sample, and it is not asked."""
    other = OtherMachine()
    other.gone = True
    chunks = list(first(Stage(), other)(request("one two", seed=5), VOICE))
    assert np.array_equal(join(chunks), join(list(Stage().synthesizer.stream(request("one two", seed=5), VOICE))))
    assert other.asked == []


def test_ssml_is_spoken_here() -> None:
    """A sentence out of a document does not have what stands around it."""
    other = OtherMachine()
    list(first(Stage(), other)(request("one", ssml=True), VOICE))
    assert other.asked == []


def test_what_cannot_be_said_is_refused_before_anybody_is_asked() -> None:
    """A text without words is an error here, at once."""
    other = OtherMachine()
    with pytest.raises(TextError):
        next(first(Stage(), other)(request(""), VOICE))
    assert other.asked == []


def test_a_stop_ends_it() -> None:
    """No further line is asked for, and none is spoken here."""
    stage, other, heard = Stage(), OtherMachine(), []
    for chunk in first(stage, other)(request("one two six"), VOICE, lambda: bool(heard)):
        heard.append(chunk)
    assert len(other.asked) == 1
    assert "token" not in stage.events


def test_sound_from_elsewhere_is_not_levelled_twice(tmp_path: Path) -> None:
    """The other machine has brought it to its loudness; what is spoken here is changed, that is not."""
    levels = VoiceLevels(model=MODEL, target=-20.0, file=tmp_path / "loudness.json")

    def chunks() -> Iterator[AudioChunk]:
        chunk = AudioChunk(SOUND, 200, "a", last=False)
        yield replace(chunk, levelled=True)
        yield chunk
        yield replace(chunk, samples=np.zeros(0, np.float32), last=True)

    heard = join(list(levels.level(chunks(), 2.0)))
    assert heard[:30] == pytest.approx(0.25, abs=0.001)
    assert heard[30:60] == pytest.approx(0.5, abs=0.001)
