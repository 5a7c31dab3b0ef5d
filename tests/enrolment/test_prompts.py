"""What is said at an enrolment: complete in both languages, and sayable."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from edge_tts.enrolment.prompts import CONSENT, consent, explain, prompt_language, step
from edge_tts.recordings.quality import Limits, Refusal
from edge_tts.text.front_end import TextFrontEnd

CODES = "silent short long quiet clipped noisy hum whistle high pauses holes speakers poor words".split()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", CODES)
def test_every_refusal_says_what_to_do(code: str, language: str) -> None:
    """Each reason has words in both languages, in that language's own script, without a blank left over."""
    words = explain(Refusal(code, 1.4, 3.0), language)
    assert bool(re.search(r"[一-鿿]", words)) == (language == "zh")
    assert "{" not in words
    assert TextFrontEnd().segments(words, "auto")


def test_every_limit_has_a_reason() -> None:
    """There is a refusal for each limit, one for silence and one for the words."""
    assert len(fields(Limits)) == len(CODES) - 2


def test_the_consent_names_the_person() -> None:
    """The sentence holds the person's name, in both languages."""
    assert set(CONSENT) == {"zh", "en"}
    assert "Anna" in consent("en", "Anna")
    assert "小梅" in consent("zh", "小梅")
    assert prompt_language("yue") == prompt_language("zh") == "zh"
    assert prompt_language("ja") == "en"


def test_steps_fill_their_blanks() -> None:
    """What a step is told ends up in its words."""
    assert "Anna" in step("answer", "en", name="Anna")
    assert "hurry" in step("invite", "en", sentence="hurry")
