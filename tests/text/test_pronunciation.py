"""How a person may write a pronunciation, and what is said to a mistake."""

from __future__ import annotations

import pytest

from edge_tts.errors import TextError
from edge_tts.text.pronunciation import check_entry, language_of

READ = [
    ("Aoife", "EE fa", "IY1 F AH0"),
    ("Aoife", "ee-fa", "IY1 F AH0"),
    ("Siobhan", "shi VAWN", "SH IY0 V AO1 N"),
    ("Karen", "K AA1 R IH0 N", "K AA1 R IH0 N"),
    ("Oh", "/OW1/", "OW1"),
    ("重庆", "chong2 qing4", "ch ong2 q ing4"),
    ("重庆", "chóng qìng", "ch ong2 q ing4"),
    ("绿", "lǜ", "l v4"),
    ("iPhone", "engine x", "engine x"),
    ("GPT", "G P T", "G P T"),
    ("lamp", "LED lamp", "LED lamp"),
    ("重庆", "虫庆", "虫庆"),
]


@pytest.mark.parametrize(("word", "written", "read"), READ)
def test_phonemes_pinyin_syllables_and_other_words_are_told_apart(word: str, written: str, read: str) -> None:
    """Each way to write a pronunciation is read as what it is."""
    found = check_entry(language_of(word), word, written)
    assert (found if isinstance(found, str) else " ".join(found)) == read


def test_what_is_read_instead_is_text_and_no_phonemes() -> None:
    """Letters and words stay text, for the language to read."""
    assert isinstance(check_entry("en", "GPT", "G P T"), str)
    assert isinstance(check_entry("en", "Nginx", "engine x"), str)


@pytest.mark.parametrize(
    ("word", "written", "told"),
    [
        ("Aoife", "IY1 F AX0", "'AX0' is no v2 phoneme, the nearest: A"),
        ("Aoife", "/IY F/", "'IY' is no v2 phoneme, the nearest: IY"),
        ("重庆", "chong2 qing6", "no tone from 1 to 5"),
        ("重庆", "chong2 qingg4", "'qingg4' is no pinyin, the nearest: qing4"),
        ("重庆", "chong qing", "has no tones"),
        ("重庆", "chong2", "2 characters in '重庆', 1 syllables"),
        ("重庆", "Chicago", "'chicago' is no pinyin"),
        ("Aoife", "!", "needs a letter or digit"),
        ("?", "question", "is no word"),
        ("A\nB", "ab", "control characters"),
        ("a" * 65, "ab", "at most 64 characters"),
        ("a", "b" * 201, "its pronunciation 200"),
    ],
)
def test_a_mistake_is_called_by_its_name(word: str, written: str, told: str) -> None:
    """What is added is checked against phonemes and syllables, and the nearest right ones are named."""
    with pytest.raises(TextError) as refused:
        check_entry(language_of(word), word, written)
    assert told in str(refused.value)


def test_a_language_that_nobody_speaks_here_is_refused() -> None:
    """The languages there are, are named."""
    with pytest.raises(TextError, match="one of en, zh"):
        check_entry("ja", "x", "y")
