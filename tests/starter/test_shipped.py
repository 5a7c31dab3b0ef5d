"""The starter voice as it ships: whole, small, speaking, and what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_tts.engine.load import load_engine
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.synthesis.encoder import load_voice_encoder
from edge_tts.synthesis.synthesizer import Synthesizer, load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import EncodeRequest, FloatArray, ModelSet, Recording
from edge_tts.voices.builtin import BuiltinVoices
from tools.starter.speech import spoken

STARTER = Path(__file__).parents[2] / "models" / "starter"
LARGEST = 48_000_000


@pytest.fixture(scope="module")
def model() -> ModelSet:
    """The set in the repository."""
    return read_model_set(STARTER)


@pytest.fixture(scope="module")
def synthesizer(model: ModelSet) -> Iterator[Synthesizer]:
    """Speaks with it, on one thread."""
    with ExitStack() as stack:
        yield load_synthesizer(model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))


def test_every_file_is_the_one_the_manifest_names(model: ModelSet) -> None:
    """Checksums hold and nothing else lies in the folder."""
    verify_model_set(model)


def test_all_graphs_together_are_small_enough_for_a_clone(model: ModelSet) -> None:
    """At most 48 MB: the set is part of the repository."""
    assert sum(path.stat().st_size for path in STARTER.glob("*.onnx")) <= LARGEST


@pytest.mark.parametrize("path", sorted(STARTER.glob("*.onnx")), ids=lambda path: path.stem)
def test_a_graph_is_one_that_tensorrt_takes(path: Path) -> None:
    """No control flow, no random numbers, no STFT or running sum of ONNX's own, convolutions with fixed weights."""
    graph = onnx.load(path).graph
    fixed = {tensor.name for tensor in graph.initializer}
    refused = {"Loop", "If", "Scan", "NonZero", "RandomNormal", "RandomUniform", "RandomNormalLike", "STFT", "CumSum"}
    assert not refused & {node.op_type for node in graph.node}
    weights = [name for node in graph.node if node.op_type in ("Conv", "ConvTranspose") for name in node.input[1:]]
    assert set(weights) <= fixed


def test_it_says_what_it_is(model: ModelSet) -> None:
    """English and Mandarin at 24 kHz, with the notices of what it was made from and the licence that they ask for."""
    assert model.family == "starter"
    assert model.languages == ("en", "zh")
    assert model.sample_rate == 24000
    notice = (STARTER / "NOTICE.md").read_text(encoding="utf-8")
    assert "hexgrad" in notice
    assert "LICENSE-APACHE-2.0.txt" in notice
    assert "Apache License" in (STARTER / "LICENSE-APACHE-2.0.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("figure", "default", "others"),
    [("word_errors_{}_en", 0.06, 0.09), ("syllable_errors_{}_zh", 0.08, 0.08), ("tone_errors_{}_zh", 0.12, 0.12)],
)
def test_what_was_measured_is_good_enough(model: ModelSet, figure: str, default: float, others: float) -> None:
    """The figures in the manifest are those that a starter voice has to reach, for each voice."""
    quality = json.loads((STARTER / "manifest.json").read_text(encoding="utf-8"))["quality"]
    for name in model.voices:
        assert quality[figure.format(name)] <= (default if name == model.default_voice else others), name
        for language in model.languages:
            assert quality[f"dnsmos_p808_{name}_{language}"] >= 3.4
        assert quality[f"tone_shapes_{name}_zh"] >= 0.9
    assert quality["duration_ratio_min"] >= 0.8
    assert quality["duration_ratio_max"] <= 1.25
    assert quality["voices_apart_lu"] <= 1.0
    assert quality["real_time_factor"] <= 0.15


def test_three_or_more_voices_differ(model: ModelSet) -> None:
    """Their speaker vectors point in different directions, and the default is one of them."""
    voices = [BuiltinVoices(model).load(name) for name in model.voices]
    vectors = np.stack([voice.conditioning.ravel() for voice in voices])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    assert len(voices) >= 3
    assert model.default_voice in model.voices
    assert alike[np.triu_indices(len(alike), 1)].max() < 0.95


@pytest.mark.parametrize(
    ("text", "language", "least_s", "most_s"),
    [
        ("Yes.", "en", 0.16, 1.2),
        ("The kettle has boiled.", "en", 0.9, 2.5),
        ("One, two, three, four, five, six, seven, eight.", "en", 1.9, 6.0),
        ("好的。", "zh", 0.2, 1.2),
        ("水烧开了，请小心。", "zh", 1.0, 3.0),
        ("WiFi 已经连接好了。", "zh", 1.0, 3.5),
    ],
)
def test_a_text_takes_about_as_long_as_it_should(
    synthesizer: Synthesizer, model: ModelSet, text: str, language: str, least_s: float, most_s: float
) -> None:
    """No dropped tail and no endless babble, loud enough, never clipped: in either language and in both at once."""
    voice = BuiltinVoices(model).load(model.default_voice or "")
    wave = spoken(synthesizer, voice, text, language=language)
    assert least_s < len(wave) / model.sample_rate < most_s
    assert 0.01 < np.sqrt(np.mean(wave**2)) < 0.4
    assert np.abs(wave).max() <= 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "sentences",
    [
        ["Hi.", "Dinner is ready."],
        ["Ten.", "Nine.", "Eight.", "Seven.", "Six.", "Five.", "Four.", "Three.", "Two.", "One."],
        ["No.", "Not now."],
        ["Good morning.", "It is seven o'clock.", "Wake up!"],
        ["好。", "开饭了。"],
        ["三。", "二。", "一。", "开始！"],
    ],
)
def test_no_short_sentence_is_swallowed(
    synthesizer: Synthesizer, model: ModelSet, sentences: list[str], seed: int
) -> None:
    """Said in a row, sentences last as long as each said by itself, pauses aside: all of them are there."""
    voice = BuiltinVoices(model).load(model.default_voice or "")
    language = "en" if sentences[0].isascii() else "zh"
    say = partial(spoken, synthesizer, voice, seed=seed, language=language)
    alone = sum(seconds_of_sound(say(text=sentence), model) for sentence in sentences)
    whole = seconds_of_sound(say(text=" ".join(sentences)), model)
    assert 0.85 * alone < whole < 1.2 * alone


@pytest.mark.parametrize("text", ["Five. Dinner is ready.", "Really? Come here.", "Hi. Tea is ready."])
def test_what_was_swallowed_when_joined_is_said(model: ModelSet, text: str) -> None:
    """Of two sentences in one prompt the decoder would say the first alone; its end is refused until both are said."""
    joined = replace(model, join_sentences=True)
    with ExitStack() as stack:
        synthesizer = load_synthesizer(joined, TextFrontEnd(), stack, load=partial(load_engine, threads=1))
        wave = spoken(synthesizer, BuiltinVoices(model).load(model.default_voice or ""), text, seed=1)
    (segment,) = TextFrontEnd().segments(text, "en")
    assert len(wave) / model.sample_rate > 0.04 * 2.5 * len(segment.phoneme_ids)


@pytest.mark.parametrize("clause", ["The students like beans and potatoes", "After the doctor built a strange house"])
def test_a_clause_that_is_cut_from_its_sentence_does_not_babble(
    synthesizer: Synthesizer, model: ModelSet, clause: str
) -> None:
    """Where a long sentence is cut at a comma, the clause lasts about as long as if it were a sentence."""
    voice = BuiltinVoices(model).load(model.default_voice or "")
    seconds = [len(spoken(synthesizer, voice, f"{clause}{mark}", seed=1)) for mark in (",", ".")]
    assert seconds[0] < 1.2 * seconds[1]


def seconds_of_sound(wave: FloatArray, model: ModelSet) -> float:
    """How long a float32 wave is not silent, counted in frames of 20 ms within 40 dB of its peak."""
    size = model.sample_rate // 50
    frames = wave[: len(wave) // size * size].reshape(-1, size)
    return 0.02 * int((np.sqrt(np.mean(frames**2, axis=1)) > 0.01 * np.abs(wave).max()).sum())


def test_the_same_seed_says_the_same(synthesizer: Synthesizer, model: ModelSet) -> None:
    """A seed fixes every sample; another seed gives another take."""
    voice = BuiltinVoices(model).load(model.default_voice or "")
    one, again, other = (spoken(synthesizer, voice, "Good morning.", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert len(one) != len(other) or not np.array_equal(one, other)


def test_a_wave_sung_in_parts_is_the_wave_sung_at_once(model: ModelSet) -> None:
    """With the halo that the manifest states, a stretch from the middle equals the same stretch of the whole."""
    halo, width = model.sizes.wave_halo_frames, model.sizes.latent_width
    random = np.random.default_rng(0)
    latent = random.standard_normal((1, width, 80), np.float32)
    latent[:, 16:18], latent[:, 18:20] = 1.2, random.random((1, 2, 80), np.float32)
    conditioning = random.standard_normal((1, model.sizes.conditioning_width, 1), np.float32)
    engine = load_engine(model.graph("wave"), threads=1)
    try:
        whole = engine.run({"latent": latent, "ge": conditioning})["audio"][0]
        window = np.ascontiguousarray(latent[:, :, 30 - halo : 50 + halo])
        part = engine.run({"latent": window, "ge": conditioning})["audio"][0]
    finally:
        engine.close()
    frame = model.sizes.samples_per_frame
    assert len(whole) == 80 * frame
    np.testing.assert_allclose(part[halo * frame : (halo + 20) * frame], whole[30 * frame : 50 * frame], atol=2e-3)


def test_the_phase_follows_the_pitch(model: ModelSet) -> None:
    """The latent's phase advances by pitch x 10 ms from one voiced half frame to the next, however long the text."""
    voice = BuiltinVoices(model).load(model.default_voice or "")
    codes = np.tile(voice.prompt_tokens, 6)
    encoder, flow = (load_engine(model.graph(name), threads=1) for name in ("encoder", "flow"))
    try:
        feeds = {"codes": codes[None], "phoneme_ids": voice.prompt_phoneme_ids[None], "ge": voice.conditioning}
        features = encoder.run(feeds)["features"]
        noise = np.zeros((1, model.sizes.latent_width, features.shape[2]), np.float32)
        scale = np.zeros(1, np.float32)
        feeds = {"features": features, "ge": voice.conditioning, "noise": noise, "noise_scale": scale}
        latent = flow.run(feeds)["latent"][0]
    finally:
        encoder.close()
        flow.close()
    pitch, phase = (latent[rows].T.ravel() for rows in (slice(16, 18), slice(18, 20)))
    voiced = (pitch[:-1] > 0) & (pitch[1:] > 0)
    ahead = phase[:-1] + (pitch[:-1] + pitch[1:]) / 2 - phase[1:]
    assert voiced.sum() > 200
    assert np.abs(ahead - np.round(ahead))[voiced].max() < 0.01


def test_a_recording_can_be_enrolled(model: ModelSet) -> None:
    """Four seconds of sound become 25 tokens a second (with 0.6 s of appended silence) and a speaker vector."""
    time = np.arange(4 * 16000) / 16000
    buzz = 0.2 * np.sign(np.sin(2 * np.pi * 120 * time)) * (np.sin(2 * np.pi * 3 * time) > 0)
    recording = Recording(buzz.astype(np.float32), 16000)
    with ExitStack() as stack:
        encoder = load_voice_encoder(model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))
        voice = encoder.encode(EncodeRequest("buzz", "Buzz", "en", "Hello there.", [recording]))
    assert len(voice.prompt_tokens) == 115
    assert voice.prompt_tokens.min() >= 0
    assert voice.prompt_tokens.max() < model.sizes.tokens - 1
    assert voice.conditioning.shape == (1, model.sizes.conditioning_width, 1)
