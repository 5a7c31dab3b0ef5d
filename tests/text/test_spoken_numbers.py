"""Numbers, times, units, prices and codes in whole sentences, through cutting and language runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_tts.text.front_end import TextFrontEnd

DATA = Path(__file__).parent / "data"
LETTER = re.compile("[\u4e00-\u9fffa-z]")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_written_in_digits_is_said_as_a_listener_expects(language: str) -> None:
    """Every sentence of `en_numbers.txt` and `zh_numbers.txt` has its words."""
    front_end, wrong = TextFrontEnd(), []
    for line in (DATA / f"{language}_numbers.txt").read_text(encoding="utf-8").splitlines()[1:]:
        written, _, wanted = line.partition(" => ")
        said = " ".join(segment.normalized for segment in front_end.segments(written, language)).lower()
        if LETTER.findall(said) != LETTER.findall(wanted):
            wrong.append(f"{written}: {said}")
    assert wrong == []
