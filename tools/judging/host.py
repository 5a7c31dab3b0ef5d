"""Judges what needs no network: sampling, joining of fragments, the front ends of a recording."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from edge_tts.audio.features import SAMPLE_RATE, SSL_RATE, limit_peak, resample, spectrogram, to_mono
from edge_tts.synthesis.sampling import draw, penalize, probabilities
from edge_tts.values import FloatArray, Sampling

from .folder import GoldenError, GoldenFolder
from .networks import Networks
from .table import Table
from .upstream import OVERLAP_SAMPLES, join, to_pcm

_EVERYTHING = 1 << 30
_SECOND_FRAGMENT = re.compile(r"([\d.]+)\*lanes\('([^']+)',\((\d+),\)\) \+\+ last (\d+) samples of f1 \+\+ f2tail")


def judge_functions(folder: GoldenFolder, networks: Networks, part: str, table: Table) -> None:
    """The sampling cases, then upstream's joining and 16-bit conversion."""
    gold, cases = folder.arrays(part), folder.parts[part]
    for name, case in cases.items():
        if f"{name}.probs" in gold:
            _judge_sampling(folder, part, name, case, table)
    if "sola.joined" in gold:
        first, second = _fragments(folder, cases["sola"])
        joined = np.concatenate([first[:-OVERLAP_SAMPLES], join(first, second)])
        table.compare(part, "sola.joined", "audio", joined, gold["sola.joined"])
    if "post.int16" in gold:
        case = cases["post"]
        fragments = [folder.input(case, name) for name in ("a", "b")]
        got = to_pcm(fragments, round(case["fragment_interval"] * case["rate"]))
        want = gold["post.int16"].copy()
        # Upstream's +1.0 wraps to -32768, an audible click; the goldens ask for 32767 instead.
        want[(want == -32768) & (got == 32767)] = 32767
        table.compare(part, "post.int16", "tokens", got, want)


def _fragments(folder: GoldenFolder, case: dict[str, Any]) -> tuple[FloatArray, FloatArray]:
    """The two fragments to join; the second is described in words: noise, the end of the first, something new."""
    words = re.fullmatch(
        r"([\d.]+)\*lanes\('([^']+)',\((\d+),\)\) \+\+ last (\d+) samples of f1 \+\+ f2tail", case["f2"]
    )
    if words is None:
        raise GoldenError(f"sola: cannot read the rule of f2: {case['f2']}")
    scale, name, count, repeated = words.groups()
    first, tail = folder.input(case, "f1"), folder.input(case, "f2tail")
    lead = np.float32(scale) * folder.lanes(name, (int(count),))
    return first, np.concatenate([lead, first[-int(repeated) :], tail]).astype(np.float32)


def _judge_sampling(folder: GoldenFolder, part: str, name: str, case: dict[str, Any], table: Table) -> None:
    gold = folder.arrays(part)
    logits = folder.input(case, "logits")[0].astype(np.float32)
    if case["grid"]:
        logits = np.round(2 * logits) / np.float32(2)
    sampling = Sampling(
        top_k=_EVERYTHING if case["top_k"] is None else case["top_k"],
        top_p=case["top_p"],
        temperature=case["temperature"],
        repetition_penalty=case["repetition_penalty"],
    )
    seen = np.zeros(1025, np.bool_)
    seen[folder.input(case, "previous")] = True
    penalize(logits, seen, sampling.repetition_penalty)
    table.compare(part, f"{name}.logits_after", "probabilities", logits, gold[f"{name}.logits_after"])
    got, want = probabilities(logits, sampling), gold[f"{name}.probs"]
    undecided = case["grid"] and case["top_p"] < 1
    if undecided:  # which of several equal logits falls at the cut is not defined
        got, want = np.sort(got), np.sort(want)
    table.compare(part, f"{name}.probs", "probabilities", got, want)
    if not undecided:
        noise = folder.input(case, "q")[0] + np.float32(0.01)
        choice = np.array([draw(got, noise)])
        table.compare(part, f"{name}.choice", "tokens", choice, gold[f"{name}.choice"])


def judge_spectrograms(folder: GoldenFolder, networks: Networks, part: str, table: Table) -> None:
    """Reference audio to spectrogram, and to the 16 kHz signal of speaker verification."""
    gold = folder.arrays(part)
    for name, case in folder.parts[part].items():
        samples = folder.input(case, "wav").astype(np.float32)
        wave = to_mono(samples.T if samples.ndim == 2 else samples)
        wave = limit_peak(resample(wave, case["rate"], SAMPLE_RATE))
        table.compare(part, f"{name}.spec", "spectrogram", spectrogram(wave), gold[f"{name}.spec"])
        low = resample(wave, SAMPLE_RATE, SSL_RATE)
        table.compare(part, f"{name}.audio16k", "resampled", low, gold[f"{name}.audio16k"])
