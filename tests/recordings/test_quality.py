"""The quality gate on real recordings, each spoilt in one way and refused for that reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.audio.features import resample
from edge_tts.recordings.best_window import Window, best_part
from edge_tts.recordings.dnsmos import MosEstimator, Opinion
from edge_tts.recordings.quality import QualityGate, part_likeness
from edge_tts.recordings.signal_measures import clipped_share, hole_share, hum_db, level_db, whistle_db
from edge_tts.recordings.vad import SpeechSpan
from edge_tts.values import FloatArray, Recording

from .quality_networks import recording

pytestmark = pytest.mark.long
RATE = 16000
Spoil = Callable[[FloatArray], FloatArray]


class GoodOpinion(MosEstimator):
    """Of everything."""

    def __init__(self) -> None:
        pass

    def opinion(self, samples: FloatArray, *, windows: int | None = None) -> Opinion:
        return Opinion(overall=4, signal=4, background=4, p808=4)


@pytest.fixture(scope="module")
def unheard(gate: QualityGate) -> QualityGate:
    """The gate without DNSMOS, which takes longer than all else, where only what is measured matters."""
    return QualityGate(detector=gate._detector, embedder=gate._embedder, mos=GoodOpinion())


def recorded(name: str = "consent-rms") -> FloatArray:
    """A recording with half a second before it, a second after it and faint noise, float32 [samples]."""
    spoken = np.pad(recording(name), (RATE // 2, RATE))
    return spoken + noise(len(spoken), -80)


def noise(count: int, level: float) -> FloatArray:
    """White noise of that level in dB, float32 [count]."""
    values: FloatArray = np.random.default_rng(3).normal(0, 10 ** (level / 20), count).astype(np.float32)
    return values


def tone(count: int, hertz: float, level: float, rate: int = RATE) -> FloatArray:
    """A sine of that level in dB, float32 [count]."""
    sine = np.sqrt(2) * 10 ** (level / 20) * np.sin(2 * np.pi * hertz * np.arange(count) / rate)
    return sine.astype(np.float32)


@pytest.mark.parametrize("name", ["consent-slt", "consent-rms", "consent-awb", "consent-kal16", "weather-slt"])
def test_a_clean_recording_passes(gate: QualityGate, name: str) -> None:
    """Every voice of the test set passes; the silence around the words is cut off and the rate kept."""
    verdict = gate.judge(Recording(recorded(name), RATE))
    assert verdict.refusals == ()
    assert verdict.recording.sample_rate == RATE
    assert len(verdict.recording.samples) < len(recorded(name)) - RATE
    assert verdict.whole


def test_rate_and_channels_do_not_matter(unheard: QualityGate) -> None:
    """A stereo recording at 48 kHz is judged like the mono one at 16 kHz."""
    wide = resample(recorded(), RATE, 48000)
    verdict = unheard.judge(Recording(np.stack([wide, wide], axis=1), 48000))
    plain = unheard.judge(Recording(recorded(), RATE))
    assert verdict.passed
    assert verdict.measures is not None
    assert plain.measures is not None
    assert verdict.measures.snr_db == pytest.approx(plain.measures.snr_db, abs=2)
    assert len(verdict.recording.samples) == pytest.approx(3 * len(plain.recording.samples), rel=0.03)


def in_a_church(x: FloatArray) -> FloatArray:
    """The recording with one second of reverberation."""
    decay = np.random.default_rng(0).normal(size=RATE) * np.exp(-np.arange(RATE) / RATE * 6.9)
    decay[0] = 8
    size = len(x) + len(decay)
    wet = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(decay, size), size)[: len(x)]
    return (0.5 * wet / np.abs(wet).max()).astype(np.float32)


SPOILT: list[tuple[str, Spoil]] = [
    ("silent", lambda x: np.zeros_like(x)),
    ("short", lambda x: x[: int(2.4 * RATE)]),
    ("short", lambda x: noise(len(x), -20)),
    ("clipped", lambda x: np.clip(x, -0.25, 0.25)),
    ("clipped", lambda x: np.clip(x, -0.25, 0.25) * np.float32(0.3)),
    ("clipped", lambda x: x * np.float32(20)),  # as a file of floats can hold it
    ("quiet", lambda x: x * np.float32(0.03)),
    ("noisy", lambda x: x + noise(len(x), -30)),
    ("hum", lambda x: x + tone(len(x), 50, -42) + tone(len(x), 150, -48)),
    ("hum", lambda x: x + tone(len(x), 60, -42)),
    ("whistle", lambda x: x + tone(len(x), 7000, -48)),
    ("high", lambda x: x + tone(len(x), 7300, -12)),
    ("holes", lambda x: np.where(np.arange(len(x)) % 1600 < 640, np.float32(0), x)),
    ("pauses", lambda x: np.concatenate([x[: 2 * RATE], noise(19 * RATE // 4, -80), x[2 * RATE :]])),
    ("speakers", lambda x: np.concatenate([x[: 3 * RATE], recorded("consent-slt")])),
    ("speakers", lambda x: np.concatenate([x[: 2 * RATE], recording("consent-slt")[: 3 * RATE], x[2 * RATE :]])),
    ("poor", in_a_church),
]


def test_one_person_stays_one_however_long_they_read(gate: QualityGate) -> None:
    """Half a minute of one voice has no more speakers in it than three seconds of it."""
    said = [recorded(f"{text}-rms") for text in ("consent", "weather", "consent", "weather")]
    whole = gate.judge_whole(Recording(np.concatenate(said), RATE))
    assert whole.refusals == ()
    assert len(whole.recording.samples) / RATE > 20


def test_two_differing_slices_are_a_speaker_and_one_is_a_sigh() -> None:
    """A difference counts from two slices in a row on, wherever they are and however long the rest is."""
    anna, bert = np.eye(2, dtype=np.float32)
    for count in (5, 50):
        assert part_likeness(np.stack([anna] * count)) == pytest.approx(1)
        for place in (0, 2, count):
            sigh = np.stack([*[anna] * place, bert, *[anna] * (count - place)])
            assert part_likeness(sigh) > 0.7
            other = np.stack([*[anna] * place, bert, bert, *[anna] * (count - place)])
            assert part_likeness(other) == pytest.approx(0, abs=1e-6)
    assert part_likeness(np.stack([anna, bert, anna])) == 1


@pytest.mark.parametrize(("code", "spoil"), SPOILT, ids=lambda value: value if isinstance(value, str) else "")
def test_each_fault_is_found(gate: QualityGate, unheard: QualityGate, code: str, spoil: Spoil) -> None:
    """A recording with one fault is refused for that fault (others may follow from it)."""
    judge = gate if code == "poor" else unheard
    assert code in [refusal.code for refusal in judge.judge(Recording(spoil(recorded()), RATE)).refusals]


NAMES = ["consent-slt", "consent-rms", "consent-awb", "consent-kal16", "weather-slt"]


@pytest.fixture(scope="module")
def close_up(unheard: QualityGate) -> Callable[[str], FloatArray]:
    """A recording from the first to the last sample that is spoken: there is no background to measure."""

    @cache
    def cut(name: str) -> FloatArray:
        whole = recorded(name)
        found = unheard.judge(Recording(whole, RATE)).spans
        return whole[int(found[0].start_s * RATE) : int(found[-1].end_s * RATE)]

    return cut


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_that_was_cut_closely_passes(
    gate: QualityGate, close_up: Callable[[str], FloatArray], name: str
) -> None:
    """Without a background to measure, the speech itself does not count as hum, whistling or noise."""
    verdict = gate.judge(Recording(close_up(name), RATE))
    assert verdict.refusals == ()
    assert verdict.measures is not None
    assert 20 < verdict.measures.snr_db < 55


UNDER_SPEECH: list[tuple[str, Callable[[int], FloatArray]]] = [
    ("hum", lambda count: tone(count, 50, -23)),
    ("hum", lambda count: tone(count, 60, -23)),
    ("whistle", lambda count: tone(count, 5000, -30)),
    ("noisy", lambda count: noise(count, -12)),
    ("noisy", lambda count: tone(count, 100, -10)),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("code", "fault"), UNDER_SPEECH, ids=lambda value: value if isinstance(value, str) else "")
def test_what_lies_under_the_speech_is_found(
    unheard: QualityGate,
    close_up: Callable[[str], FloatArray],
    name: str,
    code: str,
    fault: Callable[[int], FloatArray],
) -> None:
    """Hum, whistling and noise refuse a recording that was cut closely as well; levels are against the speech."""
    close = close_up(name)
    spoilt = close + fault(len(close)) * np.float32(10 ** (level_db(close) / 20))
    assert code in [refusal.code for refusal in unheard.judge(Recording(spoilt, RATE)).refusals]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: x + noise(len(x), -45),
        lambda x: x + tone(len(x), 50, -60),
        lambda x: x * np.float32(0.3),
        lambda x: x + np.float32(0.05),
        lambda x: np.concatenate([x, noise(RATE // 4, -20), noise(RATE // 2, -80)]),
    ],
    ids=["a little noise", "a little hum", "a little quiet", "an offset", "a door"],
)
def test_small_faults_are_forgiven(gate: QualityGate, spoil: Spoil) -> None:
    """Faint noise, hum, an offset or a door do not refuse a recording."""
    assert gate.judge(Recording(spoil(recorded()), RATE)).passed


def test_an_inaudible_carrier_is_refused(unheard: QualityGate) -> None:
    """Ultrasound at 48 kHz, inaudible but not to the networks, is refused."""
    wide = resample(recorded(), RATE, 48000)
    verdict = unheard.judge(Recording(wide + tone(len(wide), 21000, -12, 48000), 48000))
    assert "high" in [refusal.code for refusal in verdict.refusals]


def test_the_best_window_of_a_long_recording_is_kept(gate: QualityGate, unheard: QualityGate) -> None:
    """Of 15 s the cleanest 10 s at most are kept, from pause to pause, and the verdict says which spans they are.

    Where that pause is no place to cut there is no window, and the recording is refused as too long.
    """
    pause = noise(RATE, -80)
    spoilt = np.clip(recording("weather-rms") * 4, -0.9, 0.9)
    long = Recording(np.concatenate([spoilt, pause, recorded("weather-rms"), pause]), RATE)
    verdict = gate.judge(long)
    assert verdict.passed
    assert 3 <= len(verdict.recording.samples) / RATE <= 10
    assert verdict.part[1] == len(verdict.spans)
    assert verdict.spans[verdict.part[0]].start_s > len(spoilt) / RATE
    uncut = unheard.judge(long, cuts=lambda found: [0, len(found)])
    assert uncut.whole
    assert uncut.refusals[0].code == "long"


def test_a_statement_is_judged_with_all_its_pauses(gate: QualityGate, unheard: QualityGate) -> None:
    """A proof is kept from the first word to the last; its pauses are no fault, a second speaker is one."""
    pause = noise(3 * RATE, -80)
    slow = np.concatenate([recorded()[: 2 * RATE], pause, pause, recorded()[2 * RATE :]])
    verdict = gate.judge_whole(Recording(slow, RATE))
    assert verdict.refusals == ()
    assert len(verdict.recording.samples) / RATE > 10
    strangers = unheard.judge_whole(Recording(np.concatenate([recorded(), pause, recorded("consent-slt")]), RATE))
    assert [refusal.code for refusal in strangers.refusals] == ["speakers"]
    endless = unheard.judge_whole(Recording(np.tile(recorded(), 6), RATE))
    assert [refusal.code for refusal in endless.refusals] == ["long"]


@pytest.mark.parametrize(("pause_s", "lead_s"), [(2.0, 0.3), (0.25, 0.25)])
def test_the_first_word_is_kept_from_its_beginning(pause_s: float, lead_s: float) -> None:
    """The window begins 0.3 s before the first word, because the detector is late, but never in the word before."""
    found = (SpeechSpan(1.0, 3.0), SpeechSpan(3.0 + pause_s, 7.0))
    sound = Recording(np.zeros(8 * RATE, np.float32), RATE)
    kept = Window(sound, sound.samples, found, (1, 2)).cut(sound)
    assert len(kept.samples) / RATE == pytest.approx(4 - pause_s + lead_s + 0.2, abs=1e-3)


@pytest.mark.parametrize("found", [((1.0, 12.5), (14.0, 26.0)), ((0.0, 2.0), (11.0, 12.0))])
def test_without_a_window_everything_stays(found: tuple[tuple[float, float], ...]) -> None:
    """A window never cuts a word and has three seconds or more: where there is none, all spans are kept and refused
    later."""
    spans = tuple(SpeechSpan(*times) for times in found)
    wave = np.ones(26 * RATE, np.float32)
    assert best_part(spans, wave, cuts=range(3), shortest_s=3.0, longest_s=9.7) == (0, 2)


def test_what_passes_fits_the_encoder(unheard: QualityGate) -> None:
    """The margins count: 9.8 s of speech with them are more than 10 s."""
    spoken = np.pad(np.tile(recording("weather-rms"), 2)[: 10 * RATE], RATE)
    verdict = unheard.judge(Recording(spoken, RATE), cuts=lambda found: [0, len(found)])
    assert verdict.measures is not None
    assert 9.7 < verdict.measures.span_s < 10 < len(verdict.recording.samples) / RATE
    assert [refusal.code for refusal in verdict.refusals] == ["long"]


@pytest.mark.parametrize(
    ("hertz", "hums"), [((50,), True), ((60, 180), True), ((100, 200), True), ((200,), False), ((196, 262), False)]
)
def test_a_note_is_no_hum(hertz: tuple[int, ...], hums: bool) -> None:
    """The mains, or two of their overtones, are a hum; a note of music that meets one overtone is none."""
    background = noise(RATE, -80) + sum((tone(RATE, each, -40) for each in hertz), np.zeros(RATE, np.float32))
    assert (hum_db(background, RATE) > -50) is hums


@given(st.lists(st.floats(-1, 1, width=32), max_size=3000), st.sampled_from([8000, 16000, 44100]))
def test_measures_take_any_sound(values: list[float], rate: int) -> None:
    """No sound makes a measure raise or leave its scale."""
    samples = np.array(values, np.float32)
    for share in (clipped_share(samples), hole_share(samples, rate)):
        assert 0 <= share <= 1
    for level in (level_db(samples), hum_db(samples, rate), whistle_db(samples, rate)):
        assert -100 <= level <= 1


def test_nothing_at_all_is_silent(gate: QualityGate) -> None:
    """Empty, broken and constant recordings are refused as silent and raise nothing."""
    for samples in (np.zeros(0, np.float32), np.full(RATE, np.nan, np.float32), np.ones(7, np.float32)):
        assert [refusal.code for refusal in gate.judge(Recording(samples, RATE)).refusals] == ["silent"]
