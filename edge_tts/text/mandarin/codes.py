"""Numbers that name (telephones, versions, rooms) and whatever digits are left."""

from __future__ import annotations

import re

from edge_tts.text.mandarin.dates import TO, joint
from edge_tts.text.mandarin.named_numbers import after_code_word, bare_number
from edge_tts.text.mandarin.numbers import Match, Substitution, cardinal, code, counted, number, spell, substitution
from edge_tts.text.mandarin.quantities import START, N

_PAUSE = ","
_VEHICLE = "列车|航班|火车|高铁|动车|快车|特快|班车"
_ROOMS = "教室|病房|会议室|办公室|诊室|诊间|自习室|实验室|包[厢间]|房间|机房|宿舍"
_ROOM = re.compile("号?[房室]")


def _telephone(match: Match) -> str:
    plus = "加" if match[0].startswith("+") else ""
    return plus + _PAUSE.join(spell(group, one="幺") for group in match[0].lstrip("+").split("-"))


def _mobile(match: Match) -> str:
    country = f"加八六{_PAUSE}" if match[1] else ""
    return country + spell(match[2], one="幺")


def _groups(match: Match) -> str:
    """Two short groups of which the second is larger are a range, others and names of rooms a code."""
    groups = match[0].split("-")
    named = _ROOM.match(match.string, match.end()) or after_code_word(match)
    if (
        not named
        and len(groups) == 2
        and max(map(len, groups)) <= 3
        and groups[0][0] != "0"
        and int(groups[0]) < int(groups[1])
    ):
        return cardinal(groups[0]) + "到" + cardinal(groups[1])
    return _PAUSE.join(map(code, groups))


def _ordinals(match: Match) -> str:
    return f"第{number(match[1])}{joint(match[2], '到')}{match[3]}{number(match[4])}"


_NAMES = "晚会|高校|大学|工程|工作制|大促|购物节|活动|热线|事件"
ORDINALS: tuple[Substitution, ...] = (
    substitution(f"(?<![0-9.])(315|618|985|211|996|007|911)(?={_NAMES})", lambda m: code(m[1])),
    substitution(r"(?<=[负周零〇])2(?![0-9.])|(?<=星期|礼拜)2(?![0-9.])", lambda m: "二"),
    substitution(rf"第({N}){TO}(第?)({N})", _ordinals),
    substitution(rf"第({N})", lambda m: "第" + number(m[1])),
    substitution(f"(?<![0-9.])([0-9]{{1,4}})次(?={_VEHICLE})", lambda m: code(m[1]) + "次"),
    substitution(r"(?<=[A-Z])([0-9]{2,4})次", lambda m: code(m[1]) + "次"),
)
"""Before the quantities: what is counted behind these would be a measure."""
CODES: tuple[Substitution, ...] = (
    substitution(r"(?<![0-9])(\+?86[-\x00]?)?(1[3-9][0-9]{9})(?![0-9])", _mobile),
    substitution(r"(?<![0-9])(?:\+[0-9]{1,3}-)?(?:0[0-9]{2,3}|[48]00)(?:-[0-9]{3,8}){1,3}(?![0-9])", _telephone),
    substitution(rf"{START}[0-9]{{1,24}}(?:-[0-9]{{1,24}})+", _groups),
    substitution(rf"{START}([0-9]{{3,4}})(?=号?(?:{_ROOMS}))", lambda m: code(m[1])),
    substitution(rf"(?<![0-9A-Za-z])-(?={N})", lambda m: "负"),
    substitution(r"(?<![0-9])([0-9]{1,4})·([0-9]{1,4})(?![0-9])", lambda m: spell(m[1] + m[2])),
    substitution(rf"{START}({N})[~～–—]({N})(?![0-9])", lambda m: number(m[1]) + "到" + number(m[2])),
    substitution(r"(?<![0-9])[0-9]{1,24}(?:\.[0-9]{1,24}){2,}", lambda m: "点".join(map(spell, m[0].split(".")))),
    substitution(r"(?<![0-9])[0-9]{1,24}\.[0-9]{1,24}", lambda m: number(m[0])),
)


def counts(measure: str) -> tuple[Substitution, ...]:
    """The last steps; `measure`: alternation of all measure words."""
    return (
        substitution(
            rf"(?<![0-9A-Za-z])([0-9]{{1,24}})([多余几来]?|\+)(?={measure})(?!分机)",
            lambda m: counted(m[1]) + m[2].replace("+", "多"),
        ),
        substitution("([0-9]+)#", lambda m: code(m[1]) + "号"),
        substitution("[0-9]+", bare_number),
    )
