"""The quality gate: whether a recording may become a voice, and why not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from edge_tts.audio.features import resample, to_mono
from edge_tts.engine.load import load_engine
from edge_tts.recordings.best_window import MARGINS_S, SpeechSpans, Window, best_part, span_s
from edge_tts.recordings.dnsmos import MosEstimator, load_mos_estimator
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
from edge_tts.recordings.vad import SpeechDetector, speech_spans
from edge_tts.values import FloatArray, Recording

WHOLE_S = 30.0
"""The longest speech that is kept whole."""
_SILENCE = 1e-4
"""No sample is beyond it."""

Cuts = Callable[[SpeechSpans], Collection[int]]
"""Spans -> where to cut: see `best_part`."""


def anywhere(spans: SpeechSpans) -> Collection[int]:
    return range(len(spans) + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """dB of full scale unless they say otherwise."""

    shortest_s: float = 3.0
    """From the first word to the last; the networks were trained with 3 to 10 s."""
    longest_s: float = 10.0
    quietest_db: float = -40.0
    clipped_share: float = 0.001
    snr_db: float = 15.0
    hum_db: float = -24.0
    """Relative to the speech, like the next two. Published readings reach -25."""
    whistle_db: float = -35.0
    high_db: float = -3.0
    silence_share: float = 0.5
    hole_share: float = 0.25
    part_likeness: float = 0.77
    """Of any part to the rest: 1 in 100 calm readings by one person is below, 97 in 100 by two in equal turns. Emotion
    lowers it too."""
    overall_mos: float = 2.0


@dataclass(frozen=True, slots=True)
class Measures:
    """Measured values, for the voice's record."""

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
        """Name -> value, rounded to four digits."""
        return {name: round(float(value), 4) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    """silent, short, long, quiet, clipped, noisy, hum, whistle, high, pauses, holes, speakers or poor; words, of the
    consent."""
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Check:
    """A measured value against its limit."""

    code: str
    """As of a `Refusal`."""
    value: float
    limit: float
    bound: Literal["least", "most"]
    """What the limit is."""
    passed: bool


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """Without refusals the recording may become a voice."""

    recording: Recording
    """Mono, cut to the window."""
    measures: Measures | None
    """None without speech."""
    refusals: tuple[Refusal, ...] = ()
    spans: SpeechSpans = ()
    part: tuple[int, int] = (0, 0)
    """spans[first:last] are in the window."""
    checks: tuple[Check, ...] = ()

    @property
    def whole(self) -> bool:
        """The window is all of the speech."""
        return self.part == (0, len(self.spans))

    @property
    def passed(self) -> bool:
        return not self.refusals


class QualityGate:
    def __init__(
        self, *, detector: SpeechDetector, embedder: SpeakerEmbedder, mos: MosEstimator, limits: Limits = Limits()
    ) -> None:
        self._detector, self._embedder, self._mos, self._limits = detector, embedder, mos, limits

    def judge(self, recording: Recording, *, cuts: Cuts = anywhere) -> QualityVerdict:
        """Judges the speech of a recording of any length and rate.

        Of one that is too long, the best window between `cuts`.
        """
        shortest_s, longest_s = self._limits.shortest_s, self._limits.longest_s - MARGINS_S

        def best(spans: SpeechSpans, wave: FloatArray) -> tuple[int, int]:
            return best_part(spans, wave, cuts=cuts(spans), shortest_s=shortest_s, longest_s=longest_s)

        return self._judge(recording, self._limits, best)

    def judge_whole(self, recording: Recording) -> QualityVerdict:
        """Judges up to 30 s with all pauses: a proof must not lose a word."""
        limits = replace(self._limits, longest_s=WHOLE_S, silence_share=1.0)
        return self._judge(recording, limits, lambda spans, wave: (0, len(spans)))

    def _judge(
        self, recording: Recording, limits: Limits, keep: Callable[[SpeechSpans, FloatArray], tuple[int, int]]
    ) -> QualityVerdict:
        # A float file can exceed full scale, which the voice's FLAC cannot: judge what will be kept.
        samples = np.nan_to_num(to_mono(recording.samples)).clip(-1, 1).astype(np.float32)
        samples = samples - samples.mean() if len(samples) else samples
        mono = Recording(samples, recording.sample_rate)
        if not np.any(np.abs(samples) > _SILENCE):
            return _verdict(mono, None, [Check("silent", 0.0, _SILENCE, "least", passed=False)])
        wave = resample(samples, recording.sample_rate, RATE)
        spans = speech_spans(self._detector.probabilities(wave))
        if not spans:
            return _verdict(mono, None, [Check("short", 0.0, limits.shortest_s, "least", passed=False)])
        window = Window(mono, wave, spans, keep(spans, wave))
        measures = self._measure(window)
        return replace(_verdict(window.cut(mono), measures, _compare(measures, limits)), spans=spans, part=window.part)

    def speech(self, recording: Recording) -> SpeechSpans:
        """Where there is speech."""
        wave = resample(to_mono(recording.samples), recording.sample_rate, RATE)
        return speech_spans(self._detector.probabilities(wave))

    def likeness(self, recordings: Sequence[Recording]) -> float:
        """The least cosine of any two recordings' speakers; 1 for one recording."""
        waves = [resample(to_mono(each.samples), each.sample_rate, RATE) for each in recordings]
        vectors = [self._embedder.embed(wave) for wave in waves]
        return min((float(a @ b) for a, b in combinations(vectors, 2)), default=1.0)

    def _measure(self, window: Window) -> Measures:
        speech, background = window.speech(), window.background()
        vectors = self._embedder.slices(speech, step=CLOSE_STEP)
        near = window.cut(Recording(window.wave, RATE)).samples
        opinion = self._mos.opinion(np.clip(near, -1, 1), windows=1)
        cut, level = window.cut(window.mono), level_db(speech)
        speech_s = sum(span.length_s for span in window.kept)
        if len(background) < STEADY_S * RATE:  # cut closely: measure under the speech
            noise_db, mains_db, tone_db = floor_db(near, RATE), hum_under_speech_db(near, RATE), whistle_db(near, RATE)
        else:
            noise_db, mains_db = floor_db(background, RATE, share=0.5), hum_db(background, RATE)
            tone_db = whistle_db(background, RATE)
        return Measures(
            speech_s=speech_s,
            span_s=span_s(window.kept),
            level_db=level,
            peak=float(np.abs(cut.samples).max()),
            clipped_share=clipped_share(cut.samples),
            snr_db=min(60.0, level - noise_db),
            hum_db=mains_db - level,
            whistle_db=tone_db - level,
            high_db=high_share_db(cut.samples, cut.sample_rate),
            silence_share=1 - speech_s / span_s(window.kept),
            hole_share=hole_share(cut.samples, cut.sample_rate),
            part_likeness=part_likeness(vectors),
            mos_overall=opinion.overall,
            mos_signal=opinion.signal,
            mos_background=opinion.background,
            mos_p808=opinion.p808,
        )


def _verdict(recording: Recording, measures: Measures | None, checks: Sequence[Check]) -> QualityVerdict:
    refusals = (Refusal(check.code, check.value, check.limit) for check in checks if not check.passed)
    return QualityVerdict(recording, measures, tuple(refusals), checks=tuple(checks))


def _compare(measures: Measures, limits: Limits) -> list[Check]:
    """The one to fix first in front: an echo can make two speakers of one."""

    def least(code: str, value: float, limit: float) -> Check:
        return Check(code, value, limit, "least", passed=not value < limit)

    def most(code: str, value: float, limit: float) -> Check:
        return Check(code, value, limit, "most", passed=not value > limit)

    fits = not measures.span_s > limits.longest_s - MARGINS_S
    return [
        least("short", measures.span_s, limits.shortest_s),
        Check("long", measures.span_s + MARGINS_S, limits.longest_s, "most", passed=fits),
        most("holes", measures.hole_share, limits.hole_share),
        most("pauses", measures.silence_share, limits.silence_share),
        most("clipped", measures.clipped_share, limits.clipped_share),
        least("quiet", measures.level_db, limits.quietest_db),
        most("hum", measures.hum_db, limits.hum_db),
        most("whistle", measures.whistle_db, limits.whistle_db),
        most("high", measures.high_db, limits.high_db),
        least("noisy", measures.snr_db, limits.snr_db),
        least("poor", measures.mos_overall, limits.overall_mos),
        least("speakers", measures.part_likeness, limits.part_likeness),
    ]


def part_likeness(vectors: FloatArray) -> float:
    """Cosine of the part that differs most to the rest; 1 for few slices.

    Part and rest have two slices or more in a row: one may hold a sigh or a laugh. The least cosine of two slices would
    fall with the length of the recording.
    """
    whole, ends = vectors.sum(axis=0), combinations(range(len(vectors) + 1), 2)
    parts = [vectors[start:end].sum(axis=0) for start, end in ends if 2 <= end - start <= len(vectors) - 2]
    return min((_cosine(part, whole - part) for part in parts), default=1.0)


def _cosine(one: FloatArray, other: FloatArray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def load_quality_gate(folder: Path, stack: ExitStack, *, limits: Limits = Limits()) -> QualityGate:
    """The gate with the networks in `folder` (models/quality); `stack` closes them. Raises ModelError."""
    engines = {}
    for name in ("vad", "speaker"):
        engines[name] = load_engine(folder / f"{name}.onnx", threads=1)
        stack.callback(engines[name].close)
    return QualityGate(
        detector=SpeechDetector(engine=engines["vad"]),
        embedder=SpeakerEmbedder(engine=engines["speaker"]),
        mos=load_mos_estimator(folder, stack),
        limits=limits,
    )
