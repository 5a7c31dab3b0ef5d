"""Recorded sentences: English and mixed text as v2 models know it, cutting and language runs exactly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.language_runs import language_runs
from edge_tts.text.upstream_cuts import CUTS, collapse_marks, cut, guard_first_clause, pieces_of

DATA = Path(__file__).parent / "data"
FRONT_END = TextFrontEnd()


def records(name: str) -> list[dict[str, Any]]:
    """Records without caveats, trimmed to the fields used here; `phones` is blank-separated."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def edits(a: list[str], b: list[str]) -> int:
    """Edit distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


CHOSEN = re.compile(
    r"\b\d?\d:0\d\b|\b0:\d\d\b|\b\d,\d00 |\b(?:Call|Dial|Text|Ticket number|Room)\b.* \d{3}"
    r"|\b(?:NASA|NVIDIA|Mr\.)|PIN|\d-\d\d"
)
"""End to end these kinds are read otherwise on purpose: `docs/text.md` lists them."""


@pytest.mark.parametrize(
    ("name", "normalized", "least_exact", "most_per"),
    [
        ("en", True, 0.97, 0.002),
        ("en", False, 0.92, 0.010),
        ("mixed_zh_en", True, 0.98, 0.002),
        ("mixed_zh_en", False, 0.90, 0.025),
    ],
)
def test_recorded_sentences_are_said_as_recorded(
    name: str, normalized: bool, least_exact: float, most_per: float
) -> None:
    """The share of exactly equal sentences and the phoneme error rate hold; the rest are chosen deviations."""
    exact = errors = length = 0
    wrong = []
    fair = [r for r in records(name) if normalized or not CHOSEN.search(r["text"])]
    for record in fair:
        text = record["norm_text" if normalized else "text"]
        runs = FRONT_END.runs(text, record["lang"], normalized=normalized)
        got, want = [p for run in runs for p in run.phonemes], record["phones"].split()
        exact += got == want
        errors += edits(got, want)
        length += len(want)
        wrong += [record["id"]] * (got != want)
    assert exact / len(fair) >= least_exact, wrong
    assert errors / length <= most_per, wrong


@pytest.mark.parametrize("method", CUTS)
def test_every_cut_is_the_recorded_one(method: str) -> None:
    """cut0 to cut5 give the recorded pieces, before and after short ones are joined and long ones cut."""
    for record in records("segmentation"):
        assert cut(record["text"], method) == record["raw"].get(method), record["id"]
        mark = "." if record["lang"] == "en" else "。"
        text = guard_first_clause(collapse_marks(record["text"]), mark)
        assert pieces_of(cut(text, method), mark) == (record["pre_seg"].get(method) or []), record["id"]


@pytest.mark.parametrize(("key", "option"), [("default_none", "auto"), ("default_zh", "all_zh")])
def test_language_runs_are_the_recorded_ones(key: str, option: str) -> None:
    """The runs equal the recorded ones, but for units, percent signs, a lone s after a number and 5G in Mandarin."""
    chosen = {"lid-p033", "lid-p036", "lid-p055", "lid-p076", "lid-p078"}
    for record in records("lang_segments"):
        if record["id"] not in chosen:
            assert [list(run) for run in language_runs(record["text"], option)] == record[key], record["id"]
