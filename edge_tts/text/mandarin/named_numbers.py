"""Whether a bare number is a quantity, a year or a code, by the words before it.

The nearest noun in the clause decides (房间号 a code, 温度 a quantity); without one, a verb of measure or 是 does.
"""

from __future__ import annotations

import re

from edge_tts.text.mandarin.numbers import Match, cardinal, code, spell

_REACH = 14
"""Characters looked back."""
_CODE = (
    "号码|后[三四六八]位|末[三四六]位|身份证|护照|包[厢间]|车位|登机口|检票口|窗口|站台|号|码|口令|代号|PIN|PNR|ID|QQ|微信|电话|热线|总机|分机|座机|手机|传真|拨打|致电|来电|呼叫|拨通?|转接|频道|邮编"
    "|订单|快递|运单|航班|车次|列车|火车|高铁|动车|公交|房间?|室|楼|座位?|栋|幢|单元|门牌|车牌|机型|型号|版本|短信"
)
_QUANTITY = (
    "[数量值率额价费租分压温度糖脂速积距宽厚龄资薪钱款金息债力耗幅差商步]|重(?![新连启试复])|高(?![速铁])|深(?!圳)|[身时]长|总和|之和|全长|里程|距离|成绩|收入|销售|支出|成本|预算|开销"
    "|库存|存货|票房|浏览|播放|点赞|阅读|指数|尿酸|血氧|雪深|海拔|风速|光照|亮度|音量|湿度|浓度|优惠|奖励|立减|节省|省下|返现|总计|总共|共计|合计|一共|目标"
)
_NOUN = re.compile(f"(?P<code>{_CODE})|(?P<quantity>{_QUANTITY})")
_MEASURED = re.compile(
    "(?:[是为达共约近值花剩余超满逾]|[是为]约|达到|多达|超过|突破|高达|不足|低于|高于|大于|小于|少于|多于|接近|大约|将近|至少|最多|最少|等于"
    "|[涨跌升降增减加长调](?:了|到|至|成)|[花考跑走赚赢输扣存付卖买]了|[设定]为|还剩|只有|共有|含有|拥有|需要|只要|才|仅|[加减乘]|除以)[:：,]?$"
)
_YEAR = re.compile("(?:[今明去前后]年|年份|年度)[是为]?[:：]?$|(?:始于|建于|生于|成立于|截至|自从|回到|穿越到)$")
_MORE = re.compile("[涨升降增减加长调变]了?到|左右|上下|以[上下内]|[多余]")
_ALONE = re.compile(r"\W*[0-9]{1,7}\W*")
_YEAR_ALONE = re.compile("(?:19|20)[0-9]{2}")
_CLAUSE_END = re.compile("[，。！？；、,.!?;0-9]")


def bare_number(match: Match) -> str:
    """The digits of a number without unit or measure word."""
    digits, before = match[0], _clause_before(match)
    if len(digits) < 3 or digits[0] == "0":
        return code(digits)
    alone = _ALONE.fullmatch(match.string)
    if _YEAR_ALONE.fullmatch(digits) and (alone or _YEAR.search(before)):
        return spell(digits)
    more = _MORE.match(match.string, match.end())
    return cardinal(digits) if alone or more or _is_quantity(before) else code(digits)


def after_code_word(match: Match) -> bool:
    """Whether the nearest noun before the match asks for a code."""
    return _nearest(_clause_before(match)) == "code"


def _is_quantity(before: str) -> bool:
    kind = _nearest(before)
    return kind == "quantity" or (kind is None and _MEASURED.search(before) is not None)


def _nearest(before: str) -> str | None:
    kind = None
    for noun in _NOUN.finditer(before):
        kind = noun.lastgroup
    return kind


def _clause_before(match: Match) -> str:
    """The last characters of the clause that the match stands in."""
    start = match.start()
    return _CLAUSE_END.split(match.string[max(0, start - _REACH) : start].replace("\x00", ""))[-1]
