"""Words that are added while the device runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_tts.errors import TextError
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.lexicon_file import MOST_WORDS, LexiconFile


def said(front_end: TextFrontEnd, text: str) -> str:
    """Phonemes of an English text."""
    return " ".join(p for run in front_end.runs(text, "en") for p in run.phonemes)


def test_a_word_is_taken_up_by_who_speaks_already(tmp_path: Path) -> None:
    """Another process adds and removes a word: the next text is read with it, and without it."""
    front_end = TextFrontEnd(lexicon=LexiconFile(tmp_path / "state" / "lexicon.json", {}).lexicon)
    before = said(front_end, "Aoife is here.")
    LexiconFile(tmp_path / "state" / "lexicon.json", {}).add("en", "Aoife", "EE fa")
    assert said(front_end, "Aoife is here.").startswith("IY1 F AH0 IH1 Z")
    LexiconFile(tmp_path / "state" / "lexicon.json", {}).remove("aoife")
    assert said(front_end, "Aoife is here.") == before


def test_an_added_word_goes_before_a_configured_one_of_any_case(tmp_path: Path) -> None:
    """One word has one pronunciation, the one that was added last."""
    lexicon = LexiconFile(tmp_path / "lexicon.json", {"en": {"AOIFE": "K IY1"}})
    lexicon.add("en", "Aoife", "T IY1")
    lexicon.add("en", "aoife", "EE fa")
    assert lexicon.added() == {"en": {"aoife": "EE fa"}}
    assert said(TextFrontEnd(lexicon=lexicon.lexicon), "see Aoife now") == "S IY1 IY1 F AH0 N AW1"


@pytest.mark.parametrize("text", ["Aoife's room", "AOIFE'S ROOM"])
def test_a_name_keeps_its_sound_in_capitals_and_as_owner(tmp_path: Path, text: str) -> None:
    """A possessive is made from the owner's phonemes, and capitals are no letters."""
    lexicon = LexiconFile(tmp_path / "lexicon.json", {"en": {"Aoife": "EE fa"}})
    assert said(TextFrontEnd(lexicon=lexicon.lexicon), text) == "IY1 F AH0 Z R UW1 M"


def test_no_pause_stands_behind_the_last_word(tmp_path: Path) -> None:
    """The rest of a sentence that is only a full stop gets no pause of its own."""
    lexicon = LexiconFile(tmp_path / "lexicon.json", {"en": {"Aoife": "EE fa"}})
    assert said(TextFrontEnd(lexicon=lexicon.lexicon), "Dinner with Aoife.").endswith("IY1 F AH0 .")


def test_what_was_not_added_cannot_be_removed(tmp_path: Path) -> None:
    """The message says what was added, or that the word is in the configuration."""
    lexicon = LexiconFile(tmp_path / "lexicon.json", {"en": {"Nginx": "engine x"}})
    lexicon.add("en", "Aoife", "EE fa")
    with pytest.raises(TextError, match="added: Aoife"):
        lexicon.remove("Eva")
    with pytest.raises(TextError, match=r"is in text\.lexicon of the configuration"):
        lexicon.remove("nginx")


def test_a_damaged_file_is_told_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Speech goes on with the words before, a change is refused, and nothing is overwritten."""
    path = tmp_path / "lexicon.json"
    lexicon = LexiconFile(path, {})
    lexicon.add("en", "Aoife", "EE fa")
    front_end = TextFrontEnd(lexicon=lexicon.lexicon)
    assert said(front_end, "Aoife is here.").startswith("IY1 F AH0 IH1 Z")
    path.write_text('{"words": {"en": {"Aoife": "IY1 QQ1"}')
    assert said(front_end, "Aoife is here.").startswith("IY1 F AH0 IH1 Z")
    assert said(front_end, "Aoife is here.").startswith("IY1 F AH0 IH1 Z")
    assert len(caplog.records) == 1
    with pytest.raises(TextError, match=r"lexicon\.json"):
        lexicon.add("en", "Eva", "AY va")
    assert path.read_text().endswith('"IY1 QQ1"}')


def test_the_number_of_words_is_bounded(tmp_path: Path) -> None:
    """One more than there is room for is refused; one that is there already can be changed."""
    path = tmp_path / "lexicon.json"
    words = ", ".join(f'"w{number}": "word"' for number in range(MOST_WORDS))
    path.write_text('{"words": {"en": {' + words + "}}}")
    lexicon = LexiconFile(path, {})
    with pytest.raises(TextError, match=str(MOST_WORDS)):
        lexicon.add("en", "more", "or less")
    lexicon.add("en", "w1", "other")
