"""Units and measure words as Mandarin says them."""

from __future__ import annotations

import re
from importlib.resources import files

_SYMBOLS = {
    "km²": "平方千米", "km2": "平方千米", "m²": "平方米", "m2": "平方米", "dm²": "平方分米", "cm²": "平方厘米",
    "cm2": "平方厘米", "mm²": "平方毫米", "mm2": "平方毫米", "m³": "立方米", "m3": "立方米", "dm³": "立方分米",
    "cm³": "立方厘米", "cm3": "立方厘米", "mm³": "立方毫米",
    "km": "千米", "m": "米", "dm": "分米", "cm": "厘米", "mm": "毫米", "μm": "微米", "um": "微米", "nm": "纳米",
    "ft": "英尺", "mph": "英里每小时", "kph": "千米每小时",
    "t": "吨", "kg": "千克", "g": "克", "mg": "毫克", "μg": "微克", "ug": "微克", "lb": "磅", "oz": "盎司",
    "ha": "公顷",
    "l": "升", "L": "升", "ml": "毫升", "μl": "微升", "cl": "厘升", "dl": "分升",
    "h": "小时", "hr": "小时", "hrs": "小时", "min": "分钟", "s": "秒", "sec": "秒", "ms": "毫秒", "μs": "微秒",
    "W": "瓦", "kW": "千瓦", "kw": "千瓦", "MW": "兆瓦", "kWh": "千瓦时", "kwh": "千瓦时", "Wh": "瓦时",
    "V": "伏", "kV": "千伏", "mV": "毫伏", "A": "安", "mA": "毫安", "mAh": "毫安时", "Ah": "安时", "Ω": "欧姆",
    "Hz": "赫兹", "kHz": "千赫", "MHz": "兆赫", "GHz": "吉赫", "dB": "分贝", "Pa": "帕", "hPa": "百帕", "kPa": "千帕",
    "MPa": "兆帕", "bar": "巴", "mmHg": "毫米汞柱", "cal": "卡", "kcal": "千卡", "J": "焦耳", "kJ": "千焦", "N": "牛顿",
    "lm": "流明", "ppm": "PPM", "dBm": "DBM",
    "lx": "勒克斯", "lux": "勒克斯", "rpm": "转每分钟", "bpm": "次每分钟", "Mbps": "兆比特每秒",
    "kbps": "千比特每秒",
    "KB": "KB", "MB": "MB", "GB": "GB", "TB": "TB",
}  # fmt: skip
"""Symbol -> name, exactly spelled; storage and ppm are said by their letters."""

_PER = {"h": "小时", "hr": "小时", "s": "秒", "min": "分钟", "d": "天"}
_SYMBOL = "|".join(sorted(map(re.escape, _SYMBOLS), key=len, reverse=True))
UNIT = rf"(?:(?i:{_SYMBOL}))(?:/(?i:{_SYMBOL}|d)(?![A-Za-z0-9²³]))?(?:(?![A-Za-z0-9²³])|(?=[0-9]{{1,2}}m))"
"""A unit symbol or ratio behind a number; minutes may follow it (1h30min)."""
_PLAIN = "|".join(sorted((re.escape(s) for s in _SYMBOLS if len(s) > 1 or s in "tgmLlhsVWΩ"), key=len, reverse=True))
WRITTEN_UNIT = rf"(?:{_PLAIN})(?:/(?:{_PLAIN}|d))?(?![A-Za-z0-9²³])".replace("μ", "[μ\u00b5]")
"""A unit in its usual spelling, but no letter that is more often a name (A, N, J)."""


def unit_name(symbol: str) -> str | None:
    """The Mandarin name of a unit symbol (`km`, `KM`, `km/h`); None for other text."""
    whole, _, per = symbol.partition("/")
    name = _name(whole)
    if name is None or not per:
        return name
    below = _PER.get(per) or _name(per)
    return None if below is None else f"{name}每{below}"


def _name(symbol: str) -> str | None:
    """Symbols of two letters and more are found in any case."""
    if symbol in _SYMBOLS:
        return _SYMBOLS[symbol]
    if len(symbol) == 1:
        return None
    folded = symbol.lower()
    return next((name for known, name in _SYMBOLS.items() if known.lower() == folded), None)


def measure_words() -> tuple[str, ...]:
    """What numbers count, longest first."""
    text = (files("edge_tts.text") / "data" / "zh_measures.txt").read_text(encoding="utf-8")
    words = {w for line in text.splitlines() if not line.startswith("#") for w in line.split()}
    words |= set(_SYMBOLS.values())
    return tuple(sorted(words, key=lambda w: (-len(w), w)))
