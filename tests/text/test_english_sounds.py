"""English words and sentences to phonemes: dictionary, homographs, letters, and words that no dictionary has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.text.english.compounds import split_compound
from edge_tts.text.english.language import normalize, phonemize
from edge_tts.text.english.neural_g2p import predict
from edge_tts.text.english.words import pronounce
from edge_tts.text.sorted_table import SortedTable
from edge_tts.text.symbols import symbol_ids


def say(text: str) -> str:
    """Phonemes, blank-separated."""
    return " ".join(phonemize(text)[0])


@pytest.mark.parametrize(
    ("sentence", "word"),
    [
        ("Please record the song.", "R IH0 K AO1 R D"),
        ("The record is old.", "R EH1 K ER0 D"),
        ("They object to it.", "AH0 B JH EH1 K T"),
        ("I live here.", "L IH1 V"),
        ("The live music hall.", "L AY1 V"),
        ("The wind is strong.", "W IH1 N D"),
        ("You have to wind the clock.", "W AY1 N D"),
        ("I will read it.", "R IY1 D"),
        ("I have read it.", "R EH1 D"),
        ("Use five spoons.", "Y UW1 Z"),
        ("The use of it.", "Y UW1 S"),
        ("Close the door.", "K L OW1 Z"),
        ("We are close to it.", "K L OW1 S"),
        ("I used to go.", "Y UW1 S T"),
        ("It is used to go.", "Y UW1 Z D"),
        ("Record now.", "R IH0 K AO1 R D"),
        ("Farms produce more.", "P R AH0 D UW1 S"),
        ("Fresh produce is here.", "P R OW1 D UW0 S"),
        ("Anna lives upstairs.", "L IH1 V Z"),
        ("The cat lives outside.", "L IH1 V Z"),
        ("Alarms save lives.", "L AY1 V Z"),
        ("The Millers live nearby.", "L IH1 V"),
        ("The game is live.", "L AY1 V"),
        ("Remove the lead paint.", "L EH1 D"),
        ("A cup made of lead.", "L EH1 D"),
        ("These wires lead outside.", "L IY1 D"),
        ("Our team is in the lead.", "L IY1 D"),
        ("The tent has a tear.", "T EH1 R"),
        ("Please do not tear it.", "T EH1 R"),
        ("A tear ran down her cheek.", "T IH1 R"),
        ("Dad read the letter.", "R EH1 D"),
        ("The card could not be read.", "R EH1 D"),
        ("Mail marked as read.", "R EH1 D"),
        ("Did they read it?", "R IY1 D"),
        ("You have a letter to read.", "R IY1 D"),
        ("The shops close early.", "K L OW1 Z"),
        ("Snow is close.", "K L OW1 S"),
        ("An object is on the stairs.", "AA1 B JH EH0 K T"),
        ("Nobody will object.", "AH0 B JH EH1 K T"),
    ],
)
def test_a_homograph_is_read_by_its_neighbours(sentence: str, word: str) -> None:
    """Verb or not decides between the two readings."""
    assert f" {word} " in f" {say(sentence)} "


@pytest.mark.parametrize(
    ("word", "phonemes"),
    [
        ("zero", "Z IY1 R OW0"),
        ("twenty-seven", "T W EH1 N T IY0 S EH1 V AH0 N"),
        ("dog's", "D AO1 G Z"),
        ("cat's", "K AE1 T S"),
        ("fox's", "F AA1 K S AH0 Z"),
        ("raincloudmachine", "R EY1 N K L AW1 D M AH0 SH IY1 N"),
        ("mqt", "EH1 M K Y UW1 T IY1"),
        ("ios", "AY1 OW1 EH1 S"),
        ("persimmon", "P ER1 S IH0 M AH0 N"),
        ("tshirt", "T IY1 SH ER1 T"),
    ],
)
def test_words_are_found_spelled_split_or_predicted(word: str, phonemes: str) -> None:
    """A word is looked up, split, spelled when short, and predicted as the last resort."""
    assert pronounce(word) == phonemes.split()


@pytest.mark.parametrize(
    ("word", "phonemes"),
    [
        ("thermostats", "TH ER1 M AH0 S T AE2 T S"),
        ("hummed", "HH AH1 M D"),
        ("dimming", "D IH1 M IH0 NG"),
        ("organised", "AO1 R G AH0 N AY2 Z D"),
        ("favourites", "F EY1 V ER0 IH0 T S"),
        ("preheat", "P R IY0 HH IY1 T"),
        ("who'd", "HH UW1 D"),
        ("shouldn't've", "SH UH1 D AH0 N T AH0 V"),
        ("windowsill", "W IH1 N D OW0 S IH1 L"),
        ("JSON", "JH EY1 S AA2 N"),
    ],
)
def test_a_known_word_explains_an_unknown_one(word: str, phonemes: str) -> None:
    """Endings, prefixes, contractions, British spelling and halves are found before the network predicts."""
    assert pronounce(word) == phonemes.split()


def test_a_title_makes_no_pause() -> None:
    """The full stop of a title is no mark, and the name follows at once."""
    assert "." not in phonemize(normalize("Mr. Hall and Mrs. Hill"))[0]


def test_marks_letters_and_articles() -> None:
    """Marks are phonemes; capital A is the letter and small a the article; short text gets a pause in front."""
    assert say("A is a letter, yes!").startswith("EY1 IH1 Z AH0 L")
    assert say("Hi.") == ", HH AY1 ."
    assert say("It's 'fine'.") == "IH1 T S - F AY1 N - ."


def test_compounds_split_at_the_likeliest_place() -> None:
    """Words that were run together come apart; a word stays whole."""
    assert split_compound("housekeybox") == ["house", "key", "box"]
    assert split_compound("fortytwo") == ["forty", "two"]
    assert split_compound("windowsill") == ["windowsill"]
    assert "".join(split_compound("ab" * 100)) == "ab" * 100


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz'-", min_size=2, max_size=30))
def test_any_word_has_known_phonemes(word: str) -> None:
    """Whatever the letters, every phoneme is a symbol of the model."""
    assert set(pronounce(word)) <= symbol_ids().keys()
    assert set(predict(word)) <= symbol_ids().keys()


@given(st.dictionaries(st.text(alphabet="abc' ", min_size=1), st.text(alphabet="xyz ", max_size=5), max_size=50))
def test_a_packed_table_answers_like_a_dictionary(rows: dict[str, str]) -> None:
    """Bisection finds every key and nothing else, in empty and small tables too."""
    lines = sorted(f"{k}\t{v}".encode() for k, v in rows.items())
    table = SortedTable(b"\n" + b"".join(line + b"\n" for line in lines))
    for key in [*rows, "a", "c ", "zz", ""]:
        assert table.get(key) == rows.get(key)


def test_homographs_are_read_by_the_words_around() -> None:
    """Every bracketed word of `en_readings.txt` has its reading; reduced vowels may differ."""
    lines = (Path(__file__).parent / "data" / "en_readings.txt").read_text(encoding="utf-8").splitlines()[1:]
    wrong = []
    for line in lines:
        marked, _, wanted = line.partition("|")
        phonemes, _ = phonemize(normalize(marked.replace("[", "").replace("]", "")))
        if f" {reduced(wanted)} " not in f" {reduced(' '.join(phonemes))} ":
            wrong.append(line)
    assert wrong == []


def reduced(phonemes: str) -> str:
    """With one kind of weak vowel, and no secondary stress."""
    return re.sub("(?:AH|IH|IY)0", "AH0", phonemes.replace("2", "0"))
