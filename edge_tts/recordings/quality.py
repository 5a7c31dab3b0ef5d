"""The quality gate: may this recording become a voice, and if not, why not? It knows no devices and no spoken words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from edge_tts.audio.features import resample, to_mono
from edge_tts.engine.load import load_engine
from edge_tts.recordings.best_window import MARGINS_S, SpeechSpans, Window, best_part, span_s
from edge_tts.recordings.dnsmos import MosEstimator
from edge_tts.recordings.mel import RATE
from edge_tts.recordings.signal_measures import (
    STEADY_S,
    clipped_share,
    floor_db,
    high_share_db,
    hole_share,
    hum_db,
    hum_under_speech_db,
    level_db,
    whistle_db,
)
from edge_tts.recordings.speaker_embedding import CLOSE_STEP, SpeakerEmbedder
from edge_tts.recordings.vad import SpeechDetector, stretches
from edge_tts.values import FloatArray, Recording

WHOLE_S = 30.0
"""The most that is kept whole."""

Cuts = Callable[[SpeechSpans], Collection[int]]
"""Where a recording may be cut: see `best_part`."""


def anywhere(found: SpeechSpans) -> Collection[int]:
    """At every pause."""
    return range(len(found) + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recording must keep to. Levels in dB of full scale unless they say otherwise."""

    shortest_s: float = 3.0
    """Of speech, from the first word to the last; what the networks were trained with is 3 to 10 s."""
    longest_s: float = 10.0
    quietest_db: float = -40.0
    clipped_share: float = 0.001
    snr_db: float = 15.0
    hum_db: float = -24.0
    """Against the speech; so are whistling and high frequencies. Readers who publish their recordings have -25."""
    whistle_db: float = -35.0
    high_db: float = -3.0
    silence_share: float = 0.5
    hole_share: float = 0.25
    part_likeness: float = 0.77
    """Of any part of a recording to the rest. Of calm readings by one person 1 in 100 is below, of two people's in
    equal turns 97; feeling moves it as well, so that a stricter limit refuses whoever reads with some."""
    overall_mos: float = 2.0


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured, for the voice's record."""

    speech_s: float
    span_s: float
    level_db: float
    peak: float
    clipped_share: float
    snr_db: float
    hum_db: float
    whistle_db: float
    high_db: float
    silence_share: float
    hole_share: float
    part_likeness: float = 1.0
    mos_overall: float = 0.0
    mos_signal: float = 0.0
    mos_background: float = 0.0
    mos_p808: float = 0.0

    def record(self) -> dict[str, float]:
        """Name -> value, with as many digits as mean something."""
        return {name: round(float(value), 4) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a recording."""

    code: str
    """silent, short, long, quiet, clipped, noisy, hum, whistle, high, pauses, holes, speakers or poor."""
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """What the gate says: without refusals the recording may become a voice."""

    recording: Recording
    """Mono, cut to the speech; the best window of one that is too long, where there is one."""
    measures: Measures | None
    """None when there is nothing to measure."""
    refusals: tuple[Refusal, ...] = ()
    found: SpeechSpans = ()
    """All that is spoken."""
    part: tuple[int, int] = (0, 0)
    """What of it is in the window: found[first:last]."""

    @property
    def whole(self) -> bool:
        """Whether the window is all of the speech."""
        return self.part == (0, len(self.found))

    @property
    def passed(self) -> bool:
        """Whether the recording may become a voice."""
        return not self.refusals


class QualityGate:
    """Judges recordings. Every network is handed in."""

    def __init__(
        self, *, detector: SpeechDetector, identity: SpeakerEmbedder, listener: MosEstimator, limits: Limits = Limits()
    ) -> None:
        self._detector, self._identity, self._listener, self._limits = detector, identity, listener, limits

    def judge(self, recording: Recording, *, cuts: Cuts = anywhere) -> QualityVerdict:
        """Cut the recording to its speech, measure it and compare with the limits. Takes any length and any rate.

        Of one that is too long the best window is judged; it is cut out only where `cuts` allows.
        """
        shortest_s, longest_s = self._limits.shortest_s, self._limits.longest_s - MARGINS_S

        def best(found: SpeechSpans, wave: FloatArray) -> tuple[int, int]:
            return best_part(found, wave, cuts=cuts(found), shortest_s=shortest_s, longest_s=longest_s)

        return self._judge(recording, self._limits, best)

    def judge_whole(self, recording: Recording) -> QualityVerdict:
        """The same for all that is said in up to 30 s, with all pauses: of a proof no word may be lost."""
        limits = replace(self._limits, longest_s=WHOLE_S, silence_share=1.0)
        return self._judge(recording, limits, lambda found, wave: (0, len(found)))

    def _judge(
        self, recording: Recording, limits: Limits, keep: Callable[[SpeechSpans, FloatArray], tuple[int, int]]
    ) -> QualityVerdict:
        # A file of floats can hold more than full scale, which the voice's FLAC cannot: judge what will be kept.
        samples = np.nan_to_num(to_mono(recording.samples)).clip(-1, 1).astype(np.float32)
        samples = samples - samples.mean() if len(samples) else samples
        mono = Recording(samples, recording.sample_rate)
        if not np.any(np.abs(samples) > 1e-4):
            return QualityVerdict(mono, None, (Refusal("silent", 0.0, 1e-4),))
        wave = resample(samples, recording.sample_rate, RATE)
        found = stretches(self._detector.probabilities(wave))
        if not found:
            return QualityVerdict(mono, None, (Refusal("short", 0.0, limits.shortest_s),))
        part = Window(mono, wave, found, keep(found, wave))
        measures = self._measure(part)
        return QualityVerdict(part.cut(mono), measures, _compare(measures, limits), found, part.part)

    def likeness(self, recordings: Sequence[Recording]) -> float:
        """How alike the speakers of several recordings are: the least of any two, 1 for one recording."""
        waves = [resample(to_mono(take.samples), take.sample_rate, RATE) for take in recordings]
        vectors = [self._identity.embed(wave) for wave in waves]
        return min((float(a @ b) for a, b in combinations(vectors, 2)), default=1.0)

    def _measure(self, part: Window) -> Measures:
        speech, background = part.speech(), part.background()
        vectors = self._identity.slices(speech, step=CLOSE_STEP)
        near = part.cut(Recording(part.wave, RATE)).samples
        opinion = self._listener.opinion(np.clip(near, -1, 1), windows=1)
        cut, level = part.cut(part.mono), level_db(speech)
        speech_s = sum(stretch.length_s for stretch in part.kept)
        if len(background) < STEADY_S * RATE:  # cut closely: what is under the speech must be looked for there
            noise_db, mains_db, tone_db = floor_db(near, RATE), hum_under_speech_db(near, RATE), whistle_db(near, RATE)
        else:
            noise_db, mains_db = floor_db(background, RATE, share=0.5), hum_db(background, RATE)
            tone_db = whistle_db(background, RATE)
        return Measures(
            speech_s=speech_s,
            span_s=span_s(part.kept),
            level_db=level,
            peak=float(np.abs(cut.samples).max()),
            clipped_share=clipped_share(cut.samples),
            snr_db=min(60.0, level - noise_db),
            hum_db=mains_db - level,
            whistle_db=tone_db - level,
            high_db=high_share_db(cut.samples, cut.sample_rate),
            silence_share=1 - speech_s / span_s(part.kept),
            hole_share=hole_share(cut.samples, cut.sample_rate),
            part_likeness=part_likeness(vectors),
            mos_overall=opinion.overall,
            mos_signal=opinion.signal,
            mos_background=opinion.background,
            mos_p808=opinion.p808,
        )


def _compare(found: Measures, limits: Limits) -> tuple[Refusal, ...]:
    """The reasons, the one that is mended first in front: an echo can make two speakers of one."""
    checks = (
        ("short", found.span_s, limits.shortest_s, found.span_s < limits.shortest_s),
        ("long", found.span_s, limits.longest_s, found.span_s > limits.longest_s - MARGINS_S),
        ("holes", found.hole_share, limits.hole_share, found.hole_share > limits.hole_share),
        ("pauses", found.silence_share, limits.silence_share, found.silence_share > limits.silence_share),
        ("clipped", found.clipped_share, limits.clipped_share, found.clipped_share > limits.clipped_share),
        ("quiet", found.level_db, limits.quietest_db, found.level_db < limits.quietest_db),
        ("hum", found.hum_db, limits.hum_db, found.hum_db > limits.hum_db),
        ("whistle", found.whistle_db, limits.whistle_db, found.whistle_db > limits.whistle_db),
        ("high", found.high_db, limits.high_db, found.high_db > limits.high_db),
        ("noisy", found.snr_db, limits.snr_db, found.snr_db < limits.snr_db),
        ("poor", found.mos_overall, limits.overall_mos, found.mos_overall < limits.overall_mos),
        ("speakers", found.part_likeness, limits.part_likeness, found.part_likeness < limits.part_likeness),
    )
    return tuple(Refusal(code, value, limit) for code, value, limit, wrong in checks if wrong)


def part_likeness(vectors: FloatArray) -> float:
    """How alike the slices of a recording are: the part of it that differs most, against the rest; 1 for few slices.

    A part is two slices or more in a row, and so is the rest: a single slice may hold a sigh or a laugh. The least
    likeness of two slices would be less the longer a recording is.
    """
    whole, ends = vectors.sum(axis=0), combinations(range(len(vectors) + 1), 2)
    parts = [vectors[start:end].sum(axis=0) for start, end in ends if 2 <= end - start <= len(vectors) - 2]
    return min((_cosine(part, whole - part) for part in parts), default=1.0)


def _cosine(one: FloatArray, other: FloatArray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def load_quality_gate(folder: Path, stack: ExitStack, *, limits: Limits = Limits()) -> QualityGate:
    """The gate with the networks in `folder` (models/quality); `stack` closes them. Raises ModelError."""
    engines = {}
    for name in ("vad", "speaker", "dnsmos", "dnsmos_p808"):
        engines[name] = load_engine(folder / f"{name}.onnx", threads=1)
        stack.callback(engines[name].close)
    return QualityGate(
        detector=SpeechDetector(engine=engines["vad"]),
        identity=SpeakerEmbedder(engine=engines["speaker"]),
        listener=MosEstimator(p835=engines["dnsmos"], p808=engines["dnsmos_p808"]),
        limits=limits,
    )
