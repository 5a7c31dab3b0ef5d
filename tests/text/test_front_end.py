"""The whole front end: any string gives speakable segments, and the steps hang together."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from counting import steps
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_tts.errors import TextError
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.reader import Reader
from edge_tts.text.symbols import symbol_ids, symbols, to_ids
from edge_tts.values import Segment

FRONT_END = TextFrontEnd()
HOSTILE = (
    "0123456789.,:/-%$€°CFkmh ~～年月日点分第的了一二两a.m.pPM+=×()（）[]<>@#&。，？！…—'\"＄℃①½²αяの한\u200b\ud800\x00"
)


def check(segments: list[Segment]) -> None:
    """Each segment has phonemes, all of them symbols, with ids and alignment that agree."""
    for segment in segments:
        assert set(segment.phonemes) <= symbol_ids().keys()
        assert np.array_equal(segment.phoneme_ids, to_ids(segment.phonemes))
        assert segment.phoneme_ids.dtype == np.int64
        assert segment.phoneme_ids.size
        for run in segment.runs:
            if run.word2ph is not None:
                assert len(run.word2ph) == len(run.normalized)
                assert sum(run.word2ph) == len(run.phonemes)


@settings(deadline=None)
@given(
    st.text(max_size=150) | st.text(alphabet=HOSTILE, max_size=80),
    st.sampled_from(["auto", "en", "zh", "all_zh"]),
    st.sampled_from(["auto", "cut0", "cut1", "cut2", "cut3", "cut4", "cut5"]),
)
def test_any_string_gives_segments_or_a_reason(text: str, language: str, split: str) -> None:
    """Arbitrary Unicode gives a list of sound segments or an error; an empty list has a reason."""
    with suppress(TextError):
        segments = FRONT_END.segments(text, language, split=split)
        check(segments)
        assert segments or FRONT_END.explain_empty(text)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from("hello world kitchen light 你好 客厅 灯 3 12.5 7:30 5kg".split()), min_size=1, max_size=12)
)
def test_no_readable_word_is_dropped(words: list[str]) -> None:
    """Every word of a mixed text is found in what is said, or its number in words is."""
    said = " ".join(s.normalized for s in FRONT_END.segments(" ".join(words), "auto"))
    for word in words:
        if word.isalpha():
            assert word in said.replace(" ", "") or word in said


@settings(deadline=None, max_examples=10)
@given(st.text(alphabet=HOSTILE, min_size=1, max_size=4), st.sampled_from(["auto", "en", "zh"]))
def test_the_work_grows_with_the_length_and_no_faster(unit: str, language: str) -> None:
    """Four times the text takes four times the steps, and a few, whatever is repeated."""

    def read(text: str) -> None:
        with suppress(TextError):
            FRONT_END.segments(text, language)

    short, long = unit * 250, unit * 1000  # beyond the lengths that one piece may have
    for text in (short, long):
        read(text)  # tables are read, and words are remembered, once
    work = [steps(lambda text=text: read(text)) for text in (short, long)]
    assert work[1] <= 5 * work[0] + 2000


def test_short_sentences_alone() -> None:
    """Where sentences are not joined, each is a segment of its own, however few phonemes it has."""
    spoken = FRONT_END.segments("Ten. Nine. One. Hi. Go!", "en", join=False)
    assert [segment.normalized.strip(" .!") for segment in spoken] == ["Ten", "Nine", "One", "Hi", "Go"]


@pytest.mark.parametrize("join", [True, False])
def test_a_piece_ends_with_its_own_mark(join: bool) -> None:
    """Where a sentence is cut at a clause, the blank behind its mark is none of the piece: no second mark is added."""
    text = "After she answered the phone, the little girl put the green umbrella in the hall, and laughed. Good night."
    segments = FRONT_END.segments(text, "en", join=join)
    assert len(segments) > 1
    assert [s.text for s in segments if s.text != s.text.strip() or s.text[-2] in ", "] == []


def test_ten_thousand_characters_at_once() -> None:
    """A very long text is cut into pieces of a bounded number of phonemes, all of it."""
    text = ("客厅的灯已经打开了，温度是25度。The kettle has boiled at 7:30. " * 300)[:10000]
    segments = FRONT_END.segments(text, "auto")
    check(segments)
    assert max(s.phoneme_ids.size for s in segments) < 250
    assert sum("客厅" in s.normalized for s in segments) > 150


def test_short_text_gets_a_full_stop_in_front() -> None:
    """Under six phonemes a piece is spoken with a mark before it, once."""
    assert FRONT_END.runs("开灯", "zh")[0].phonemes[0] == "."
    assert FRONT_END.runs("Hi.", "en")[0].normalized == ". Hi."
    assert FRONT_END.runs("我知道了。", "zh")[0].phonemes[0] == "w"


def test_nothing_to_say_has_a_reason() -> None:
    """Empty text, marks and emoji give no segment, and each its reason."""
    for text, reason in (("", "empty"), (" \n", "empty"), ("😀!?", "no letter or digit"), ("", "empty")):
        assert FRONT_END.segments(text) == []
        assert reason in FRONT_END.explain_empty(text)


def test_unknown_options_are_refused() -> None:
    """A wrong language or split is an error that lists the right ones."""
    with pytest.raises(TextError, match="one of auto"):
        FRONT_END.segments("x", "klingon")
    with pytest.raises(TextError, match="one of auto, cut0"):
        FRONT_END.segments("x", split="cut9")
    with pytest.raises(TextError, match=r"Japanese \(all_ja\) is not supported yet"):
        FRONT_END.segments("x", "all_ja")


def test_another_module_may_speak_a_language() -> None:
    """A language module that is passed in replaces the built-in one, say one with a polyphone model."""

    class Beep:
        def normalize(self, text: str) -> str:
            return "哔"

        def phonemize(self, normalized: str) -> tuple[list[str], list[int] | None]:
            return ["b", "i1"], [2]

    (segment,) = TextFrontEnd(languages={"zh": Beep()}).segments("随便说点什么", "zh")
    assert segment.phonemes == ("b", "i1")


def test_the_symbol_table_is_the_models() -> None:
    """732 symbols, each once; a symbol that is not there becomes UNK."""
    assert len(symbols()) == len(set(symbols())) == 732
    assert symbols()[86] == "UNK"
    assert symbols()[95] == "_"
    assert to_ids(["a1", "nonsense"]).tolist() == [symbols().index("a1"), 86]


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("21.0", "en", ". twenty-one point zero."),
        ("0", "en", ". zero."),
        ("21.0 degrees", "auto", ". twenty-one point zero degrees."),
        ("It&#39;s <b>on</b> &amp; warm.", "en", "It's on and warm."),
        ('See <a href="https://a.org/?b">this</a>.<br />Now!', "en", "See this. Now!"),
        ("if a <b and c> d then stop", "en", "if a less than b and c greater than d then stop."),
        ("Next: 2026-11-22T16:05:00+00:00", "en", "Next November twenty-second, twenty twenty-six, four oh five p.m."),
        ("下次：2026-11-22T16:05:00+00:00", "zh", ".下次,二零二六年十一月二十二日,十六点零五分."),
        ("Ready in 1h30min", "en", "Ready in one hour thirty minutes."),
        ("请到B2层", "zh", "请到 B 二层."),
        ("请到2层", "zh", "请到两层."),
    ],
)
def test_what_programs_write_is_said_as_meant(text: str, language: str, said: str) -> None:
    """A bare state, an entity, a tag, a time stamp: a guard mark is no decimal point, and no sign is read out."""
    segments = FRONT_END.segments(text, language)
    assert " ".join(run.normalized for s in segments for run in s.runs) == said


def test_the_query_of_an_address_stays_in_one_piece() -> None:
    """The question mark of an address ends no sentence; that of a question does."""
    pieces = [
        s.text for s in FRONT_END.segments("Where? Visit www.example.com/shop?item=42 and look around today.", "en")
    ]
    assert any("shop?item=42" in piece for piece in pieces)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("K528次晚点", "K五二八次晚点"),
        ("乘坐MU5101", "乘坐M U五幺零幺"),
        ("航班CA1302。", "航班C A幺三零二."),
        ("D301次到站", "D三零幺次到站"),
        ("1:00", ".一点"),
        ("PIN是2468", "pin是二四六八"),
    ],
)
def test_letters_in_front_make_a_number_a_name(text: str, spoken: str) -> None:
    """A number behind the letters of a train, a flight or a PIN is said digit by digit in Mandarin."""
    assert "".join(run.normalized for run in TextFrontEnd().runs(text, "zh")) == spoken


def said(text: str, *, language: str = "auto", **reader: Any) -> list[tuple[str, str]]:
    """(language, spoken form) of each run, a sentence to a segment."""
    segments = FRONT_END.read_by(Reader(**reader)).segments(text, language, join=False)
    return [(run.language, run.normalized.strip(" .")) for s in segments for run in s.runs]


@pytest.mark.parametrize(
    ("text", "language", "languages", "home", "spoken"),
    [
        ("1750 W", "auto", ("en",), "en", [("en", "one thousand, seven hundred fifty watts")]),
        ("1750 W", "zh", ("en",), "en", [("en", "one thousand, seven hundred fifty watts")]),
        ("1750 W", "auto", ("zh", "en"), "zh", [("zh", "一千七百五十瓦")]),
        ("42", "auto", ("zh", "en"), "en", [("en", "forty-two")]),
        ("12:30, 5 A, 45 %", "auto", ("zh",), "zh", [("zh", "十二点半,五安,百分之四十五")]),
    ],
)
def test_numbers_alone_are_read_as_in_the_house(
    text: str, language: str, languages: tuple[str, ...], home: str, spoken: list[tuple[str, str]]
) -> None:
    """A sensor's bare value is spoken in the language of the voice, and never refused for its unit."""
    assert said(text, language=language, languages=languages, home=home) == spoken


def test_numbers_between_sentences_are_read_as_their_neighbours() -> None:
    """A piece of numbers in a longer text takes the language of the words before it, or of the first words."""
    pieces = said("25 °C. It is a warm day outside. 45 %. 今天天气很好，出去走走吧。30 °C。", home="zh")
    assert [language for language, _ in pieces] == ["en", "en", "en", "zh", "zh"]


@pytest.mark.parametrize(
    ("text", "languages", "left_out"),
    [
        ("Good morning, Иван. Breakfast is ready in the kitchen.", ("en",), "Иван (Cyrillic"),
        ("Dinner is at seven, 안녕, come down to the kitchen please.", ("zh", "en"), "안녕 (Korean (ko)"),
        ("Tell 小明 that dinner is ready in the kitchen.", ("en",), "小明 (zh"),
        ("今天晚上我们在家里看电影，大家都来吧。さよ。", ("zh", "en"), "さよ (Japanese (ja)"),
        ("The door is open (ツ), please close it.", ("en",), "ツ (Japanese (ja)"),
    ],
)
def test_a_small_part_that_nobody_reads_is_left_out(text: str, languages: tuple[str, ...], left_out: str) -> None:
    """A name in another script is skipped with a warning that quotes it, and never spoken as noise."""
    warnings: list[str] = []
    runs = said(text, languages=languages, home=languages[0], name="the model set toy", warn=warnings.append)
    assert {language for language, _ in runs} <= set(languages)
    assert warnings == [f"left out: {left_out}, which the model set toy does not speak)"]


@pytest.mark.parametrize(
    ("text", "language", "named"),
    [
        ("Привет, как дела?", "auto", "Cyrillic"),
        ("مرحبا", "en", "Arabic"),
        ("안녕하세요", "auto", r"Korean \(ko\)"),
        ("안녕하세요", "zh", r"Korean \(ko\)"),
        ("こんにちは", "en", r"Japanese \(ja\)"),
        ("今日は良い天気ですね", "auto", r"Japanese \(ja\)"),
        ("שלום", "auto", "Hebrew"),
        ("Καλημέρα", "auto", "Greek"),
        ("Hello Привет", "auto", "Cyrillic"),
    ],
)
def test_a_text_that_nobody_reads_is_refused_by_name(text: str, language: str, named: str) -> None:
    """A script without a front end is refused with its name and what is spoken instead."""
    with pytest.raises(TextError, match=f"speaks en, zh, not {named}; only en, zh can be read so far"):
        FRONT_END.segments(text, language)
    with pytest.raises(TextError, match=named):
        FRONT_END.runs(text, language)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("PM10是18", "P M十是十八"),
        ("3G信号", "三G信号"),
        ("乘MU2201航班", "乘M U二二零幺航班"),
        ("停在B3层", "停在B三层"),
        ("6 V", ".六伏"),
        ("8℃", ".八度"),
        ("2350", "二千三百五十"),
        ("2031", "二零三一"),
        ("0305", "零三零五"),
        ("9÷3=3", "九除以三等于三"),
        ("80后", "八零后"),
        ("五分钟后", "五分钟后"),
        ("证件后四位是2207", "证件后四位是二二零七"),
        ("立减300", "立减三百"),
        ("9/10教师节", "九月十日教师节"),
        ("iPhone 15", "i Phone fifteen"),
    ],
)
def test_mandarin_codes_and_values(text: str, spoken: str) -> None:
    """Digits beside capitals are Mandarin in Mandarin, a value alone is a quantity, whatever the length."""
    assert "".join(run.normalized for run in FRONT_END.runs(text, "zh")) == spoken
