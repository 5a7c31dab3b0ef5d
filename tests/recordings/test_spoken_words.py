"""The score of the words of a recording, on made-up features: a speaker's colour, noise, and words in order."""

from __future__ import annotations

import numpy as np
import pytest

from edge_tts.recordings.spoken_words import WORDS_LIMIT, speech_frames, words_score
from edge_tts.recordings.vad import SpeechSpan
from edge_tts.values import FloatArray, Recording

WIDTH = 48
SOUNDS = np.random.default_rng(0).normal(size=(30, WIDTH))
SENTENCE = [3, 17, 8, 22, 1, 14, 29, 5, 11, 26, 7, 19, 2, 24, 9, 15, 28, 4, 21, 12]
OTHER = [6, 20, 13, 27, 0, 18, 10, 25, 16, 23, 5, 2, 19, 8, 28, 11, 4, 1, 22, 9]


def read(sounds: list[int], speaker: int = 0, pace: float = 1.0) -> FloatArray:
    """float32 [frames, WIDTH] of those sounds, each of another length, in another throat."""
    chance = np.random.default_rng(speaker)
    lengths = (pace * chance.uniform(8, 20, len(sounds))).astype(int)
    frames = np.repeat(SOUNDS[sounds], lengths, axis=0) + 0.6 * chance.normal(size=WIDTH)
    return (frames + 0.4 * chance.normal(size=frames.shape)).astype(np.float32)


REFERENCES = [read(SENTENCE, 100), read(SENTENCE, 101)]


@pytest.mark.parametrize("pace", [0.7, 1.0, 1.6])
@pytest.mark.parametrize("speaker", range(5))
def test_the_sentence_is_recognised_in_any_voice_and_pace(speaker: int, pace: float) -> None:
    """The same words by another speaker, faster or slower, are below the limit."""
    assert words_score(read(SENTENCE, speaker, pace), REFERENCES) < WORDS_LIMIT


WRONG = {
    "other": OTHER,
    "half": SENTENCE[:10],
    "second half": SENTENCE[10:],
    "three quarters": SENTENCE[:15],
    "middle left out": SENTENCE[:7] + SENTENCE[14:],
    "embedded": OTHER[:10] + SENTENCE,
    "followed": SENTENCE + OTHER[:10],
    "backwards": SENTENCE[::-1],
    "one sound": [3],
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("speaker", range(3))
def test_anything_else_is_not(speaker: int, what: str) -> None:
    """Another sentence, a part of it and more than it are above the limit."""
    assert words_score(read(WRONG[what], speaker, 8.0 if what == "one sound" else 1.0), REFERENCES) > WORDS_LIMIT


@pytest.mark.parametrize("features", [np.zeros((300, WIDTH)), np.ones((300, WIDTH)), np.full((300, WIDTH), np.nan)])
def test_features_without_words_never_pass(features: FloatArray) -> None:
    """Constant and broken features are not below the limit, even against themselves."""
    assert not words_score(features.astype(np.float32), REFERENCES) <= WORDS_LIMIT
    assert not words_score(features.astype(np.float32), [features.astype(np.float32)]) <= WORDS_LIMIT


def test_hardly_any_speech_never_passes() -> None:
    """Too few frames, and no reference, give an infinite score."""
    assert words_score(REFERENCES[0][:20], REFERENCES) == np.inf
    assert words_score(REFERENCES[0], []) == np.inf


def test_only_speech_is_compared() -> None:
    """The frames of the spans are kept, at any rate of the recording."""
    features = np.arange(100, dtype=np.float32)[:, None]
    recording = Recording(np.zeros(2 * 8000, np.float32), 8000)
    spans = (SpeechSpan(0.1, 0.2), SpeechSpan(1.5, 1.54))
    assert speech_frames(features, recording, spans)[:, 0].tolist() == [5, 6, 7, 8, 9, 75, 76]
    assert speech_frames(features, recording, ()).shape == (0, 1)
