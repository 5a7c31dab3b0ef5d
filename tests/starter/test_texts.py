"""Training sentences of two languages: balanced, new, and in one order."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest

from tools.starter.cli import HELD_OUT, lines
from tools.starter.texts import MANDARIN, TURNS, Grammar, Lexicon, Writer, english_words, mandarin_words, sentences


@pytest.fixture(scope="module")
def some() -> list[tuple[str, str]]:
    """The first 300 sentences of seed 1."""
    return [(line.language, line.text) for line in islice(sentences(1, []), 300)]


def test_any_beginning_is_balanced(some: list[tuple[str, str]]) -> None:
    """After every round of turns there are as many English sentences as the turns say, the rest is Mandarin."""
    rounds = len(some) // len(TURNS) * len(TURNS)
    for end in range(len(TURNS), rounds + 1, len(TURNS)):
        counts = Counter(language for language, _ in some[:end])
        assert counts["en"] == TURNS.count("en") * end // len(TURNS)
        assert counts["zh"] == end - counts["en"]


def test_the_order_is_that_of_the_seed_and_nothing_comes_twice(some: list[tuple[str, str]]) -> None:
    """A run that was interrupted finds the same sentences again."""
    again = [(line.language, line.text) for line in islice(sentences(1, []), 300)]
    assert again == some
    assert len({text for _, text in some}) == len(some)


def test_what_is_held_out_is_never_written(some: list[tuple[str, str]]) -> None:
    """Sentences that judge are skipped, and there are sixty of each language."""
    held_out = [text for _, text in some[:40]]
    assert not {line.text for line in islice(sentences(1, held_out), 300)} & set(held_out)
    assert [len(set(lines(path))) for path in HELD_OUT.values()] == [60, 60]


@pytest.mark.parametrize("start", ["sentence", "mixed"])
def test_a_mandarin_sentence_has_no_open_slot_and_a_closing_mark(start: str) -> None:
    """Whatever the dice say, every slot of the Mandarin grammar is filled and a mark ends the sentence."""
    grammar, rng = Grammar.read(MANDARIN, start), random.Random(7)
    written = [grammar.sentence(rng) for _ in range(400)]
    assert not any("{" in text for text in written)
    assert {text[-1] for text in written} <= set("。！？")


def test_mixed_sentences_hold_both_scripts() -> None:
    """A mixed turn gives Mandarin with Latin letters in it."""
    writer = Writer(3)
    for _ in range(30):
        line = writer.write("mixed")
        assert line.language == "zh"
        assert any(c.isascii() and c.isalpha() for c in line.text)


def test_common_words_are_drawn_more_often_and_rare_ones_too() -> None:
    """A word that is a thousand times as common is drawn about sixteen times as often."""
    lexicon = Lexicon.commonest([("rare", 1), ("common", 1000)])
    counts = Counter(lexicon.draw(random.Random(0), 3000))
    assert 8 < counts["common"] / counts["rare"] < 32


@pytest.mark.parametrize(("lexicon", "word"), [(english_words, "kitchen"), (mandarin_words, "厨房")])
def test_the_front_ends_words_are_the_lexicon(lexicon: object, word: str) -> None:
    """An everyday word of each language is among those that salads are made of."""
    assert callable(lexicon)
    assert word in lexicon().words
