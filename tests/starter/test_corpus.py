"""Training sentences: what the grammar and the filters let through."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.starter.cli import HELD_OUT, lines
from tools.starter.corpus import Grammar, build, plain, salads, take


@given(st.integers(0, 10_000))
def test_a_grammar_sentence_has_no_open_slot_and_a_closing_mark(seed: int) -> None:
    """Whatever the dice say, every slot is filled, the sentence starts with a capital and ends with a mark."""
    sentence = Grammar.read().sentence(random.Random(seed))
    assert "{" not in sentence
    assert not sentence[0].islower()
    assert sentence[-1] in ".!?"


def test_a_slot_without_a_rule_is_named(tmp_path: Path) -> None:
    """A grammar that uses a rule it does not have is refused with the rule's name."""
    path = tmp_path / "grammar.txt"
    path.write_text("sentence: The {colour} {thing}.\nthing: cat | dog\n")
    with pytest.raises(ValueError, match="colour"):
        Grammar.read(path)


def test_a_becomes_an_before_a_vowel(tmp_path: Path) -> None:
    """The article fits the word that fills the slot."""
    path = tmp_path / "grammar.txt"
    path.write_text("sentence: A {fruit}.\nfruit: apple\n")
    assert Grammar.read(path).sentence(random.Random(0)) == "An apple."


@pytest.mark.parametrize(
    ("sentence", "kept"),
    [
        ("the cat sat on the mat.", "The cat sat on the mat."),
        ("the cat, the mat, the dog", "The cat, the mat, the dog."),
        ("the cat sat.", None),
        ("the cat sat on the xyzzy.", None),
        ("the cat (2.0) sat on it.", None),
        ("the cat sat on NASA.", None),
    ],
)
def test_only_plain_sentences_of_known_words_are_taken(sentence: str, kept: str | None) -> None:
    """Descriptions pass when they are four to fifteen known words and commas, nothing spelled or counted."""
    assert plain(sentence, {"the", "cat", "sat", "on", "mat", "dog", "it", "nasa"}) == kept


def test_take_skips_what_was_seen_whatever_its_case_and_marks() -> None:
    """Two spellings of one sentence count once."""
    seen: set[str] = set()
    assert take(["Hello, cat.", "hello cat!", "A dog."], 5, seen) == ["Hello, cat.", "A dog."]


def test_salads_hold_only_words_of_the_lexicon() -> None:
    """Word salads invent nothing."""
    counts = Counter({"kettle": 5, "window": 2, "garden": 1})
    for sentence in islice(salads(counts, random.Random(0)), 50):
        assert set(sentence.lower().rstrip(".?").replace(",", "").split()) <= set(counts)


def test_the_test_sentences_are_sixty_and_never_in_the_training_text() -> None:
    """What is held out is held out, and the training text has the size that was asked for, without doubles."""
    held_out = lines(HELD_OUT["en"])
    sentences = build(3000, {"kettle", "garden", "window", "orange"}, held_out, seed=1)
    assert len(held_out) == 60
    assert len(set(sentences)) == 3000
    assert not set(held_out) & set(sentences)
