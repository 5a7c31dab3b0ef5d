"""The owner's pronunciations override everything, in every language, and are checked when they are read."""

from __future__ import annotations

import pytest

from edge_tts.errors import TextError
from edge_tts.text.front_end import TextFrontEnd


def phonemes(front_end: TextFrontEnd, text: str, language: str) -> str:
    """All phonemes of a text, blank-separated."""
    return " ".join(p for run in front_end.runs(text, language) for p in run.phonemes)


def test_phonemes_and_respellings_replace_english_words() -> None:
    """Names match whole and in any case, with what follows them; other words are left alone."""
    front_end = TextFrontEnd(
        lexicon={"en": {"Aoife": "IY1 F AH0", "Nginx": "engine x", "GPT-SoVITS": "/JH IY1 S OW1/"}}
    )
    assert "IY1 F AH0 IH1 Z" in phonemes(front_end, "My friend aoife is here.", "en")
    assert "IY1 F AH0 Z" not in phonemes(front_end, "The aoifest of all.", "en")
    assert phonemes(front_end, "Restart nginx now.", "en") == phonemes(front_end, "Restart engine x now.", "en")
    assert "JH IY1 S OW1 IH1 Z" in phonemes(front_end, "Here GPT-SoVITS is known.", "en")


def test_phonemes_keep_mandarin_aligned() -> None:
    """The phonemes of a Mandarin word replace those of its characters, and word2ph still sums up."""
    front_end = TextFrontEnd(lexicon={"zh": {"单于": "chan2 yv2", "乐乐": "/l e4/", "小艾": "小爱"}})
    (run,) = front_end.runs("单于和乐乐来了。", "zh")
    assert run.word2ph is not None
    assert " ".join(run.phonemes).startswith("ch an2 y v2 h e2 l e4 l ai2")
    assert sum(run.word2ph) == len(run.phonemes)
    assert len(run.word2ph) == len(run.normalized)
    assert phonemes(front_end, "小艾你好啊。", "zh") == phonemes(front_end, "小爱你好啊。", "zh")


def test_the_longest_entry_wins() -> None:
    """Where one entry begins like another, the longer one is meant, in whatever order they are written."""
    said = TextFrontEnd(lexicon={"en": {"New": "/B IY1/", "New Ark": "/K UW1 P/", "Ark": "/D IY1/"}})
    assert "K UW1 P" in phonemes(said, "We saw New Ark today.", "en")
    written = TextFrontEnd(lexicon={"en": {"Box": "crate", "Box Hill": "the station", "Hill": "mount"}})
    assert phonemes(written, "At Box Hill now.", "en") == phonemes(written, "At the station now.", "en")
    mandarin = TextFrontEnd(lexicon={"zh": {"长": "zhang3", "长乐": "chang2 yue4", "小": "大", "小艾": "小爱"}})
    (run,) = mandarin.runs("到长乐去看看。", "zh")
    assert "ch ang2 y ve4" in " ".join(run.phonemes)
    assert phonemes(mandarin, "小艾你好啊。", "zh") == phonemes(TextFrontEnd(), "小爱你好啊。", "zh")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"en": {"x": "/K AA9 T/"}}, "'AA9' is no v2 phoneme"),
        ({"en": {"x": "  "}}, "must not be empty"),
        ({"en": {" ": "K AA1"}}, "must not be empty"),
    ],
)
def test_a_bad_entry_is_refused(entries: dict[str, dict[str, str]], message: str) -> None:
    """The error names the language, the word and what is wrong with it."""
    with pytest.raises(TextError, match=message):
        TextFrontEnd(lexicon=entries)
