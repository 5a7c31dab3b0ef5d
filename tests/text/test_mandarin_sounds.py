"""Mandarin words, readings and tones: what changes in speech."""

from __future__ import annotations

import pytest

from edge_tts.text.mandarin import language as chinese
from edge_tts.text.mandarin.language import Mandarin
from edge_tts.text.mandarin.tables import MandarinTables
from edge_tts.text.mandarin.words import MandarinWords

CHINESE = Mandarin()


def say(text: str) -> str:
    """Final and tone of each ideograph, the way the tests below are easiest to read: `hao3` is `h ao3`."""
    phonemes, word2ph = CHINESE.phonemize(text)
    parts, at = [], 0
    for count in word2ph:
        parts.append("".join(phonemes[at : at + count]))
        at += count
    return " ".join(parts)


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("一", "yi1"),
        ("统一", "tong3 yi1"),
        ("第一名", "di4 yi1 ming2"),
        ("一万", "yi1 wan4"),
        ("一件", "yi2 jian4"),
        ("一条", "yi4 tiao2"),
        ("一两", "yi4 liang3"),
        ("一般", "yi4 ban1"),
        ("看一看", "kan4 yi5 kan4"),
        ("一个人", "yi2 ge5 ren2"),
    ],
)
def test_yi_changes_by_what_follows(text: str, sounds: str) -> None:
    """一 keeps its tone in numbers, rises before a fall, falls before the rest, is light in the middle."""
    assert say(text) == sounds


@pytest.mark.parametrize(
    ("text", "sounds"),
    [("不难", "bu4 nan2"), ("不是", "bu2 shir4"), ("看不懂", "kan4 bu5 dong3"), ("不客气", "bu2 ke4 qi5")],
)
def test_bu_changes_by_what_follows(text: str, sounds: str) -> None:
    """不 rises before a fall and is light in the middle of three."""
    assert say(text) == sounds


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("你好", "ni2 hao3"),
        ("老虎", "lao2 hu3"),
        ("纸老虎", "zhir3 lao2 hu3"),
        ("展览馆", "zhan2 lan2 guan3"),
        ("手表", "shou2 biao3"),
        ("岂有此理", "qi2 you3 ci02 li3"),
    ],
)
def test_third_tones_rise_before_each_other(text: str, sounds: str) -> None:
    """The inner structure of a word decides which of its third tones rise."""
    assert say(text) == sounds


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("妈妈", "ma1 ma5"),
        ("我们", "wo3 men5"),
        ("桌子", "zhuo1 zi05"),
        ("男子", "nan2 zi03"),
        ("电子表", "dian4 zi03 biao3"),
        ("干干净净", "gan1 gan1 jing4 jing4"),
        ("朋友", "peng2 you5"),
        ("好吧", "hao3 ba5"),
        ("开了", "kai1 le5"),
        ("屋里", "wu1 li5"),
        ("出去", "chu1 qv5"),
        ("几个", "ji3 ge5"),
        ("天天", "tian1 tian1"),
        ("走走", "zou3 zou5"),
        ("余额", "yv2 EEe2"),
        ("某个", "mou3 ge4"),
        ("慢慢的", "man4 man4 de5"),
        ("幺五五八八", "yao1 wu2 wu3 ba1 ba1"),
    ],
)
def test_light_syllables(text: str, sounds: str) -> None:
    """Suffixes, particles, repeated and listed syllables lose their tone; digits said twice do not."""
    assert say(text) == sounds


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("面条儿", "mian4 tiao2 EEer2"),
        ("瓶盖儿", "ping2 gai4 EEer4"),
        ("小店儿", "xiao3 dian4 EEer4"),
        ("女儿", "nv3 EEer2"),
        ("幼儿园", "you4 EEer2 yvan2"),
        ("花儿", "hua1 EEer2"),
        ("混血儿", "hun4 xve4 EEer2"),
        ("瓜子儿", "gua1 zi03 EEer3"),
    ],
)
def test_final_er_takes_the_tone_before_it(text: str, sounds: str) -> None:
    """儿 as a suffix has the tone of its syllable; as a child or in a song it is a word of its own."""
    assert say(text) == sounds


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("银行", "yin2 hang2"),
        ("行人", "xing2 ren2"),
        ("音乐", "yin1 yve4"),
        ("快乐", "kuai4 le4"),
        ("重庆", "chong2 qing4"),
        ("重量", "zhong4 liang4"),
        ("还书", "huan2 shu1"),
        ("长城", "chang2 cheng2"),
        ("校长", "xiao4 zhang3"),
        ("䶮", "yEn3"),
        ("哪吒", "ne2 zha1"),
        ("哎哟", "AAai1 OOo5"),
    ],
)
def test_words_decide_readings(text: str, sounds: str) -> None:
    """A character with several readings is read by its word; rare ideographs are read too."""
    assert say(text) == sounds


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("安", ("AA", "an1")),
        ("儿", ("EE", "er2")),
        ("哦", ("OO", "o5")),
        ("云", ("y", "vn2")),
        ("文", ("w", "en2")),
        ("知", ("zh", "ir1")),
        ("四", ("s", "i04")),
        ("女", ("n", "v3")),
        ("句", ("j", "v4")),
    ],
)
def test_a_syllable_is_two_phonemes(text: str, phonemes: tuple[str, str]) -> None:
    """Initial and final; a syllable without an initial has a stand-in."""
    assert CHINESE.phonemize(text) == (phonemes, (2,))


def test_marks_are_one_phoneme() -> None:
    """The marks of the models stand for themselves."""
    assert CHINESE.phonemize("好,好!") == (("h", "ao3", ",", "h", "ao3", "!"), (2, 1, 2, 1))


def test_unreadable_characters_keep_their_place() -> None:
    """A character without a reading has no phoneme and is still counted."""
    phonemes, word2ph = CHINESE.phonemize("好ж")
    assert phonemes == ("h", "ao3")
    assert word2ph == (2, 0)


def test_letters_are_named_in_english() -> None:
    """A letter inside Mandarin is spelled, and aligned like any character."""
    assert CHINESE.phonemize("好X") == (("h", "ao3", "EH1", "K", "S"), (2, 3))


def test_the_module_speaks_like_its_class() -> None:
    """The two functions that the table of languages calls."""
    assert chinese.normalize("2个") == "两个"
    assert chinese.phonemize("你好") == CHINESE.phonemize("你好")


def test_a_polyphone_model_has_the_first_word() -> None:
    """Where the model gives a reading it is used; None leaves the character to the phrase table."""

    def choose(clause: str) -> list[str | None]:
        return ["hao4" if c == "好" else None for c in clause]

    assert Mandarin(polyphones=choose).phonemize("他好")[0] == ("t", "a1", "h", "ao4")


@pytest.fixture(scope="module")
def words() -> MandarinWords:
    return MandarinWords(MandarinTables())


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("我们在北京大学读书", ["我们", "在", "北京大学", "读书"]),
        ("研究生命起源", ["研究", "生命", "起源"]),
        ("他叫赵子轩", ["他", "叫", "赵子轩"]),
        ("好,走吧.", ["好", ",", "走", "吧", "."]),
        ("", []),
    ],
)
def test_text_is_cut_into_words(words: MandarinWords, text: str, cut: list[str]) -> None:
    """Frequent words win over long ones, and names are found without a list."""
    assert [w.text for w in words.cut(text)] == cut


def test_words_carry_their_part_of_speech(words: MandarinWords) -> None:
    """The rules of tone ask for it."""
    assert [w.tag for w in words.cut("我们吃饭")] == ["r", "v"]
