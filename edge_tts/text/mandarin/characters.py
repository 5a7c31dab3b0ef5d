"""Single characters of written Mandarin to what is spoken for them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from edge_tts.text.mandarin.numbers import cardinal

_COMPATIBLE = re.compile(
    "[\u00b5\uff10-\uff19\uff21-\uff3a\uff41-\uff5a％＋＝＄￡￥＃＆＠／＜＞\u2103\u2109\u2116\u2126\u212a\u212b\u2080-\u2089\u3371-\u33df"
    "\u2f00-\u2fdf\uf900-\ufaff\U0001d400-\U0001d7ff]"
)
"""Full-width, letter-like, squared units, radicals, mathematical."""

_GREEK = dict(
    zip(
        "αβγδεζηθικλμνξοπρστυφχψω",
        (
            "阿尔法 贝塔 伽马 德尔塔 艾普西龙 泽塔 伊塔 西塔 约塔 卡帕 拉姆达 缪 纽 克西 欧米克戎 派 柔 西格玛 陶 "
            "宇普西龙 斐 希 普赛 欧米伽"
        ).split(),
        strict=True,
    )
)
_SYMBOLS = {
    "+": "加", "×": "乘", "÷": "除以", "=": "等于", "±": "正负",
    "≈": "约等于", "≠": "不等于", "≥": "大于等于", "≤": "小于等于",
    "%": "百分号", "‰": "千分号", "°": "度", "℃": "度", "&": "和", "∞": "无穷大", "√": "根号", "∶": "比",
    "€": "欧元", "£": "英镑", "¥": "元",
    "〇": "零", "の": "的", "𠮷": "吉",
}  # fmt: skip
_NAMES = _SYMBOLS | _GREEK | {letter.upper(): name for letter, name in _GREEK.items()} | {"嗯": "恩", "呣": "母"}
_NAMED = re.compile("|".join(map(re.escape, _NAMES)))
_MARK_TABLE = str.maketrans(
    {
        **dict.fromkeys("：；，、·/:;・‧-–", ","),
        **dict.fromkeys("。\n｡", "."),
        **dict.fromkeys("！", "!"),
        **dict.fromkeys("？", "?"),
        **dict.fromkeys("⋯~～〜", "…"),
    }
)
_LETTER = re.compile(r"[^\W\d_\u3040-\ud7ff\U00020000-\U000323af]")
_DROPPED = re.compile("[^\u3400-\u9fff\U00020000-\U000323afA-Za-z!?…,.]")
_RUN = re.compile(r"([!?…,.])[!?…,.]+")
_DIGIT = re.compile(r"[^\D0-9]")
_FRACTION = re.compile(r"([0-9]{0,15}) ?([\u00bc-\u00be\u2150-\u215f\u2189])")
_NUMERAL = re.compile(
    r"[\u2460-\u2473\u2474-\u2487\u2488-\u249b\u2160-\u216b\u2170-\u217b\u3220-\u3229\u3280-\u3289\u24ea\u2776-\u277f]"
)
_RARE = re.compile("[\u3400-\u4dff\u9fa6-\u9fff\U00020000-\U000323af]")
_AMBIGUOUS = re.compile("乾(?![隆坤])|瞭(?=解)|(?<=明)瞭|(?<![名专原巨论编卓昭土拙显合译])著(?![名作者述称]|书立)")
_BY_NEIGHBOUR = {"乾": "干", "瞭": "了", "著": "着"}
_REPEATED = re.compile("(.)々")


def simplify(text: str, simplified: Mapping[int, str]) -> str:
    """Compatibility forms to plain ones, digits of any script to ASCII, traditional characters to simplified."""
    text = _FRACTION.sub(_fraction, text)
    text = _COMPATIBLE.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    text = _DIGIT.sub(lambda m: str(unicodedata.decimal(m[0])), text)
    text = _NUMERAL.sub(_numeral, text)
    text = _REPEATED.sub(r"\1\1", text)
    plain = text.translate(simplified)
    # 著 is the particle 着 in traditional spelling, and itself in 著名 and its like.
    return _AMBIGUOUS.sub(lambda m: _BY_NEIGHBOUR[m[0]] if m[0] != "著" or plain != text else "著", plain)


def speak_symbols(text: str, has_reading: Callable[[str], bool]) -> str:
    """Symbols and Greek letters by name, marks as the model's marks; Latin letters stay.

    Drops what has no reading: emoji, controls, other scripts, the rarest ideographs.
    """
    text = _NAMED.sub(lambda m: _NAMES[m[0]], text)
    text = _LETTER.sub(_letter, text)
    text = _DROPPED.sub("", text.replace("...", "…").translate(_MARK_TABLE))
    text = _RARE.sub(lambda m: m[0] if has_reading(m[0]) else "", text)
    return _RUN.sub(r"\1", text)


def _fraction(match: re.Match[str]) -> str:
    above, _, below = unicodedata.normalize("NFKC", match[2]).partition("\u2044")
    whole = f"{cardinal(match[1])}又" if match[1] else ""
    return f"{whole}{cardinal(below)}分之{cardinal(above)}" if below else match[0]


def _numeral(match: re.Match[str]) -> str:
    """Circled and Roman numerals, by the character's own value."""
    return cardinal(str(int(unicodedata.numeric(match[0]))))


def _letter(match: re.Match[str]) -> str:
    """A Latin letter without accents; empty for other alphabets."""
    plain = unicodedata.normalize("NFKD", match[0])[0]
    return plain if plain.isascii() else ""
