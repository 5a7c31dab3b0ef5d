"""Errors of what was heard, in words and in syllables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_tts.errors import EdgeTTSError
from edge_tts.recordings.dnsmos import Opinion
from tools.starter import judges
from tools.starter.evaluate import figures
from tools.starter.heard import Errors, compare
from tools.starter.judges import Row, recognisers


@pytest.mark.parametrize(
    ("language", "wanted", "heard", "wrong"),
    [
        ("en", "It is 7 °C.", "it is seven degrees celsius", {"word": (0, 5)}),
        ("en", "Close the door.", "close a door", {"word": (1, 3)}),
        ("zh", "现在是7点。", "現在是七點", {"syllable": (0, 5), "tone": (0, 5)}),
        ("zh", "妈妈骂马。", "妈妈麻马", {"syllable": (0, 4), "tone": (1, 4)}),
        ("zh", "打开KTV。", "打开 KTV", {"syllable": (0, 5), "tone": (0, 5)}),
        ("zh", "用Python写。", "用 python 写", {"syllable": (0, 3), "tone": (0, 3)}),
    ],
)
def test_errors_count_what_is_heard_and_not_how_it_is_written(
    language: str, wanted: str, heard: str, wrong: dict[str, tuple[int, int]]
) -> None:
    """Digits, units, case, marks and traditional characters cost nothing; a wrong tone costs a tone alone."""
    found = {unit: (errors.wrong, errors.count) for unit, errors in compare(language, wanted, heard).items()}
    assert found == wrong


def row(voice: str, language: str, wrong: int, level: float) -> Row:
    """A sentence of ten units."""
    errors = {"word" if language == "en" else "tone": Errors(wrong, 10)}
    return Row(
        voice=voice,
        language=language,
        text="a, b",
        heard="",
        errors=errors,
        seconds=2.0,
        rest_s=0.2,
        level=level,
        opinion=Opinion(3.0, 3.0, 3.0, 3.5),
        ratio=None,
        shapes=(9, 10) if language == "zh" else (0, 0),
    )


def test_figures_name_every_voice_and_language() -> None:
    """Errors add up per voice and language; the distance in loudness is that of the loudest and the softest voice."""
    rows = [
        row("ann", "en", 1, -20.0),
        row("ann", "zh", 2, -20.0),
        row("bob", "en", 3, -23.0),
        row("bob", "en", 0, -23.0),
    ]
    rows[0] = replace(rows[0], ratio=1.2)
    found = figures(rows, "ann")
    assert found["word_errors_ann_en"] == pytest.approx(0.1)
    assert found["tone_errors_ann_zh"] == pytest.approx(0.2)
    assert found["tone_shapes_ann_zh"] == pytest.approx(0.9)
    assert "tone_shapes_bob_en" not in found
    assert found["word_errors_bob_en"] == pytest.approx(0.15)
    assert found["voices_apart_lu"] == pytest.approx(3.0)
    assert found["duration_ratio_max"] == pytest.approx(1.2)
    assert found["commas_with_a_rest"] == 1.0
    assert np.isfinite(list(found.values())).all()


def test_a_missing_recogniser_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the listener of a language that a set speaks, evaluation says which extras bring it."""
    monkeypatch.setattr(judges, "LISTENERS", {"zh": (judges.MandarinWhisper, lambda: False)})
    with pytest.raises(EdgeTTSError, match=r"zh.*listen-zh"):
        recognisers(["zh"])
