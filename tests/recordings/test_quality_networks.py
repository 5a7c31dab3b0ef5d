"""The networks of the quality gate, with our front ends, against the recorded outputs of the original packages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_tts.errors import AudioError
from edge_tts.recordings.dnsmos import MosEstimator
from edge_tts.recordings.speaker_embedding import SpeakerEmbedder
from edge_tts.recordings.vad import BLOCK, SpeechDetector, SpeechSpan, Utterance, speech_spans

from .quality_networks import QUALITY, network, recording

ORIGINALS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "originals.json").read_text())


@pytest.mark.parametrize("name", ORIGINALS)
def test_speaker_vectors_are_resemblyzers(name: str) -> None:
    """Our mel and the LSTM written as ONNX give the vectors of the package with torch and librosa."""
    expected = ORIGINALS[name]
    identity = SpeakerEmbedder(engine=network("speaker"))
    slices = identity.slices(recording(name))
    assert len(slices) == expected["slices"]
    assert float(slices[0] @ slices[-1]) == pytest.approx(expected["slices_dot"], abs=1e-4)
    np.testing.assert_allclose(identity.embed(recording(name))[::8], expected["embedding"], atol=1e-4)


@pytest.mark.parametrize("name", ["consent-kal16", "weather-rms"])
def test_opinions_are_dnsmos(name: str) -> None:
    """Our front end gives the scores of the package with librosa."""
    opinion = MosEstimator(p835=network("dnsmos"), p808=network("dnsmos_p808")).opinion(recording(name))
    expected = ORIGINALS[name]["mos"]
    found = (opinion.overall, opinion.signal, opinion.background, opinion.p808)
    assert found == pytest.approx([expected[key] for key in ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")], abs=1e-3)


@pytest.mark.parametrize("name", ORIGINALS)
def test_speech_probabilities_are_sileros(name: str) -> None:
    """Every block has the probability that the original network gives, state and context included."""
    found = SpeechDetector(engine=network("vad")).probabilities(recording(name))
    np.testing.assert_allclose(found, ORIGINALS[name]["speech"], atol=2e-3)


def test_speech_in_a_stream_is_speech_in_the_whole() -> None:
    """However the microphone cuts the stream, the probabilities are those of the whole recording."""
    samples, detector = recording("consent-rms"), SpeechDetector(engine=network("vad"))
    whole = detector.probabilities(samples)
    cuts = np.random.default_rng(1).integers(1, 2000, 200).cumsum()
    parts = np.concatenate([detector.push(part) for part in np.split(samples, cuts[cuts < len(samples)])])
    np.testing.assert_allclose(parts, whole[: len(samples) // BLOCK], atol=1e-5)


def test_one_speaker_is_nearer_to_themselves() -> None:
    """Two recordings of one voice are more alike than any two of different voices."""
    identity = SpeakerEmbedder(engine=network("speaker"))
    vectors = {name: identity.embed(recording(name)) for name in ORIGINALS}
    same = [vectors[f"consent-{who}"] @ vectors[f"weather-{who}"] for who in ("slt", "rms")]
    others = [vectors["consent-slt"] @ vectors[f"consent-{who}"] for who in ("rms", "awb", "kal16")]
    others += [vectors["consent-rms"] @ vectors[f"consent-{who}"] for who in ("awb", "kal16")]
    assert min(same) > max(others) + 0.1


def test_silence_has_no_speaker() -> None:
    """A silent recording raises AudioError instead of dividing by zero."""
    with pytest.raises(AudioError, match="silent"):
        SpeakerEmbedder(engine=network("speaker")).embed(np.zeros(32000, np.float32))


def test_stretches_bridge_short_pauses_and_drop_clicks() -> None:
    """A breath joins two halves of a sentence, a long pause does not, and a click is no speech."""
    marks = [0] * 10 + [1] * 20 + [0] * 5 + [1] * 10 + [0] * 40 + [1] * 15 + [0] * 40 + [1] * 2 + [0] * 9
    found = speech_spans(np.array(marks, np.float32))
    assert found == (SpeechSpan(0.32, 1.44), SpeechSpan(2.72, 3.2))


def test_an_utterance_ends_with_a_silence_after_speech() -> None:
    """Silence before the first word ends nothing; after speech it does, once it has lasted."""
    utterance = Utterance(silence_s=1.0)
    utterance.push(np.zeros(100, np.float32))
    assert not utterance.finished
    utterance.push(np.ones(20, np.float32))
    utterance.push(np.zeros(30, np.float32))
    assert not utterance.finished
    utterance.push(np.zeros(2, np.float32))
    assert utterance.finished


def test_a_pause_between_two_sentences_ends_nothing() -> None:
    """Before the expected seconds of speech a silence must last twice as long to end an utterance, afterwards not."""
    utterance = Utterance(silence_s=1.0, whole_s=2.0)
    for expected in (False, True):
        utterance.push(np.ones(40, np.float32))
        utterance.push(np.zeros(40, np.float32))
        assert utterance.finished is expected
    gone = Utterance(silence_s=1.0, whole_s=2.0)
    gone.push(np.ones(40, np.float32))
    gone.push(np.zeros(63, np.float32))
    assert gone.finished


def test_the_shipped_networks_are_the_listed_ones() -> None:
    """Every file of models/quality has the hash that its list says, and the notice names where it comes from."""
    listed = json.loads((QUALITY / "networks.json").read_text())["files"]
    assert set(listed) == {path.name for path in QUALITY.glob("*.onnx")}
    notice = (QUALITY / "NOTICE.md").read_text()
    for name, entry in listed.items():
        assert hashlib.sha256((QUALITY / name).read_bytes()).hexdigest() == entry["sha256"]
        assert name in notice
