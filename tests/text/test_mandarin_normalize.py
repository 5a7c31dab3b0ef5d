"""Written Mandarin to spoken Mandarin, notation by notation, and on any string at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_tts.text.mandarin.language import Mandarin
from edge_tts.text.mandarin.numbers import cardinal, code, counted, number

CHINESE = Mandarin()

CASES = {
    "dates": [
        ("1998年12月31号", "一九九八年十二月三十一号"),
        ("2026/05/20", "二零二六年五月二十日"),
        ("2029-09-01的日程", "二零二九年九月一日的日程"),
        ("2025.1.2", "二零二五年一月二日"),
        ("10月1日", "十月一日"),
        ("2019-2021年", "二零一九到二零二一年"),
        ("08年8月", "零八年八月"),
        ("98年出生", "九八年出生"),
        ("工作了10年", "工作了十年"),
        ("超过100年了", "超过一百年了"),
        ("90年代", "九十年代"),
        ("2023年5月-6月", "二零二三年五月至六月"),
    ],
    "times": [
        ("23:30", "二十三点半"),
        ("6:45:30", "六点四十五分三十秒"),
        ("3:08", "三点零八分"),
        ("03:00", "三点"),
        ("10：05", "十点零五分"),
        ("12:00~13:30", "十二点至十三点半"),
        ("10:00-17:30", "十点至十七点半"),
        ("3点05分", "三点零五分"),
        ("2小时20分钟", "两小时二十分钟"),
    ],
    "temperatures": [
        ("26℃", "二十六度"),
        ("-25°C", "零下二十五度"),
        ("-3℃~5℃", "零下三度至五度"),
        ("18-26℃", "十八到二十六度"),
        ("-5~3℃", "零下五到三度"),
        ("98°F", "九十八华氏度"),
    ],
    "money": [
        ("86.40元", "八十六点四零元"),
        ("$5", "五美元"),
        ("￥36.5", "三十六点五元"),
        ("€20和5€", "二十欧元和五欧元"),
        ("$1.2亿", "一点二亿美元"),
        ("1,299元", "一千二百九十九元"),
        ("100-200元", "一百到二百元"),
    ],
    "percentages": [
        ("3.8%", "百分之三点八"),
        ("-1.25%", "负百分之一点二五"),
        ("30%~40%", "百分之三十至百分之四十"),
        ("40%-60%", "百分之四十至百分之六十"),
        ("5-10%", "百分之五至百分之十"),
        ("50‰", "千分之五十"),
    ],
    "telephones": [
        ("13855955614", "幺三八五五九五五六幺四"),
        ("138 5595 5614", "幺三八五五九五五六幺四"),
        ("+86 13855955614", "加八六,幺三八五五九五五六幺四"),
        ("010-62345678", "零幺零,六二三四五六七八"),
        ("021-5588-1234", "零二幺,五五八八,幺二三四"),
        ("400-820-8820", "四零零,八二零,八八二零"),
        ("致电95588转3", "致电九五五八八转三"),
        ("G1234次列车", "G幺二三四次列车"),
    ],
    "ranges": [
        ("7-8小时", "七到八小时"),
        ("20-30人", "二十到三十人"),
        ("2-3个", "两到三个"),
        ("打2折", "打二折"),
        ("内存128GB", "内存一百二十八GB"),
        ("50~120元", "五十到一百二十元"),
        ("第3-5章", "第三到五章"),
        ("从100到200元", "从一百到二百元"),
        ("30%到40%，18度到26度", "百分之三十到百分之四十,十八度到二十六度"),
        ("9:00到18:00", "九点到十八点"),
        ("5kg-10kg", "五千克至十千克"),
    ],
    "bare quantities": [
        ("您的余额为2350", "您的余额为二千三百五十"),
        ("心率是118", "心率是一百一十八"),
        ("水压达到250", "水压达到二百五十"),
        ("一共花了1280", "一共花了一千二百八十"),
        ("从100涨到150", "从一百涨到一百五十"),
        ("大概300左右", "大概三百左右"),
        ("押金：500", "押金,五百"),
        ("会议室温度是125", "会议室温度是一百二十五"),
        ("血压120/80", "血压一百二十,八十"),
    ],
    "bare codes": [
        ("密码改为2468", "密码改为二四六八"),
        ("取件码：90517", "取件码,九零五幺七"),
        ("您的房间已换成1408", "您的房间已换成幺四零八"),
        ("拨打12345", "拨打幺二三四五"),
        ("订单号为20250101", "订单号为二零二五零幺零幺"),
        ("3-201室", "三,二零幺室"),
        ("座位号3-12", "座位号三,十二"),
        ("1024次航班", "幺零二四次航班"),
        ("今年是2025", "今年是二零二五"),
    ],
    "two o'clock": [
        ("2:05", "两点零五分"),
        ("下午2:00到4:30", "下午两点到四点半"),
        ("12:02", "十二点零二分"),
        ("2:30-3:00", "两点半至三点"),
    ],
    "short dates": [
        ("合同3/31到期", "合同三月三十一日到期"),
        ("截止日期12/5", "截止日期十二月五日"),
        ("11/23发货", "十一月二十三日发货"),
        ("4/5上午10:00见", "四月五日上午十点见"),
        ("10/1-10/7休息", "十月一日至十月七日休息"),
        ("5.1放假", "五月一日放假"),
        ("9-30截止", "九月三十日截止"),
        ("占12/31", "占三十一分之十二"),
        ("2/3的人", "三分之二的人"),
        ("喝1/2杯", "喝二分之一杯"),
        ("版本1.2发布", "版本一点二发布"),
    ],
    "ordinals before a measure": [("第2-4页", "第二到四页"), ("第2到第3段", "第二到第三段"), ("第2位", "第二位")],
    "scores and ratios": [
        ("比分是3-2", "比分是三比二"),
        ("以3:2获胜", "以三比二获胜"),
        ("16:9", "十六比九"),
        ("比例1:30", "比例一比三十"),
    ],
    "fractions and sums": [
        ("1/4的学生", "四分之一的学生"),
        ("-1/2", "负二分之一"),
        ("1 1/2", "一又二分之一"),
        ("½杯", "二分之一杯"),
        ("3 + 5 = 8", "三加五等于八"),
        ("2×6=12", "二乘六等于十二"),
        ("5-3=2", "五减三等于二"),
        ("1920×1080", "一千九百二十乘一千零八十"),
        ("2^10", "二的十次方"),
        ("5>3", "五大于三"),
        ("10⁻³", "十的负三次方"),
    ],
    "units": [
        ("12.5km", "十二点五千米"),
        ("60km/h", "六十千米每小时"),
        ("3m/s", "三米每秒"),
        ("98m²", "九十八平方米"),
        ("5m³", "五立方米"),
        ("20㎡", "二十平方米"),
        ("395g面粉", "三百九十五克面粉"),
        ("75db", "七十五分贝"),
        ("5000mAh", "五千毫安时"),
        ("20元/kg", "二十元每千克"),
        ("60次/分钟", "六十次每分钟"),
        ("5µm", "五微米"),
        ("450ppm", "四百五十PPM"),
        ("1h30min", "一小时三十分钟"),
        ("120/80mmHg", "一百二十,八十毫米汞柱"),
        ("<10元", "小于十元"),
    ],
    "versions and codes": [
        ("1.0.12.5", "一点零点一二点五"),
        ("192.168.1.1", "一九二点一六八点一点一"),
        ("3.1415926", "三点一四一五九二六"),
        ("101路和22路", "幺零幺路和二十二路"),
        ("会议室430", "会议室四三零"),
        ("尾号0012", "尾号零零幺二"),
        ("05号", "零五号"),
        ("第2名", "第二名"),
        ("92#汽油", "九十二号汽油"),
        ("-5和-3.5", "负五和负三点五"),
    ],
    "measure words": [
        ("800人", "八百人"),
        ("2个", "两个"),
        ("22个", "二十二个"),
        ("500多人", "五百多人"),
        ("1000+人", "一千多人"),
        ("2万", "两万"),
        ("1,000,000", "一百万"),
        ("1,234元", "一千二百三十四元"),
        ("￥1,299.5", "一千二百九十九点五元"),
        ("满100减20", "满一百减二十"),
        ("2号楼2单元", "二号楼二单元"),
    ],
    "characters": [
        ("這是繁體字", "这是繁体字"),
        ("看著書，著名作家說", "看着书,著名作家说"),
        ("乾淨與乾坤", "干净与乾坤"),
        ("１２３４５６７８", "幺二三四五六七八"),
        ("٣个", "三个"),
        ("①打开；②加水", "一打开,二加水"),
        ("Ⅲ期", "三期"),
        ("α粒子", "阿尔法粒子"),
        ("嗯，呣", "恩,母"),
        ("三〇二", "三零二"),
        ("人々", "人人"),
        ("ＡＢＣé", "ABCe"),
        ("𠮷野家的䶮", "吉野家的䶮"),
    ],
    "marks": [
        ("《红楼梦》里的“林黛玉”，我读了", "红楼梦里的林黛玉,我读了"),
        ("注意——前方！", "注意前方!"),
        ("好的~马上……", "好的…马上…"),
        ("苹果、香蕉；还有：西瓜。", "苹果,香蕉,还有,西瓜."),
        ("真的吗？？！！", "真的吗?"),
        ("小明·史密斯", "小明,史密斯"),
        ("开心😀吃火锅🔥", "开心吃火锅"),
        ("男/女", "男,女"),
        ("按#号键或*键", "按井号键或星号键"),
        ("（周二）15:00", "周二,十五点"),
        ("", ""),
        ("（）\u200b\x00", ""),
    ],
}


@pytest.mark.parametrize(("written", "spoken"), [pair for pairs in CASES.values() for pair in pairs])
def test_notation_is_spoken_as_a_listener_expects(written: str, spoken: str) -> None:
    """Each notation has one spoken form."""
    assert CHINESE.normalize(written) == spoken


@given(st.text(st.characters(), max_size=60) | st.text("0123456789.,:/-+~%$￥年月日号点元kmg℃第2个人 ()", max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_string_has_a_spoken_form(text: str) -> None:
    """Normalizing never raises and leaves ideographs and single marks only; all of them can be phonemized."""
    spoken = CHINESE.normalize(text)
    assert re.fullmatch("[\u3400-\u9fff\U00020000-\U000323afA-Za-z!?…,.]*", spoken)
    assert not re.search("[!?…,.]{2}", spoken)
    phonemes, word2ph = CHINESE.phonemize(spoken)
    assert len(word2ph) == len(spoken)
    assert sum(word2ph) == len(phonemes)
    assert 0 not in word2ph


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_string_can_be_phonemized_as_it_is(text: str) -> None:
    """A spoken text from elsewhere never raises; what has no reading gets no phoneme and keeps its place."""
    phonemes, word2ph = CHINESE.phonemize(text)
    assert len(word2ph) == len(text)
    assert sum(word2ph) == len(phonemes)


@given(st.text("的一是不了在有人我他这中大来上个国", min_size=1, max_size=30))
@settings(deadline=None)
def test_common_ideographs_are_never_dropped(text: str) -> None:
    """Plain text is spoken as it stands."""
    assert CHINESE.normalize(text) == text


@given(st.text("ABCxyz好é", min_size=1, max_size=20))
@settings(deadline=None)
def test_letters_are_never_dropped(text: str) -> None:
    """A letter in a Mandarin stretch stays and is said by its name."""
    spoken = CHINESE.normalize(text)
    assert len(spoken) == len(text)
    assert 0 not in CHINESE.phonemize(spoken)[1]


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1.",
        "1-",
        "$",
        "1%-",
        "12:30~",
        "1/",
        "1+",
        "½",
        "1 ",
        "1,000,",
        "比分1",
        "龘靐",
        "儿",
        "不",
        "一",
        "，",
        "第1",
    ],
)
def test_ten_thousand_characters_of_anything(unit: str) -> None:
    """Long and repetitive text is spoken whole: no pattern runs away on it."""
    text = unit * (10_000 // len(unit))
    spoken = CHINESE.normalize(text)[:4_000]
    phonemes, word2ph = CHINESE.phonemize(spoken)
    assert len(word2ph) == len(spoken)
    assert sum(word2ph) == len(phonemes)


@given(st.integers(min_value=0, max_value=10**16 - 1))
def test_cardinals_can_be_read_back(value: int) -> None:
    """A quantity names exactly its number."""
    assert _read(cardinal(str(value))) == value


def _read(spoken: str) -> int:
    """The number that a cardinal names."""
    for name, size in (("亿", 10**8), ("万", 10**4)):
        if name in spoken:
            left, _, right = spoken.rpartition(name)
            return _read(left or "零") * size + (_read(right) if right else 0)
    total, digit = 0, None
    for character in spoken:
        if character in "十百千":
            total += (1 if digit is None else digit) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = None
        elif character != "零":
            digit = "零一二三四五六七八九".index(character)
    return total + (digit or 0)


def test_numbers_by_what_they_do() -> None:
    """A quantity, a name and a count of the same digits sound different."""
    assert cardinal("105") == "一百零五"
    assert code("105") == "幺零五"
    assert counted("2") == "两"
    assert code("2") == "二"
    assert number("0.50") == "零点五零"
