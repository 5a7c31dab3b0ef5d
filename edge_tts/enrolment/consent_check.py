"""The check of the words of a consent: the set speaks the sentence, and the recording is compared with that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from edge_tts.recordings.quality import Check, Refusal
from edge_tts.recordings.spoken_words import speech_frames, words_score
from edge_tts.recordings.vad import SpeechSpan
from edge_tts.request import SpeakRequest
from edge_tts.speaking.on_demand import Speaker
from edge_tts.values import FloatArray, Recording, Voice

log = logging.getLogger(__name__)

_REFERENCES = 2
"""Readings by the set: of two voices, or two of one voice."""

Heard = tuple[Recording, FloatArray]
"""A recording and its `ssl` features."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be heard in a recording."""

    sentence: str
    language: str
    recording: Recording


def hear(
    statement: Statement, voices: Sequence[Voice], networks: Speaker, should_stop: Callable[[], bool]
) -> list[Heard]:
    """The recording, then our own readings of the sentence; runs where the networks are owned.

    Raises TextError for a sentence that the set cannot speak, VoiceError when stopped.
    """
    recordings = [statement.recording]
    for seed, voice in enumerate(islice(cycle(voices), _REFERENCES)):
        request = SpeakRequest(
            text=statement.sentence, id="consent", voice=voice.id, language=statement.language, seed=seed
        )
        chunks = list(networks.stream(request, voice, should_stop))
        recordings.append(Recording(np.concatenate([chunk.samples for chunk in chunks]), chunks[0].sample_rate))
    return list(zip(recordings, networks.ssl(recordings, should_stop), strict=True))


def judge_words(
    heard: Sequence[Heard], speech: Callable[[Recording], Sequence[SpeechSpan]], limit: float
) -> float | None:
    """The score of the recording (`words_score`); None, with a warning, where the set cannot tell words apart: then its
    own two readings of the sentence are as different as two sentences."""
    spoken, *readings = [speech_frames(features, recording, speech(recording)) for recording, features in heard]
    if not words_score(readings[0], readings[1:]) <= limit:
        return unchecked("the `ssl` network of this model set cannot tell sentences apart")
    return round(words_score(spoken, readings), 4)


def words_check(score: float | None, limit: float) -> tuple[Check, ...]:
    """None without a score."""
    return () if score is None else (Check("words", score, limit, "most", passed=score <= limit),)


def refused_words(score: float | None, limit: float) -> tuple[Refusal, ...]:
    return () if score is None or score <= limit else (Refusal("words", score, limit),)


def unchecked(why: str) -> float | None:
    """Warn that there is no score."""
    log.warning("the words of a consent were not checked, the recording is kept for people to hear: %s", why)
    return None
