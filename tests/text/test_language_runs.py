"""Language runs and scripts: what is Mandarin, what is English, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.errors import TextError
from edge_tts.text.language_runs import OPTIONS, check_option, has_words, language_runs, unread_apart

ANY_TEXT = st.text(max_size=100) | st.text(alphabet="ab 我的かな한1.5km/h°C%，。!²①@/", max_size=40)


@pytest.mark.parametrize(
    ("text", "option", "runs"),
    [
        ("车速不能超过60km/h。", "zh", ["zh"]),
        ("室内26℃，温差大。", "zh", ["zh"]),
        ("身高 175 cm，体重 65 kg。", "zh", ["zh"]),
        ("电池5000mAh，20元/kg。", "zh", ["zh"]),
        ("内存128GB。", "zh", ["zh"]),
        ("他在A座12B室", "zh", ["zh", "en", "zh", "en", "zh"]),
        ("大约1/4的学生", "zh", ["zh"]),
        ("今天真开心😀去吃火锅🔥", "zh", ["zh"]),
        ("2×6=12，再除以4。", "zh", ["zh"]),
        ("The box weighs 5kg.", "auto", ["en"]),
        ("iPhone 15的价格", "auto", ["en", "zh"]),
        ("请发到tom@example.com吧", "auto", ["zh", "en", "zh"]),
        ("The word 你好 means hello.", "en", ["en", "zh", "en"]),
        ("α粒子", "auto", ["zh"]),
        ("Привет，你好", "auto", ["Cyrillic", "en", "zh"]),
        ("안녕 hello", "auto", ["ko", "en"]),
        ("안녕 hello", "en", ["ko", "en"]),
        ("在안녕家", "zh", ["zh", "ko", "zh"]),
        ("猫が", "auto", ["zh", "ja"]),
        ("Set α to 5", "auto", ["en"]),
        ("18 \u00b5g, 4 k\u2126, 3 \u212b", "en", ["en"]),
        ("Say Καλημέρα twice", "auto", ["en", "Greek", "en"]),
        ("Café, ŵ, ə", "auto", ["en"]),
        ("①打开盖子", "zh", ["zh"]),
    ],
)
def test_runs_are_what_a_reader_takes_them_for(text: str, option: str, runs: list[str]) -> None:
    """Units, signs and addresses go to the language that can say them; a script that none can read stands alone."""
    assert [language for language, _ in unread_apart(language_runs(text, option))] == runs


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("ab3你好", [("en", "ab3"), ("zh", "你好")]),
        ("你好3ab", [("zh", "你好3"), ("en", "ab")]),
        ("ab3你好吗", [("en", "ab"), ("zh", "3你好吗")]),
        ("你好3abc", [("zh", "你好"), ("en", "3abc")]),
    ],
)
def test_a_number_goes_to_its_longer_neighbour(text: str, runs: list[tuple[str, str]]) -> None:
    """Between two languages a number is read in that of the longer neighbour, and of two equals in that before it."""
    assert language_runs(text, "auto") == runs


def test_japanese_sentences_are_told_from_chinese_ones() -> None:
    """Kana make a sentence Japanese; a lone の between ideographs does not."""
    assert language_runs("猫が窓のそばで寝ている。", "auto") == [("ja", "猫が窓のそばで寝ている。")]
    assert language_runs("这是美の家。", "auto") == [("zh", "这是美の家。")]
    assert language_runs("人々来了。", "auto") == [("zh", "人々来了。")]


@pytest.mark.parametrize(
    ("text", "option", "home", "runs"),
    [
        ("1750 W", "auto", "en", [("en", "1750 W")]),
        ("1750 W", "auto", "zh", [("zh", "1750 W")]),
        ("5 A, 21.5 °C", "auto", "zh", [("zh", "5 A, 21.5 °C")]),
        ("21.5 °C / 45 %", "auto", "en", [("en", "21.5 °C / 45 %")]),
        ("25", "zh", "en", [("zh", "25")]),
        ("25", "en", "zh", [("en", "25")]),
        ("Привет 25", "auto", "en", [("Cyrillic", "Привет"), ("en", " 25")]),
    ],
)
def test_numbers_alone_are_read_in_the_home_language(
    text: str, option: str, home: str, runs: list[tuple[str, str]]
) -> None:
    """Without a word to go by, `auto` takes the language of the house; an option that names one is kept."""
    assert unread_apart(language_runs(text, option, home)) == runs
    assert has_words(text) == text.startswith("П")


@given(ANY_TEXT, st.sampled_from(["auto", "en", "zh", "all_zh"]))
def test_runs_join_to_the_text(text: str, option: str) -> None:
    """No character is lost or changes its place."""
    runs = language_runs(text, option)
    assert "".join(run for _, run in runs) == text
    assert "".join(run for _, run in unread_apart(runs)) == text


def test_languages_that_are_not_there_are_refused() -> None:
    """Japanese, Korean and Cantonese say that they are not supported yet; an unknown option lists the known ones."""
    for option in OPTIONS:
        if any(name in option for name in ("ja", "ko", "yue")):
            with pytest.raises(TextError, match="not supported yet; supported: en, zh"):
                check_option(option)
        else:
            check_option(option)
    with pytest.raises(TextError, match="no language option 'fr'; one of auto"):
        check_option("fr")
