"""Grammars of training sentences."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.starter.grammar import Grammar


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
