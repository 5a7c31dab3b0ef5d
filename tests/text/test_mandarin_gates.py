"""Recorded sentences: Mandarin as v2 models were trained to hear it, phoneme by phoneme."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_tts.text.mandarin.language import Mandarin
from edge_tts.text.symbols import symbol_ids

DATA = Path(__file__).parent / "data"
Record = dict[str, str]


@pytest.fixture(scope="module")
def chinese() -> Mandarin:
    return Mandarin()


def records(name: str) -> list[Record]:
    """`id, text, norm_text, phones` (blank-separated), `word2ph` (digits)."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def edits(a: list[str], b: list[str]) -> int:
    """Edit distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def score(chinese: Mandarin, name: str, *, raw: bool) -> tuple[float, float]:
    """Share of records spoken exactly as recorded, and phoneme error rate."""
    exact = errors = length = 0
    sentences = records(name)
    for record in sentences:
        spoken = chinese.normalize(record["text"]) if raw else record["norm_text"]
        phonemes, word2ph = chinese.phonemize(spoken)
        assert len(word2ph) == len(spoken)
        assert sum(word2ph) == len(phonemes)
        wanted = record["phones"].split()
        wrong = edits(list(phonemes), wanted)
        exact += wrong == 0
        errors += wrong
        length += len(wanted)
    return exact / len(sentences), errors / length


@pytest.mark.parametrize("name", ["zh.jsonl", "zh_direct.jsonl"])
def test_spoken_text_becomes_the_recorded_phonemes(chinese: Mandarin, name: str) -> None:
    """With the spoken text given, at least 97 % of the sentences are exact and at most 0.1 % of the phonemes wrong."""
    exact, rate = score(chinese, name, raw=False)
    assert exact >= 0.97
    assert rate <= 0.001


def test_written_text_becomes_the_recorded_phonemes(chinese: Mandarin) -> None:
    """From the written text, at least 92 % are exact; the rest are documented deviations from the recordings."""
    exact, rate = score(chinese, "zh_direct.jsonl", raw=True)
    assert exact >= 0.92
    assert rate <= 0.009


def test_every_phoneme_is_a_symbol_of_the_models(chinese: Mandarin) -> None:
    """Nothing that is said falls back to the unknown symbol."""
    known = symbol_ids()
    for record in records("zh_direct.jsonl"):
        phonemes, _ = chinese.phonemize(chinese.normalize(record["text"]))
        assert [p for p in phonemes if p not in known] == []


def test_features_align_with_characters(chinese: Mandarin) -> None:
    """Each ideograph has two phonemes and each mark one, exactly as recorded."""
    for record in records("zh.jsonl"):
        _, word2ph = chinese.phonemize(record["norm_text"])
        assert "".join(map(str, word2ph)) == record["word2ph"], record["id"]
