"""Readings by the words around, as written text is read without a polyphone model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.mandarin.language import Mandarin
from edge_tts.text.symbols import pinyin_symbols

HEARD = Mandarin().as_heard()


def reads(text: str, character: str, wanted: str, language: Mandarin = HEARD) -> bool:
    """Whether the first `character` in `text` has the reading `wanted`, pinyin with tone."""
    phonemes, word2ph = language.phonemize(text)
    start = sum(word2ph[: text.index(character)])
    initial, final = pinyin_symbols()[wanted[:-1]]
    return phonemes[start : start + 2] == (initial, final + wanted[-1])


CASES = {
    "adjusting and moving": "调tiao2:音量已调低 调tiao2:请调一下温度 调diao4:调查结果 调diao4:调动工作",
    "length and growth": "长chang2:裤子太长 长chang2:全长三公里 长chang2:会议很长 长zhang3:孩子长大了 "
    "长zhang3:家长来了",
    "again and weight": "重chong2:请重做一遍 重chong2:重发一条消息 重zhong4:体重测量完成 重zhong4:重要通知",
    "returning and still": "还huan2:我明天还你钱 还huan2:快去还书 还huan2:还清房贷 "
    "还hai2:还有三个 还hai2:他还在睡 还hai2:还是不行",
    "hitting and middle": "中zhong4:我猜中了 中zhong4:他中奖了 中zhong4:没中大奖 中zhong1:家中有人 中zhong1:没中国队",
    "rows and walking": "行hang2:第三行有错 行hang2:换行 行xing2:这样不行 行xing2:一行人来了",
    "doing and dry": "干gan4:你在干什么 干gan4:不想干活 干gan1:衣服干了 干gan1:擦干头发",
    "counting and number": "数shu3:数一下有几个人 数shu3:数到三 数shu3:请数三下 数shu4:人数到齐了 数shu4:数据更新",
    "must": "得dei3:今天得去医院 得dei3:你们得早点睡 得dei3:房间得打扫 得dei3:这得看情况",
    "complements": "得de5:我跑得快 得de5:话说得对 得de5:飞得很高 得de5:高兴得跳起来 得de5:工作得很好",
    "getting": "得de2:他得了第一名 得de2:你得奖了",
    "adverbs": "地de5:他认真地工作 地de5:请安静地坐下 地de5:小心地放下 地de5:慢慢地走",
    "the ground": "地di4:草地上有人 地di4:拖地机器人 地di4:把地扫干净",
    "surnames": "任ren2:任女士您好 单shan4:单师傅来了 曾zeng1:请找曾总 朴piao2:朴小姐 解xie4:解医生在吗 查zha1:查先生 "
    "仇qiu2:仇老师 盖ge3:盖女士 区ou1:区先生来电 华hua4:华经理 单shan4:他姓单",
    "no surnames": "任ren4:担任主任 查cha2:调查先生的账户 解jie3:了解老师 "
    "曾ceng2:他曾经来过 单dan1:名单小组 区qu1:小区先生",
    "persons and suffixes": "子zi3:王子来了 子zi3:母子平安 子zi3:粒子 子zi3:瓜子 "
    "子zi5:房子很大 子zi5:孩子们 伙huo3:小伙子",
    "one in numbers": "一yi1:一月五号 一yi1:一九九八年 一yi1:十一点 一yi1:二十一个 一yi1:一号楼 一yi1:一等奖 "
    "一yi2:三点一刻 一yi2:一个 一yi4:一条",
}


@pytest.mark.parametrize(
    ("character", "wanted", "text"),
    [(c[0], *c[1:].split(":")) for cases in CASES.values() for c in cases.split()],
)
def test_neighbours_decide_the_reading(character: str, wanted: str, text: str) -> None:
    """A character with several readings is read by the words around it, and known words stay whole."""
    assert reads(text, character, wanted)


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("想想", "xiang2 xiang5"),
        ("试试看", "shi4 shi5 kan4"),
        ("你想想再说", "ni3 xiang2 xiang5 zai4 shuo1"),
        ("高高的", "gao1 gao1 de5"),
        ("满满的", "man2 man3 de5"),
        ("处处", "chu4 chu4"),
        ("天天", "tian1 tian1"),
        ("妈妈", "ma1 ma5"),
    ],
)
def test_the_second_of_two_syllables_is_light_in_verbs(text: str, readings: str) -> None:
    """The echo of a verb or a relative is light; adjectives and what means "every" keep both tones."""
    for i, wanted in enumerate(readings.split()):
        phonemes, word2ph = HEARD.phonemize(text)
        start = sum(word2ph[:i])
        initial, final = pinyin_symbols()[wanted[:-1]]
        assert phonemes[start : start + 2] == (initial, final + wanted[-1]), f"{text}: {i}"


def test_a_given_spoken_form_is_read_by_the_tables_alone() -> None:
    """Written text is read as heard; a text given in its spoken form as the models were trained."""
    front_end = TextFrontEnd()
    (written,), (given,) = front_end.runs("请把灯调亮", "zh"), front_end.runs("请把灯调亮", "zh", normalized=True)
    assert "iao2" in written.phonemes
    assert "iao2" not in given.phonemes


def test_a_polyphone_model_goes_before_the_neighbours() -> None:
    """Where a model is installed it decides, also as heard."""
    model = Mandarin(polyphones=lambda clause: ["diao4" if c == "调" else None for c in clause]).as_heard()
    assert reads("请把灯调亮", "调", "diao4", model)


def test_long_texts_take_linear_time() -> None:
    """Ten thousand polyphones are read, each with its neighbours."""
    text = "得地调长重还中行数一" * 1_000
    assert len(HEARD.phonemize(text)[1]) == len(text)


def test_what_is_loaded_is_shared() -> None:
    """The language as heard is made once."""
    language = Mandarin()
    assert language.as_heard() is language.as_heard()


def test_everyday_sentences_are_read_as_a_listener_expects() -> None:
    """Every bracketed character of `zh_readings.txt` has its reading, sandhi included."""
    lines = (Path(__file__).parent / "data" / "zh_readings.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert [line for line in lines if wrong_readings(line)] == []


def wrong_readings(line: str) -> list[str]:
    """The bracketed characters that are read in another way. Ideographs alone: they are spoken as written."""
    marked, _, wanted = line.rpartition(" ")
    phonemes, word2ph = HEARD.phonemize(HEARD.normalize(marked.replace("[", "").replace("]", "")))
    places = [m.start() - 2 * i for i, m in enumerate(re.finditer(r"\[", marked))]
    wrong = []
    for place, readings in zip(places, wanted.split(","), strict=True):
        start = sum(word2ph[:place])
        sounds = [pinyin_symbols()[reading[:-1]] + (reading[-1],) for reading in readings.split("/")]
        if phonemes[start : start + 2] not in [(initial, final + tone) for initial, final, tone in sounds]:
            wrong.append(marked[place])
    return wrong
