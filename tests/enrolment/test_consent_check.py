"""The words of a consent are checked in an enrolment, against readings by the set's own voices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from enrolling import MIC_RATE, scene
from fakes import RATE, FakeSynthesizer, silent_voice
from rig import sentence

from edge_tts.enrolment.prompts import consent, step
from edge_tts.errors import VoiceError
from edge_tts.recordings.spoken_words import WORDS_LIMIT
from edge_tts.speaking.job import Job
from edge_tts.values import FloatArray, Recording

WORDS = np.random.default_rng(1).normal(size=(8, 20, 32))


def said(*words: int) -> FloatArray:
    """The features of those words."""
    return np.concatenate([WORDS[list(words)].reshape(-1, 32)]).astype(np.float32)


class Reader(FakeSynthesizer):
    """Its readings and the recording have given features."""

    def __init__(self, recording: FloatArray, readings: FloatArray) -> None:
        super().__init__()
        self._features = [recording, readings, readings]
        self.compared: list[Recording] = []
        self.while_listening: Callable[[], object] = lambda: None

    def ssl(self, recordings: Sequence[Recording], should_stop: Callable[[], bool] = lambda: False) -> list[FloatArray]:
        self.compared = list(recordings)
        self.while_listening()
        if should_stop():
            raise VoiceError("the encoding was stopped")
        return self._features


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the check warns of."""
    told: list[str] = []

    def warn(text: str, *more: Any) -> None:
        told.append(text % more)

    monkeypatch.setattr("edge_tts.enrolment.consent_check.log.warning", warn)
    return told


def test_the_sentence_is_stored_with_its_score(warnings: list[str]) -> None:
    """The recording and two readings of the sentence by voices that can speak now are compared; the score is kept and
    reported."""
    reader = Reader(said(0, 1, 2, 3, 4, 5), said(0, 1, 2, 3, 4, 5))
    with scene(synthesizer=reader) as it:
        it.references = [silent_voice("hum"), silent_voice("hiss")]
        it.enrol()
        report = it.notes.wait("enrol", "done")
    [(accepted, _)] = it.voice_writer.kept
    assert accepted.words_score == report.details["words_score"] < WORDS_LIMIT
    assert reader.spoken.count(consent("en", "Anna")) == 2
    assert [recording.sample_rate for recording in reader.compared] == [MIC_RATE, RATE, RATE]
    assert warnings == []


@pytest.mark.parametrize("words", [(5, 3, 1, 4, 2, 0), (0, 1, 2), (6, 7, 0, 1, 2, 3, 4, 5)])
def test_other_words_are_refused(words: tuple[int, ...]) -> None:
    """Another sentence, half of it and more than it are refused aloud, and nothing is kept; one voice is enough to
    compare with."""
    with scene(synthesizer=Reader(said(*words), said(0, 1, 2, 3, 4, 5))) as it:
        it.references = [silent_voice("hum")]
        it.enrol()
        report = it.notes.wait("enrol", "failed")
        it.notes.wait("job-5", "done")
    assert report.details["refusals"] == ["words"]
    assert it.synthesizer.spoken[-1] == step("again", "en", reason=report.details["message"])
    assert it.voice_writer.kept == []


def test_the_limit_is_the_model_sets() -> None:
    """What is refused by the features of one set passes where another set says that its own scores are higher; the
    report names the limit that counted."""
    reader = Reader(said(0, 1, 2), said(0, 1, 2, 3, 4, 5))
    with scene(synthesizer=reader, words_limit=5.0) as it:
        it.references = [silent_voice("hum")]
        it.enrol()
        report = it.notes.wait("enrol", "done")
    assert WORDS_LIMIT < report.details["words_score"] < 5.0
    assert [check["limit"] for check in report.details["checks"] if check["code"] == "words"] == [5.0]


def test_a_set_that_cannot_tell_sentences_apart_says_so(warnings: list[str]) -> None:
    """Where the set's own two readings do not resemble each other, any recording is kept as before, with a warning."""
    reader = Reader(said(5, 3, 1, 4, 2, 0), np.ones((120, 32), np.float32))
    with scene(synthesizer=reader) as it:
        it.references = [silent_voice("hum")]
        it.enrol()
        it.notes.wait("enrol", "done")
    assert it.voice_writer.kept[0][0].words_score is None
    assert "cannot tell sentences apart" in warnings[0]


def test_without_a_voice_nothing_is_compared(warnings: list[str]) -> None:
    """A set that has no voice yet cannot read the sentence: the first person is enrolled as before, with a warning."""
    with scene(synthesizer=Reader(said(1), said(1))) as it:
        it.enrol()
        it.notes.wait("enrol", "done")
    assert "no voice can speak the sentence yet" in warnings[0]


def test_a_stop_during_the_check_keeps_nothing() -> None:
    """A stop while the words are compared ends the enrolment."""
    reader = Reader(said(0, 1, 2, 3, 4, 5), said(0, 1, 2, 3, 4, 5))
    with scene(synthesizer=reader) as it:
        it.references = [silent_voice("hum")]
        reader.while_listening = lambda: it.jobs.stop("enrol")
        it.enrol()
        it.notes.wait("enrol", "interrupted")
    assert it.voice_writer.kept == []


def test_an_alert_during_the_check_is_spoken_first() -> None:
    """The check is done again after an alert, and the voice is kept."""
    reader = Reader(said(0, 1, 2, 3, 4, 5), said(0, 1, 2, 3, 4, 5))

    def alert() -> None:
        reader.while_listening = lambda: None
        it.jobs.submit(Job(sentence("alert", "fire", priority="alert"), sink=it.player))

    with scene(synthesizer=reader) as it:
        it.references = [silent_voice("hum")]
        reader.while_listening = alert
        it.enrol()
        it.notes.wait("enrol", "done")
    assert "fire" in reader.spoken
    assert len(it.voice_writer.kept) == 1
