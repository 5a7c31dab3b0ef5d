"""The inaudible mark: found in speech after what sound goes through, and nowhere else; small; the same for any cuts."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_tts.audio.features import resample
from edge_tts.audio.inaudible_mark import RATE, THRESHOLD, Marker, mark_score
from edge_tts.values import FloatArray

SPOKEN = Path(__file__).parents[1] / "spoken"
SENTENCES = sorted(path.name for path in SPOKEN.glob("*.flac"))
Change = Callable[[FloatArray, int], FloatArray]


def sentence(name: str) -> tuple[FloatArray, int]:
    samples, rate = soundfile.read(SPOKEN / name, dtype="float32")
    return samples, rate


def marked(samples: FloatArray, rate: int) -> FloatArray:
    return Marker(rate).push(samples, last=True)


def noisy(samples: FloatArray, rate: int) -> FloatArray:
    """White noise 20 dB below."""
    noise = np.random.default_rng(1).standard_normal(len(samples)) * np.sqrt(np.mean(samples**2)) / 10
    return (samples + noise).astype(np.float32)


def echoing(samples: FloatArray, rate: int) -> FloatArray:
    """A room that falls silent in half a second, as loud as what comes straight from the loudspeaker."""
    times = np.arange(rate // 2) / rate
    tail = np.random.default_rng(2).standard_normal(len(times)) * 10 ** (-6 * times)
    tail[: rate // 300] = 0
    tail /= np.sqrt(np.sum(tail**2))
    tail[0] = 1
    return np.convolve(samples, tail)[: len(samples)].astype(np.float32)


def compressed(samples: FloatArray, rate: int) -> FloatArray:
    """MP3."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="MP3")
    return soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")[0]


def faster(samples: FloatArray, rate: int) -> FloatArray:
    """By half a percent, pitch and all."""
    return resample(samples, 201, 200)


def cut(samples: FloatArray, rate: int) -> FloatArray:
    return samples[rate + 1234 :]


def unchanged(samples: FloatArray, rate: int) -> FloatArray:
    return samples


@pytest.mark.parametrize("change", [unchanged, noisy, echoing, compressed, faster, cut])
def test_a_marked_sentence_is_told_from_another(change: Change) -> None:
    """After any of what happens to sound on its way, in every voice; without the mark nothing is found."""
    for name in SENTENCES:
        samples, rate = sentence(name)
        found, nothing = (change(sound, rate) for sound in (marked(samples, rate), samples))
        assert mark_score(resample(found, rate, RATE)) > THRESHOLD, name
        assert mark_score(resample(nothing, rate, RATE)) < THRESHOLD, name


@pytest.mark.parametrize("rate", [16000, 24000, 32000, 44100, 48000])
def test_the_mark_is_the_same_at_every_rate(rate: int) -> None:
    """Of a model set or a file."""
    samples, own = sentence(SENTENCES[0])
    sound = marked(resample(samples, own, rate), rate)
    assert mark_score(resample(sound, rate, RATE)) > 2 * THRESHOLD


def test_the_mark_does_not_depend_on_cuts() -> None:
    """Pieces of any length, empty ones too, come out as the whole does, sample for sample, and as long."""
    samples, rate = sentence(SENTENCES[0])
    rng, marker, pieces, begin = np.random.default_rng(3), Marker(rate), [], 0
    while begin < len(samples):
        size = int(rng.choice([0, 1, 7, 128, 1000, 9999]))
        pieces.append(marker.push(samples[begin : begin + size]))
        begin += size
    held_back = len(samples) - sum(map(len, pieces))
    assert 0 < held_back <= 0.032 * rate
    pieces.append(marker.push(samples[:0], last=True))
    whole = marked(samples, rate)
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert len(whole) == len(samples)


@pytest.mark.parametrize("count", [0, 1, 127, 128, 383, 384, 513])
def test_a_short_sound_keeps_its_length(count: int) -> None:
    """However short; and nobody finds anything in it."""
    samples = np.full(count, 0.1, np.float32)
    assert len(marked(samples, 16000)) == count
    assert mark_score(samples) == 0.0


def test_the_mark_is_small() -> None:
    """Silence stays silent, what is low stays as it is but for its ends, and speech hardly changes."""
    assert not marked(np.zeros(8000, np.float32), 16000).any()
    times = np.arange(32000) / 16000
    low = (0.5 * np.sin(2 * np.pi * 500 * times)).astype(np.float32)
    np.testing.assert_allclose(marked(low, 16000), low, atol=1e-2)
    samples, rate = sentence(SENTENCES[1])
    change = marked(samples, rate) - samples
    assert 10 * np.log10(np.sum(samples**2) / np.sum(change**2)) > 20
    assert np.abs(marked(np.sign(samples), rate)).max() <= 1


def test_other_sounds_have_no_mark() -> None:
    """Noise, beats, chords and silence."""
    rng, times = np.random.default_rng(4), np.arange(5 * RATE) / RATE
    noise = rng.standard_normal(len(times))
    chord = sum(np.sin(2 * np.pi * 220 * step * times) / step for step in range(1, 30))
    for sound in (noise, noise * (np.sin(2 * np.pi * 5.2 * times) > 0), chord, 0 * times):
        assert mark_score((0.1 * sound).astype(np.float32)) < THRESHOLD
