"""The patterns that find numbers in English text and say them: dates, times, money, units, fractions.

They run in order over the whole text; what a rule has said holds no digits, so no later rule touches it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, partial

from edge_tts.text.english import clock, codes, measures, parts
from edge_tts.text.english.numbers import cardinal, decimal, digits, fraction, number, ordinal, plural, year
from edge_tts.text.english.units import CURRENCIES, PER, UNITS, alternatives
from edge_tts.text.english.years import is_year

Match = re.Match[str]
Rule = tuple[re.Pattern[str], Callable[[Match], str]]

_SCALE = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
}


_UNIT = alternatives(UNITS)
_SIGNS = "".join(CURRENCIES)
_K_NOUNS = "(?:run|race|walk|jog|marathon|video|tv|screen|monitor|display|resolution|camera|stream)"
_AMOUNT = r"(?<![\w.])(\d+(?:\.\d+)?)"
_YEARS = r"((?:19|20)\d\d)\s?[/–-]\s?((?:20)?\d\d)(?![\d/-]|\.\d)"
_SEASON = rf"(?<![\d/-]){_YEARS}(?= (?:school|season|academic|budget|fiscal|winter|ski|tax)\b)"
_AFTER_SEASON = rf"(?:(?<=[Yy]ear )|(?<=[Ss]eason )|(?<=[Ww]inter )){_YEARS}"
_HOURS = (
    r"(\b(?i:open|hours:?|from|between|works?|shift:?|weekdays|daily)) ([1-9]|1[0-2])-([1-9]|1[0-2])(?![\w:/-]|[.,]\d)"
)
_SCORE = re.compile(r"\b(?:scores?|scored|won|wins?|lost|leads?|beat|tied|draw|game|match)\b[^.!?]*$", re.I)


def _phone(m: Match) -> str:
    groups = re.findall(r"\d+", m[0])
    return ("plus " if "+" in m[0] else "") + ", ".join(digits(group) for group in groups)


def _dotted(m: Match) -> str:
    parts = m[1].split(".")
    return (" dot " if len(parts) == 4 else " point ").join(year(part) for part in parts)


def _money(m: Match) -> str:
    one, many, part, parts = CURRENCIES[m[1]]
    whole, cents, scale, per = m[2], m[3] or "", m[4], f" per {PER[m[5]]}" if m[5] else ""
    if measures.describes(m) and len(cents) != 2:
        many = one  # a $20 bill
    if scale:
        return f"{decimal(f'{whole}.{cents}')} {_SCALE.get(scale.lower(), scale.lower())} {many}{per}"
    if len(cents) > 2:
        return f"{decimal(f'{whole}.{cents}')} {many}{per}"
    return _in_parts((one, many, part, parts), whole, cents) + per


def _money_after(m: Match) -> str:
    per, (whole, _, cents) = f" per {PER[m[3]]}" if m[3] else "", m[1].partition(".")
    if not cents or (len(cents) == 2 and int(whole)):
        return _in_parts(CURRENCIES[m[2]], whole, cents) + per
    return f"{decimal(m[1])} {CURRENCIES[m[2]][1]}{per}"


def _in_parts(names: tuple[str, str, str, str], whole: str, cents: str) -> str:
    """`names`: of one and many, of the hundredth part and many of them; `cents`: two digits at most."""
    one, many, part, parts = names
    hundredths = int(cents.ljust(2, "0")) if cents else 0
    said = [f"{number(whole)} {one if whole == '1' else many}"] if int(whole) or not hundredths else []
    if hundredths:
        said.append(f"{cardinal(hundredths)} {part if hundredths == 1 else parts}")
    return " and ".join(said)


def _range(m: Match) -> str:
    """Numbers that rise are a range, unless they are a score."""
    score = _SCORE.search(m.string[max(0, m.start() - 30) : m.start()])
    return m[0] if score or int(m[1]) >= int(m[2]) else f"{m[1]} to {m[2]}"


def _scaled(m: Match) -> str:
    return f"{decimal(m[1])} {_SCALE[m[2].lower()]}"


def _two_years(m: Match) -> str:
    """The ends of a season: 2025/26."""
    return f"{year(m[1])} to {year(m[2])}"


def _worth(sign: str, amount: str) -> str:
    return f"{number(amount)} {CURRENCIES[sign][0 if amount == '1' else 1]}"


def _inches(m: Match) -> str:
    """`55"`, unless the sign closes a quotation."""
    if m.string.count('"', 0, m.start()) % 2:
        return m[0]
    return f"{decimal(m[1])} {'inch' if m[1] == '1' or measures.describes(m) else 'inches'}"


def _bare(m: Match) -> str:
    return year(m[0]) if is_year(m) else number(m[0])


def _feet(m: Match) -> str:
    feet, inches = f"{cardinal(int(m[1]))} {'foot' if m[1] == '1' else 'feet'}", m[2]
    return f"{feet} {cardinal(int(inches))} {'inch' if inches == '1' else 'inches'}" if inches else feet


def _mixed(m: Match) -> str:
    part = [group for group in m.groups()[1:] if group]
    return f"{number(m[1])} and {'a half' if part == ['1', '2'] else fraction(*part)}"


def _decade(m: Match) -> str:
    return plural(year(m[1]))


def _rate(m: Match) -> str:
    return f"{decimal(m[1])} per {m[2]}"


def _grouped(m: Match) -> str:
    """Commas between the groups say that it is a quantity."""
    return number(m[0].replace(",", ""))


def _say(form: str) -> Callable[[Match], str]:
    return lambda m: form


@cache
def rules(*, day_first: bool) -> tuple[Rule, ...]:
    """In the order in which they are applied. `day_first`: 05/06 is a day of June."""
    return tuple((re.compile(pattern), say) for pattern, say in _forms(day_first))


def _forms(day_first: bool) -> list[tuple[str, Callable[[Match], str]]]:
    short_date = partial(clock.short_date, day_first=day_first)
    return [
        (r"(^(?:\. )?|(?<=\D[.!?] ))(\d{1,2})\. (?=[^\W\d_])", lambda m: f"{m[1]}{ordinal(m[2])}, "),
        (r"(?<![\w.])\+\d{1,3}(?:[ -]?\(?\d{1,4}\)?){2,6}(?!\d)", _phone),
        (r"(?<![\w.-])(?:\d{1,2}[ -])?(?:\(\d{3}\) ?|\d{3}[ -])\d{3}[ -]\d{4}(?![\d-])", _phone),
        (r"(?<![\w.])\d{3}\.\d{3}\.\d{4}(?![\w-]|[.,]\d)", _phone),
        (r"(?<![\d,.])\d{1,2}(?:,\d\d){1,5},\d{3}(?![\d,])", lambda m: m[0].replace(",", "")),  # as in India
        (r"(?<![\w.,-])(?:(?<=number )|(?!(?:19|20)\d\d ))\d{4}(?: \d{4}){2,5}(?![\w-]|[.,]\d)", _phone),
        *codes.VERSES,
        (r"(?<![\d,.])(\d{1,4}),(\d\d)(?=\s?€)", lambda m: f"{m[1]}.{m[2]}"),
        parts.THOUSANDS,
        *codes.RULES,
        (
            rf"(?<![\d.,{_SIGNS}])(?<![{_SIGNS}] )\d{{1,3}}(?:,\d{{3}})+"
            rf"(?![\d,/]|\.\d|(?:st|nd|rd|th)\b|\s?(?:{_UNIT})(?![A-Za-z])|\s?[{_SIGNS}%°])",
            _grouped,
        ),
        (r"(?<=\d),(?=\d{3}(?!\d))", _say("")),
        (r"(?<![\d./-])(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?![\d/-])", lambda m: clock.date(m[1], m[3], m[4], m[0])),
        (r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?![\d/])", short_date),
        (r"(?<![\d-])(\d{1,2})-(\d{1,2})-((?:19|20)\d\d)(?![\d-])", short_date),
        (
            r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.((?:19|20)\d\d)(?![\d.]\d)",
            partial(clock.short_date, day_first=True),  # full stops are written where the day comes first
        ),
        (
            r"(?<![\w/.-])(\d{1,2})/(\d{1,2})(?:\s?[-–]\s?(\d{1,2})/(\d{1,2}))?"
            rf"(?![\w/]|-\d|\.\d|\s?(?:{_UNIT})(?![A-Za-z]))",
            partial(clock.month_and_day, day_first=day_first),
        ),
        (_SEASON, _two_years),
        (_AFTER_SEASON, _two_years),
        (_HOURS, lambda m: f"{m[1]} {m[2]} to {m[3]}"),
        (r"(?<![\w.,:/$£€-])([1-9]\d?|[1-9]\d{3})-([1-9]\d?|[1-9]\d{3})(?![\w:/-]|[.,]\d)(?!\s?[=+])", _range),
        parts.WITH_UNIT,
        *clock.DURATIONS,
        (
            r"(?<![\d:])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?:\s?([AaPp])\.?\s?[Mm](?:\b\.?))?",
            clock.time,
        ),
        (clock.CLOCK_WITH_STOP, clock.time),
        (r"(?<![\d.:])(1[0-2]|0?[1-9])\s?([AaPp])\.?[Mm](?:\.|\b)", clock.half_day),
        (r"(?<!\d)(\d{1,3}):(\d{1,3})(?![\d:])", lambda m: f"{number(m[1])} to {number(m[2])}"),
        (r"(?<![\w.-])0\d{2,4}[ -]\d{3,4}(?:[ -]?\d{3,4})?(?![\d-])", _phone),
        (r"(?<![\w.-])\d{3}-0\d{3}(?![\d-])", _phone),
        (r"(?<![\w.])[vV]?(\d+(?:\.\d+){2,})(?![\d])", _dotted),
        (
            rf"([{_SIGNS}])(\d{{1,6}})\s?[-–]\s?(\d{{1,6}})(?![\w:/.-])",
            lambda m: f"{number(m[2])} to {_worth(m[1], m[3])}",
        ),
        (
            rf"([{_SIGNS}])\s?(\d+)(?:\.(\d+))?"
            r"(?:\s?(hundred|thousand|million|billion|trillion|(?:[kKmMbBtT]|[mMbBtT]n)(?![A-Za-z])))?"
            rf"(?:\s?/\s?({alternatives(PER)})(?![A-Za-z\d]))?",
            _money,
        ),
        (
            rf"(?<![\d.])(\d+(?:\.\d+)?)\s?([{_SIGNS}])(?:\s?/\s?({alternatives(PER)})(?![A-Za-z\d]))?(?!\d)",
            _money_after,
        ),
        (r"(?<![\w.])(\d{1,2})'\s?(\d{1,2})(?:\"|'')", _feet),
        (r"(?<![\w.])(\d{1,3})'(?= by \d)|(?<= by )(\d{1,3})'(?!\w)", lambda m: f"{number(m[1] or m[2])} feet"),
        (r"(?<![\w.])(\d{1,3}(?:\.\d)?)\"(?!\w)", _inches),
        (r"(?<!\d)(1\d\d0|20\d0)'?s\b", _decade),
        (r"(?<=[Tt]he )'?(\d0)'?s\b|(?:(?<!\w)'|(?<=s-))(\d0)s\b", lambda m: plural(number(m[1] or m[2]))),
        (r"(?<![\d/])(\d{2,3})/(\d{2,3})(?=\s?mmHg)", lambda m: f"{cardinal(int(m[1]))} over {m[2]}"),
        (
            rf"(?<![\d/.])(?:(\d{{1,4}})\s)?(\d{{1,2}})/(\d{{1,2}})(\s?|-)({_UNIT})(?![A-Za-z\d°²³'/])",
            measures.part_of_unit,
        ),
        (
            rf"(?<![A-Za-z\d./])(\d+(?:\.\d+)?)(\s?|-)({_UNIT})(?:\s?/\s?({alternatives(PER)}))?(?![A-Za-z\d°²³'])",
            measures.unit,
        ),
        (
            rf"(?<=\bper )({alternatives(u for u in UNITS if len(u) > 1 and u != 'in')})(?![\w/°²³'])",
            lambda m: UNITS[m[1]][0],
        ),
        (rf"(?<![\w/])({measures.STANDING})(?:/({alternatives(PER)}))?(?![\w/°²³'])", measures.lone_unit),
        (
            r"(?<![\w.])(\d+)\s?[x×](?=\s(?!minus|plus|by|times)[a-z]{2,}|\sa\s|[.,!?]|\s*$)",
            lambda m: f"{number(m[1])} times",
        ),
        (rf"{_AMOUNT}\s?(mn|bn|tn)\b", _scaled),
        (rf"{_AMOUNT}(k)(?= [a-z])(?! {_K_NOUNS}\b)", _scaled),
        (rf"{_AMOUNT}([MB])(?= (?:(?!and|or|is|was|has)[a-z]+ )?(?:[a-z]+s|people)\b)", _scaled),
        (rf"^\W*{_AMOUNT}([kM]|(?<=\.\d)B)\W*$", _scaled),
        (rf"(?<!\ba )(?<!\bthe ){_AMOUNT}(k)(?=[.!?]?\s*$)", _scaled),
        (rf"{_AMOUNT}(?<=\.\d)([MB])(?= [a-z])", _scaled),
        (r"(?<![\w/.])24/7(?![\d/])", _say("twenty-four seven")),
        (r"(?<![\w/.])9/11(?![\w/-]| of\b)", _say("nine eleven")),
        (r"(?<![\w.])(\d{1,2})\s?[x×]/(day|week|month|year|hour)\b", lambda m: f"{number(m[1])} times a {m[2]}"),
        (rf"{_AMOUNT}\s?/\s?(day|night|week|month|year|hour|person|minute|second)\b", _rate),
        (r"(?<![\d/.])(\d+)\s(?:(1)/(2)|([12])/(3)|([13])/(4)|([1357])/(8))(?![\d/])", _mixed),
        *parts.RULES,
        (r"(?<![\d/.])(\d+)\s(\d{1,2})/(\d{1,3})(?![\d/])", _mixed),
        (r"(?<![\d/.])(\d+)/\1(?![\d/]| of\b)", lambda m: f"{number(m[1])} {number(m[1])}"),  # 20/20
        (r"(?<![\d/.])(\d+)/(\d+)(?![\d/])", lambda m: fraction(m[1], m[2])),
        (r"(?<!\d)(\d+)(?:st|nd|rd|th)\b", lambda m: ordinal(m[1])),
        (r"\b([A-Z])\.(\d{3})\b(?!\.\d)", lambda m: f"{m[1]} {digits(m[2])}"),  # H.265
        (r"(?<![\d.])(\d*\.\d+)(?!\d)", lambda m: decimal(m[1])),
        (r"\d+", _bare),
    ]


def substitute(pattern: re.Pattern[str], say: Callable[[Match], str], text: str) -> str:
    """`text` with what a rule matches in words, apart from the letters beside it."""
    return pattern.sub(lambda m: _spaced(m, say(m)), text)


def _spaced(m: Match, words: str) -> str:
    if words == m[0] or not words:
        return words
    before, after = m.string[m.start() - 1 : m.start()], m.string[m.end() : m.end() + 1]
    return (" " if before.isalpha() else "") + words + (" " if after.isalpha() else "")
