"""Written English to spoken English: folding, addresses, abbreviations, symbols, capitals.

`number_rules` says the numbers. The result holds letters, blanks and the marks `' . , ? ! -` only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache, partial

from edge_tts.text.english.abbreviations import say_abbreviations
from edge_tts.text.english.calendar import say_calendar, say_roman
from edge_tts.text.english.capitals import say_capitals
from edge_tts.text.english.number_rules import rules, substitute
from edge_tts.text.english.units import MONTHS, SYMBOLS
from edge_tts.text.trace import Trace, rule_name

_SAME_MARKS = {
    ",": "，、",
    ";": "；",
    ":": "：",
    ".": "。",
    "!": "！",
    "?": "？",
    "'": "‘’ʼ＇`´′",
    '"': "“”″",
    "-": "−‐‑",
    "—": "―",
    "~": "～〜",
    "μ": "µ",
    " ": "\u00a0\u3000\t\n\r",
}
_MARKS = str.maketrans({written: mark for mark, same in _SAME_MARKS.items() for written in same})
"""Full-width and typographic marks -> plain ones."""
_LETTERS = "ß:ss æ:ae Æ:Ae ø:o Ø:O đ:d Đ:D ł:l Ł:L œ:oe Œ:Oe ı:i þ:th Þ:Th ð:th Ð:Th"
_FOREIGN = {pair[0]: pair[2:] for pair in _LETTERS.split()}
_KEPT = frozenset("²³…№") | SYMBOLS.keys()
"""Not folded: they have rules of their own."""

_ADDRESS = re.compile(
    r"(?:https?://|www\.)[^\s<>\"，。]+|[A-Za-z0-9][\w.+-]{0,63}@[A-Za-z0-9][A-Za-z0-9-]{0,62}(?:\.[A-Za-z0-9-]{1,63}){1,5}"
    r"|(?<![\w.])(?:[A-Za-z0-9-]{1,63}\.){1,5}(?:com|org|net|edu|gov|io|local|dev|app|info)\b(?:/[^\s<>\"，。]*)?"
)
_FILE = re.compile(
    r"(?<![\w.])(?=[A-Za-z0-9.]{0,64}_)\w{1,64}(?:\.\w{1,64}){1,4}\b"
    r"|(?<![\w.])[\w-]{1,64}\.(?:pdf|txt|docx?|csv|json|ya?ml|zip|jpe?g|png|mp[34]|wav|py|js)\b"
)
"""Files and entities (`sensor.living_room`), whose full stops end no sentence."""
_SIGN_NAMES = ".:dot /:slash @:at -:dash _:underscore :colon ?:question~mark =:equals &:and #:hash %:percent +:plus"
_ADDRESS_SIGNS = {pair[0]: f" {pair.lstrip(pair[0]).lstrip(':').replace('~', ' ')} " for pair in _SIGN_NAMES.split()}
_OPERAND = r"[\dA-Za-z)]"
_PERIODS = {"wk": "week", "mo": "month", "yr": "year", "hr": "hour"}
_CODES = "EUR|USD|GBP|CHF|JPY|CNY|INR"
_LENGTH = "ft|feet|foot|in|inch|inches|yd|mm|cm|m|km|meters?|metres?"
_OPERATORS = (
    (re.compile(r"(?<=\d[ap]m)\s+-\s+(?=\d)|(?<=\d [ap]m)\s+-\s+(?=\d)|(?<=:\d\d)\s+-\s+(?=\d{1,2}:\d\d)"), " to "),
    (
        re.compile(r"(?<=[a-z]s)/(day|week|wk|month|mo|year|yr|hour|hr|person)\b"),
        lambda m: f" per {_PERIODS.get(m[1], m[1])}",
    ),
    (re.compile(r"\bIPv(?=\d)"), "I P V "),
    (re.compile(r"\bca?\.\s?(?=\d{3,4}\b)"), "circa "),
    (re.compile(rf"\b({_CODES})\s?(\d{{1,9}}(?:,\d{{3}}){{0,4}}(?:\.\d{{1,4}})?)(?![\d%]|[.,]\d)"), r"\2 \1"),
    (re.compile(r"((?<![\w.])[$£€¥]\d{1,6})\s?–\s?(?=\d{1,6}\b(?![.,]\d))"), r"\1-"),
    (
        re.compile(
            r"(?<=\b[\dA-Za-z])\s+-\s+(?=[\dA-Za-z]\b)|(?<=[\d²³])\s+-\s+(?=\d)|(?<=\d[a-z])(?:\s+-\s+|-)(?=\d+\s?=)"
        ),
        " minus ",
    ),
    (re.compile(r"\s+-+\s+"), ", "),
    (
        re.compile(r"(?<=[%°℃℉])\s?-\s?(?=\d)|(?<=\d)-(?=[$£€¥]\d)|(?<=[ap]m)-(?=\d)|(?<=:\d\d)-(?=\d{1,2}:\d\d)"),
        " to ",
    ),
    (re.compile(rf"(?<=\d)\s?[–-]\s(?=(?:{'|'.join(MONTHS)})\b)"), " to "),
    (re.compile(r"(?<=[\w%])\s?–\s?(?=[$£€¥]?-?\d)|(?<=[\d%])\s?~\s?(?=[$£€¥]?-?\d)|(?<=\w)~(?=\d)"), " to "),
    (re.compile(r"(?<![\w%])~\s?(?=[$£€¥]?\d)"), "about "),
    (re.compile(r"(?<![\w)\-])-(?=\d)"), "negative "),
    (re.compile(r"(?<=\d(?:st|nd|rd|th))\s?[-–]\s?(?=\d{1,3}(?:st|nd|rd|th)\b)"), " to "),
    (re.compile(r"(?<![\w)\-])-(?=[$£€¥.]\d)"), "minus "),
    (re.compile(r"(?<=\d)\s?½"), " and a half "),
    (re.compile(r"(?<=\d)\s?(?=[¼¾⅓⅔])"), " and "),
    (re.compile(r"(?<=\d)\s+x\s+(?=\d{1,9}\s?=)"), " times "),
    (re.compile(r"(?<=\d)\s?[x×](?=\d)|(?<=\d)\s+x\s+(?=\d)"), " by "),
    (re.compile(rf"(?<=[a-z'\"])\s+[x×]\s+(?=\d{{1,6}}(?:\.\d{{1,4}})?(?:\s?(?:{_LENGTH})\b|['\"]))"), " by "),
    (re.compile(r"\b([A-Z]{1,2})&([A-Z]{1,2})\b"), lambda m: f"{' '.join(m[1])} and {' '.join(m[2])}"),
    (re.compile(rf"(?<={_OPERAND})\s+[*×]\s+(?={_OPERAND})"), " times "),
    (re.compile(r"(?<=\d)\s+/\s+(?=\d)"), " divided by "),
    (re.compile(r"(?<=[\dA-Za-z])\s?\^\s?(?=\d)"), " to the power of "),
    (re.compile(r"(?:#|№)\s?(?=\d|[A-Z]{1,3}-?\d)"), "number "),
    (re.compile(r"#(?=[A-Za-z])"), "hashtag "),
    (re.compile(rf"(?<!{_OPERAND})(?<!{_OPERAND}\s)[<>](?!\s?[$£€¥]?\d)|[<>](?!\s?{_OPERAND})"), " "),
)
_SYMBOL = re.compile("[" + re.escape("".join(SYMBOLS)) + "]")


@lru_cache(maxsize=4096)
def _fold(c: str) -> str:
    """A letter or digit of any script in ASCII; else the letter's name."""
    if c.isascii() or c in _KEPT:
        return c
    if c in _FOREIGN:
        return _FOREIGN[c]
    if (value := unicodedata.decimal(c, None)) is not None:
        return str(value)
    plain = "".join(d for d in unicodedata.normalize("NFKD", c) if not unicodedata.combining(d))
    if plain.isascii() or not plain[:1].isalpha():
        return plain.replace("\u2044", "/")
    return _letter_name(unicodedata.normalize("NFKC", c))


def _letter_name(letters: str) -> str:
    name = unicodedata.name(letters[0], "")
    for word in ("LETTER SMALL ", "LETTER "):
        if word in name:
            return f" {name.split(word, 1)[1].lower()} "
    return " "


def _address(m: re.Match[str]) -> str:
    text, tail = m[0], ""
    while text and text[-1] in ".,?!:;)'":
        text, tail = text[:-1], text[-1] + tail
    text = re.sub(r"^https?://", "", text).rstrip("/")
    said = "".join(_ADDRESS_SIGNS.get(c, c) for c in text.replace("www.", "w w w dot "))
    said = re.sub(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", said)
    return re.sub(r"\d+", lambda d: " ".join(d[0]), said).lower() + tail


def _fold_all(text: str) -> str:
    text = re.sub(r"。(?=\d)", ". ", text)
    text = "".join(_fold(c) for c in text.translate(_MARKS))
    return re.sub(r"…+(?=\s*\w)", ". ", text)


def _tidy(text: str) -> str:
    text = re.sub(r"(?<=[!?,])(?=[A-Za-z])|(?<=\.)(?=[A-Z])", " ", text.replace(";", ","))
    text = re.sub(r"[^A-Za-z'.,?! -]+", " ", text)
    text = re.sub(r"([.,?!])(?:\s*[.,?!])+", r"\1", text)
    return re.sub(r"\s+(?=[.,?!])|(?<=\s)\s+|(?<=[A-Za-z])-+$", "", text).strip()


@cache
def _steps(*, day_first: bool) -> tuple[tuple[str, Callable[[str], str]], ...]:
    """Name -> what rewrites the text."""
    return (
        ("letters and marks", _fold_all),
        ("file name", lambda text: _FILE.sub(lambda m: m[0].replace(".", " dot "), text)),
        ("address", lambda text: _ADDRESS.sub(_address, text)),
        ("abbreviation", say_abbreviations),
        ("Roman numeral", say_roman),
        ("calendar", say_calendar),
        *(("sign", partial(pattern.sub, said)) for pattern, said in _OPERATORS),
        *((rule_name(say), partial(substitute, pattern, say)) for pattern, say in rules(day_first=day_first)),
        ("symbol", lambda text: _SYMBOL.sub(lambda m: f" {SYMBOLS[m[0]]} ", text)),
        ("capitals", say_capitals),
        ("marks", _tidy),
    )


def normalize(text: str, trace: Trace | None = None, *, day_first: bool = False) -> str:
    """`trace`: gets a note of every rewriting. `day_first`: 05/06 is a day of June."""
    for name, step in _steps(day_first=day_first):
        before, text = text, step(text)
        if trace is not None:
            trace.step(name, before, text)
    return text
