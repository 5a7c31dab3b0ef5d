"""Content rules: what they find in spite of spelling tricks, what they leave alone, and where a tone stands for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.config import ContentRule
from edge_tts.errors import ConfigError, ContentError
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.spoken_rules import SpokenRules, digest_of

WORDS = ["hell", "damn", "bloody hell", "asshole", "therapist", "god", "can't", "shit", "坏话", "操你妈", "hello"]


def front_end(*rules: dict[str, Any]) -> TextFrontEnd:
    return TextFrontEnd(rules=SpokenRules([ContentRule(**{"name": "rule", **rule}) for rule in rules]))


PLAIN = front_end({"action": "report", "words": WORDS[:-1]})
GREETING = front_end({"action": "report", "words": ["hello"]})
BY_SOUND = front_end({"action": "report", "words": ["hell", "坏话", "操你妈", "屎"], "sounds_like": True})
PATTERN = front_end({"action": "report", "patterns": [r"\bsecrets?\b", "机.密"]})


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hello",
            "HELLO!",
            "Ｈｅｌｌｏ",
            "h3ll0",
            "h3ll0!",
            "h e l l o",
            "h.e.l.l.o",
            "h-e-l-l-o",
            "h_e_l_l_o",
            "hel lo",
        ),
        *("he llo", "h\u200bel\u200dlo", "he\u00adllo", "h\u0301e\u0308llo\u0336", "héllö", "hеllо", "НЕLLО"),
        *(
            "ʜᴇʟʟᴏ",
            "ⓗⓔⓛⓛⓞ",
            "𝓱𝓮𝓵𝓵𝓸",
            "🅷🅴🅻🅻🅾",
            "🇭🇪🇱🇱🇴",
            "ḩełłø",
            "heeelllooo",
            "hellooooo",
            "h*llo",
            "he11o",
            "h€llo",
            "|-|hello",
        ),
        *("h  e  l  l  o", "h\ne\nl\nl\no", "hel\u2063lo", "h'e'l'l'o", "say:hello,you", "h3 ll0", "ᕼello"),
    ],
)
def test_a_disguised_word_is_found(text: str) -> None:
    """Widths, styles, accents, look-alikes, invisible and drawn out letters, digits, signs, blanks: it is `hello`."""
    assert GREETING.check(f"I say {text} to you.") == ("rule",)


@pytest.mark.parametrize("text", ["壞話", "坏 话", "坏*话", "坏\u200b话", "坏-话", "坏，话", "説坏话"])
def test_a_disguised_word_of_ideographs_is_found(text: str) -> None:
    """Traditional characters, and what stands between them."""
    assert PLAIN.check(f"他说{text}。") == ("rule",)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Shell, class and Scunthorpe.",
            "He'll go, she'll stay, we'll see.",
            "He’ll go.",
            "The rapist was caught.",
            "Good, goood!",
        ),
        *(
            "I wish it were so.",
            "Push it.",
            "$100 and 5",
            "cant of hypocrites",
            "别说话",
            "他很坏。话很多。",
            "坏人说话",
            "as sheet",
            "",
        ),
    ],
)
def test_other_words_pass(text: str) -> None:
    """A word inside another, a contraction, ordinary words side by side, a word with a letter twice."""
    assert PLAIN.check(text) == ()


@pytest.mark.parametrize(
    "text", ["ass hole", "bloody h3ll", "bloodyhell", "$h!t", "5h1t", "s h 1 t", "sh it", "can't", "goddd"]
)
def test_more_tricks(text: str) -> None:
    """Parts that sound like the word, phrases written together, signs for several letters, contractions of the list."""
    assert PLAIN.check(f"oh {text} now") == ("rule",)


@pytest.mark.parametrize("text", ["怀话", "草泥马", "曹尼马", "拉屎", "helle", "坏huà".replace("huà", "化")])
def test_words_are_found_by_their_sound_where_that_is_asked_for(text: str) -> None:
    """Syllables without tones, a single ideograph with its tone, and phonemes without stress."""
    assert BY_SOUND.check(f"这 {text}") == ("rule",)
    assert BY_SOUND.check("四个人，hello, hall") == ()


def test_the_spoken_form_counts() -> None:
    """Numbers, units and what the lexicon respells are met as they are heard, and bleeped where they are written."""
    rule = {"action": "bleep", "words": ["one hundred dollars", "一百块"]}
    end = front_end(rule)
    assert end.check("I owe you $100.") == ("rule",)
    assert end.check("给我100块。") == ("rule",)
    assert end.check("I owe you $200.") == ()
    pieces = end.segments("You owe me $100, not $200, and one hundred dollars.", "en", ruled=True)
    assert [bool(piece.bleeped) for piece in pieces] == [False, True, False, True]
    said = " ".join(piece.normalized for piece in pieces)
    assert "two hundred dollars" in said
    assert "one hundred" not in said
    respelled = TextFrontEnd(
        lexicon={"en": {"Foobar": "damn"}}, rules=SpokenRules([ContentRule(name="x", words=("damn",))])
    )
    with pytest.raises(ContentError, match="'x'"):
        respelled.check("That is Foobar.", "en")


def test_patterns_are_searched_in_undisguised_text() -> None:
    """In lower case, without look-alikes, digits for letters, and blanks between letters."""
    for text in ("A SECRET here", "s3cret!", "s e c r e t s", "ѕесrеt", "seeeecret", "這是機!密", "机要密"):
        assert PATTERN.check(text) == ("rule",), text
    assert PATTERN.check("secretary, 机密") == ()


def test_a_pattern_cannot_hang() -> None:
    """What would take a backtracking engine for ever is found, or not, in one pass; what would need one is refused."""
    end = front_end({"action": "report", "patterns": ["(a+)+$", "(x*x*x*)*y"]})
    assert end.check("a" * 5000 + "b") == ()
    for wrong, why in ((r"(?=a)", "invalid perl operator"), ("(", "missing"), ("(a{1000}){1000}", "repetition")):
        with pytest.raises(ConfigError, match=f"content.rules: rule: .*{why}.*look-around"):
            front_end({"patterns": [wrong]})


def test_a_list_is_read_and_its_change_is_noticed(tmp_path: Path) -> None:
    """A word a line, remarks left out; what cannot be read is named; the phrase cache sees other words."""
    path = tmp_path / "words.txt"
    path.write_text("# mine\nhello   # a greeting\n\n坏话\n", encoding="utf-8-sig")
    end = front_end({"action": "report", "file": path})
    assert (end.check("Hello."), end.check("坏话"), end.check("mine, greeting")) == (("rule",), ("rule",), ())
    rule = ContentRule(name="x", file=path)
    before = digest_of([rule])
    path.write_text("other\n")
    assert digest_of([rule]) != before
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"rule: .*words.txt is not UTF-8"):
        front_end({"file": path})
    with pytest.raises(ConfigError, match=r"rule: .*nowhere.txt cannot be read"):
        front_end({"file": tmp_path / "nowhere.txt"})


def test_a_rule_for_a_language_is_for_its_letters() -> None:
    """`sb` is a word of a Mandarin list only where there is Mandarin."""
    end = front_end(
        {"action": "report", "language": "zh", "words": ["sb"]},
        {"name": "en", "action": "report", "language": "en", "words": ["you"]},
    )
    assert end.check("SB for somebody and you") == ("en",)
    assert end.check("你是sb") == ("rule",)


def test_a_refusal_names_the_rule_and_not_the_text() -> None:
    """Also inside a document, and in an alias that is spoken."""
    end = front_end({"name": "rude words", "words": ["damn"]})
    for text, ssml in (("oh d4mn it", False), ("<speak>oh <sub alias='damn'>well</sub></speak>", True)):
        with pytest.raises(ContentError) as refused:
            end.check(text, ssml=ssml)
        assert str(refused.value) == "the rule 'rude words' of content.rules refuses the text"
        assert refused.value.details == {"rule": "rude words"}
        with pytest.raises(ContentError):
            end.segments(text, ssml=ssml, ruled=True)
    assert end.segments("oh damn it")  # a transcript of a recording is no text to say


def test_a_tone_stands_for_a_word() -> None:
    """As many phonemes as the word has, at its place, at the document's rate; nothing of the word is left."""
    end = front_end({"action": "bleep", "words": ["damn"]})
    before, tone, after = end.segments("That was a d a m n good show.", "en", ruled=True)
    assert (before.bleeped, after.bleeped) == (0, 0)
    assert tone.bleeped >= 3
    assert (len(tone.phoneme_ids), tone.text, tone.runs) == (0, "", ())
    assert re.sub(r"\W", "", before.normalized + after.normalized) == "Thatwasagoodshow"
    (only,) = end.segments("Damn!", "en", ruled=True)
    assert only.bleeped == 3
    fast = end.segments("<speak>A <prosody rate='2'>damn</prosody> word.</speak>", "en", ssml=True, ruled=True)
    assert [(bool(piece.bleeped), piece.rate) for piece in fast] == [(False, 1.0), (True, 2.0), (False, 1.0)]


@given(st.text(alphabet=st.characters() | st.sampled_from("hel o3$*坏话'-."), max_size=60))
def test_any_text_is_judged(text: str) -> None:
    """Nothing raises, and every hit lies within the text."""
    rules = SpokenRules([ContentRule(name="a", words=("hello", "坏话"), patterns=("h.l",), sounds_like=True)])
    for hit in rules.find(text, []):
        assert 0 <= hit.start < hit.end <= len(text)
    front_end({"action": "bleep", "words": ["hello"], "patterns": ["h.l"]}).check(text)


def test_a_rule_about_nothing_is_refused() -> None:
    """What has no words, or a word without letters, is named."""
    with pytest.raises(ConfigError, match=r"rule: there are neither words nor patterns"):
        front_end({})
    with pytest.raises(ConfigError, match=r"rule: '!!!' is no word"):
        front_end({"words": ["fine", "!!!"]})


@pytest.mark.parametrize(
    "text", ["**he**llo", "h*e*l*l*o", "he|llo", "he_llo", "h+e+l+l+o", "he~llo", "he&#8203;llo", "he<b>ll</b>o"]
)
def test_signs_within_a_word_hide_nothing(text: str) -> None:
    """Markdown, HTML and other signs that nobody says."""
    assert GREETING.check(f"I say {text}.") == ("rule",)


def test_parts_that_are_tied_are_one_word() -> None:
    """Two ordinary words with a hyphen or a dot between them, and no blank."""
    for text in ("the-rapist", "the.rapist", "the_rapist", "the\u2063rapist"):
        assert PLAIN.check(f"a {text} here") == ("rule",), text
    assert PLAIN.check("the rapist, the - rapist") == ()


def test_markup_takes_no_word_apart() -> None:
    """Elements of a document within a word: found, and a tone stands for each part."""
    end = front_end({"action": "bleep", "words": ["hello"], "patterns": ["s e c"]})
    document = "<speak>Say he<break time='1ms'/>l<prosody rate='2'>lo</prosody> now.</speak>"
    assert end.check(document, "en", ssml=True) == ("rule",)
    pieces = end.segments(document, "en", ssml=True, ruled=True)
    assert [bool(piece.bleeped) for piece in pieces] == [False, True, True, True, False]
