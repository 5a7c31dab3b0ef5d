"""The whole core on toy networks: order of events, seeds, pauses, interruption and refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import pytest

from edge_tts.errors import TextError
from edge_tts.synthesis.interfaces import Latents, WaveStream
from edge_tts.synthesis.synthesizer import Synthesizer
from edge_tts.synthesis.t2s import SemanticDecoder
from edge_tts.synthesis.wave_stream import WindowedWave
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import AudioChunk, FloatArray, IntArray, Segment

from .stage import MODEL, SCRIPT, VOICE, Stage, ToyFrontEnd, hurried, request
from .toys import SAMPLES_PER_FRAME, SIZES, WIDTH, ToyEngine, ToyGpt


def join(chunks: list[AudioChunk]) -> FloatArray:
    return np.concatenate([chunk.samples for chunk in chunks])


def test_sound_comes_before_the_sentence_is_thought() -> None:
    """The first chunk with samples is given while most tokens are still to be decoded."""
    stage = Stage()
    stream = stage.synthesizer.stream(request(), VOICE)
    first = next(stream)
    assert len(first.samples) > 0
    assert stage.events.count("token") < 20
    rest = list(stream)
    assert stage.events.count("token") == len(SCRIPT)
    assert stage.events.index("wave") < 20
    assert [chunk.last for chunk in rest] == [False] * (len(rest) - 1) + [True]


def test_every_token_is_heard_and_pauses_follow_segments() -> None:
    """A request lasts as long as its tokens and the silence after each segment, whatever the number of chunks."""
    samples = join(list(Stage().synthesizer.stream(request("one two", fragment_interval=0.1), VOICE)))
    spoken = len(SCRIPT) * SIZES.frames_per_token * SAMPLES_PER_FRAME
    assert len(samples) == 2 * (spoken + 20)
    assert not samples[spoken : spoken + 20].any()


def test_the_pauses_of_a_request_are_bounded_in_sum() -> None:
    """Thirty segments with 10 s of silence each are refused before anything is decoded, of 4.3 s not."""
    stage, text = Stage(), " ".join(["one"] * 30)
    with pytest.raises(TextError, match=r"30 segments .* 300 s together, at most 129 s; fragment_interval is 10 s"):
        next(stage.synthesizer.stream(request(text, fragment_interval=10.0), VOICE))
    assert not stage.events
    next(stage.synthesizer.stream(request(text, fragment_interval=4.3), VOICE))


def test_the_gpt_reads_reference_and_text() -> None:
    """The prompt of the GPT is the reference's phonemes, then the segment's; the tokens are the reference's."""
    stage = Stage()
    list(stage.synthesizer.stream(request("abc"), VOICE))
    fed = stage.prefill.calls[0]
    np.testing.assert_array_equal(fed["phoneme_ids"][0], [6, 7, 8, 0, 1, 2])
    np.testing.assert_array_equal(fed["prompt_tokens"][0], [4, 5])
    assert fed["bert"].shape == (1, 6, WIDTH)


def test_a_seed_repeats_the_speech() -> None:
    """Same seed: same samples. Another seed: other samples."""

    def speak(seed: int) -> FloatArray:
        return join(list(Stage().synthesizer.stream(request(seed=seed, top_k=15, repetition_penalty=1.35), VOICE)))

    np.testing.assert_array_equal(speak(1), speak(1))
    first, other = speak(1), speak(2)
    assert len(first) != len(other) or not np.array_equal(first, other)


def test_each_segment_draws_its_own_numbers() -> None:
    """The same word twice in one request is decoded to other tokens and vocoded with other noise the second time."""
    silent = {"fragment_interval": 0.0}
    stage = Stage()
    list(stage.synthesizer.stream(request("one one", top_k=30, temperature=5.0, **silent), VOICE))
    tokens = [int(call["token"][0]) for call in stage.step.calls]
    second = next(i for i, call in enumerate(stage.step.calls) if i and call["position"][0] == 2)
    assert tokens[:second] != tokens[second:]
    first, again = np.split(join(list(Stage().synthesizer.stream(request("one one", **silent), VOICE))), 2)
    assert np.abs(first - again).max() > 0.01


def test_a_decoder_that_finds_no_end_is_stopped_by_the_length_of_its_text() -> None:
    """A set that knows its pace gives 5 phonemes at most 2 tokens each and 16 more; one that does not lets them run."""
    tokens = []
    for pace in (2.0, None):
        stage = Stage(model=replace(MODEL, max_tokens_per_phoneme=pace))
        samples = join(list(stage.synthesizer.stream(request("hello", fragment_interval=0.0), VOICE)))
        tokens.append(len(samples) / (SIZES.frames_per_token * SAMPLES_PER_FRAME))
    assert tokens == [2 * 5 + 16, len(SCRIPT)]


def test_sound_stays_within_full_scale() -> None:
    """A network that is too loud is clipped to -1 and 1 and otherwise left as it is."""
    quiet, loud = (join(list(Stage(gain=gain).synthesizer.stream(request(), VOICE))) for gain in (1.0, 20.0))
    np.testing.assert_allclose(loud, np.clip(20 * quiet, -1, 1), atol=1e-4)
    assert (loud.min(), loud.max()) == (-1.0, 1.0)
    assert np.abs(quiet).max() < 1


def test_stop_ends_the_stream_soon() -> None:
    """After a stop at most one more token is decoded, nothing is vocoded, and the last chunk is marked."""
    stage = Stage()
    stop = Event()
    stream = stage.synthesizer.stream(request("one two three"), VOICE, stop.is_set)
    next(stream)
    stop.set()
    tokens, waves = stage.events.count("token"), stage.events.count("wave")
    rest = list(stream)
    assert stage.events.count("token") <= tokens + 1
    assert stage.events.count("wave") == waves
    assert [chunk.last for chunk in rest] == [True]


def test_nothing_to_speak_is_an_error() -> None:
    """A text without speakable content is refused by name instead of ending in silence."""
    with pytest.raises(TextError, match="nothing in the text"):
        list(Stage().synthesizer.stream(request("   "), VOICE))


def test_a_language_the_set_does_not_speak_is_refused() -> None:
    """Instead of gibberish there is an error that names the set, the language and what to install."""
    stage = Stage(front_end=TextFrontEnd())
    with pytest.raises(TextError, match=r"toy speaks en, not zh; install .* tools/convert"):
        list(stage.synthesizer.stream(request("hello 你好"), VOICE))


@pytest.mark.parametrize(("voice", "home"), [("en", "en"), ("zh", "zh"), ("ko", "zh")])
def test_the_voice_says_in_which_language_numbers_are_read(voice: str, home: str) -> None:
    """The front end is told the set's languages, and the voice's own where the set speaks it, else the set's first."""
    stage = Stage(model=replace(MODEL, languages=("zh", "en")))
    list(stage.synthesizer.stream(request(), replace(VOICE, language=voice)))
    assert (stage.front_end.reader.languages, stage.front_end.reader.home) == (("zh", "en"), home)


def test_warnings_of_the_front_end_come_with_the_last_chunk() -> None:
    """What was left out of the text is told once, at the end of the stream."""

    class Warning(ToyFrontEnd):
        def segments(self, text: str, language: str, **options: Any) -> list[Segment]:
            self.reader.warn("left out: Иван")
            return super().segments(text, language, **options)

    chunks = list(Stage(front_end=Warning()).synthesizer.stream(request(), VOICE))
    assert [chunk.warnings for chunk in chunks] == [()] * (len(chunks) - 1) + [("left out: Иван",)]


@pytest.mark.parametrize(("speed", "rate", "halves"), [(0.25, 0.25, 4), (4.0, 4.0, 1 / 4), (2.0, 0.5, 1)])
def test_the_rates_of_a_document_keep_to_the_limits_of_speed(speed: float, rate: float, halves: float) -> None:
    """Speed and rate multiply, and never beyond a quarter and four times."""

    class Rated(ToyFrontEnd):
        def segments(self, text: str, language: str, **options: Any) -> list[Segment]:
            return [replace(segment, rate=rate) for segment in super().segments(text, language, **options)]

    def samples(**options: Any) -> int:
        return len(join(list(Stage(**options).synthesizer.stream(request(fragment_interval=0.0, **keys), VOICE))))

    keys: dict[str, Any] = {}
    plain = samples()
    keys["speed"] = speed
    assert samples(front_end=Rated()) == pytest.approx(plain * halves, abs=SAMPLES_PER_FRAME)


def test_speed_shortens_the_speech() -> None:
    """Twice the speed is about half the length."""
    plain = len(join(list(Stage().synthesizer.stream(request(fragment_interval=0.0), VOICE))))
    fast = len(join(list(Stage().synthesizer.stream(request(fragment_interval=0.0, speed=2.0), VOICE))))
    assert fast == plain // 2 + SAMPLES_PER_FRAME


@pytest.mark.parametrize("joined", [True, False])
def test_the_model_set_says_whether_sentences_are_joined(joined: bool) -> None:
    """Whether short sentences are decoded together is known of the networks, so their set decides."""
    stage = Stage(model=replace(MODEL, join_sentences=joined))
    list(stage.synthesizer.stream(request(), VOICE))
    assert stage.front_end.join is joined


def test_a_piece_with_more_phonemes_than_positions_is_refused_before_anything_is_spoken() -> None:
    """The reference's phonemes count too; the error says how many fit, and no network has run."""
    stage = Stage(model=replace(MODEL, sizes=replace(SIZES, text_positions=10)))
    long = "abcdefgh"  # eight, and three of the reference
    with pytest.raises(TextError, match=r"'abcdefgh.*' has 8 phonemes, .* toy reads 7 at once in the voice v"):
        list(stage.synthesizer.stream(request(f"short {long}"), VOICE))
    assert (stage.prefill.calls, stage.events) == ([], [])
    list(stage.synthesizer.stream(request(long[:7]), VOICE))
    assert len(stage.prefill.calls) == 1


class SlowFrontEnd(ToyFrontEnd):
    """Every word is spoken at a quarter of the rate, as SSML may ask."""

    def _segment(self, word: str, language: str) -> Segment:
        return replace(super()._segment(word, language), rate=0.25)


class Framed:
    """A vocoder of the toy's sizes that notes the frames of every run."""

    def __init__(self) -> None:
        self.sizes = SIZES
        self.flows: list[int] = []
        self.waves: list[int] = []

    def encode(self, codes: IntArray, phoneme_ids: IntArray, conditioning: FloatArray) -> FloatArray:
        return np.zeros((1, WIDTH, 2 * len(codes)), np.float32)

    def flow(self, features: FloatArray, conditioning: FloatArray, noise: FloatArray, noise_scale: float) -> Latents:
        self.flows.append(features.shape[2])
        return Latents(mean=noise, log_scale=noise, latent=noise)

    def wave(self, conditioning: FloatArray) -> WaveStream:
        return WindowedWave(ToyEngine(self._wave), conditioning, SIZES)

    def _wave(self, latent: FloatArray, ge: FloatArray) -> dict[str, FloatArray]:
        self.waves.append(latent.shape[2])
        return {"audio": np.full((1, latent.shape[2] * SAMPLES_PER_FRAME), 0.1, np.float32)}


@pytest.mark.parametrize("clock", [hurried, lambda: lambda: 0.0], ids=["slow", "fast"])
def test_no_run_needs_more_frames_than_an_engine_is_built_for(clock: Callable[[], Callable[[], float]]) -> None:
    """However many tokens a segment has, at the slowest speed and a slow rate on top, flow and wave stay within the
    profile, and the profile promises little more than is needed."""
    vocoder, limits = Framed(), SIZES.limits
    for tokens in (290, 291, 330, 368, 369, 370, 384, 385, 386):
        gpt = ToyGpt([index % 30 for index in range(tokens)])
        decoder = SemanticDecoder(prefill=gpt.prefill, step=gpt.step, limits=limits, max_positions=512)
        subject = Synthesizer(model=MODEL, front_end=SlowFrontEnd(), decoder=decoder, vocoder=vocoder, clock=clock())
        list(subject.stream(request("slow", speed=0.25, seed=None), VOICE))
    least = 16 if clock is hurried else 70
    assert limits.flow_frames - least <= max(vocoder.flows) <= limits.flow_frames
    assert limits.wave_frames - least <= max(vocoder.waves) <= limits.wave_frames


def test_a_tone_is_as_long_as_the_voice_takes_for_the_word() -> None:
    """Its phonemes at the pace of the voice's prompt and the speed of the request; nothing is decoded."""

    class Bleeped(ToyFrontEnd):
        def segments(self, text: str, language: str, **options: Any) -> list[Segment]:
            assert options["ruled"]
            return [Segment("", (), np.zeros(0, np.int64), pause_s=0.0, bleeped=10)]

    voice = replace(VOICE, prompt_tokens=np.zeros(25 + 15, np.int64), prompt_phoneme_ids=np.zeros(10, np.int64))
    stage = Stage(front_end=Bleeped())
    sound = join(list(stage.synthesizer.stream(request(), voice)))
    rate = stage.synthesizer.model.sample_rate
    assert len(sound) == pytest.approx(rate, abs=2)  # 10 phonemes, as the 10 of a second of prompt
    assert stage.events == []
    fast = join(list(stage.synthesizer.stream(request(speed=2.0), voice)))
    assert len(fast) == pytest.approx(rate / 2, abs=2)
