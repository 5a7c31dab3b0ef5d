"""The supported part of SSML: speak, p, s, break, sub, say-as, prosody, lang.

The parser refuses document types, so that nothing can expand or be fetched, and every element and attribute that would
have no effect here. What a document becomes is bounded: its rates, the sum of its pauses, and by the caller its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from xml.parsers import expat

from edge_tts.errors import TextError
from edge_tts.text.english.numbers import digits as english_digits
from edge_tts.text.english.numbers import ordinal as english_ordinal
from edge_tts.text.scripts import HAN

MOST_PAUSE_S = 120.0
"""All pauses of a document together."""
SLOWEST, FASTEST = 0.25, 4.0
_STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6}
_ATTRIBUTES = {
    "speak": frozenset({"version", "lang", "base", "schemaLocation"}),
    "p": frozenset({"lang"}),
    "s": frozenset({"lang"}),
    "break": frozenset({"time", "strength"}),
    "sub": frozenset({"alias"}),
    "say-as": frozenset({"interpret-as", "format", "detail"}),
    "prosody": frozenset({"rate"}),
    "lang": frozenset({"lang"}),
    "emphasis": frozenset({"level"}),
}
"""Element -> its attributes, without prefixes."""
_APART = frozenset({"speak", "prosody", "lang", "p", "s"})
"""Elements whose text is a part of its own."""
_SPELLED = frozenset({"characters", "spell-out", "verbatim", "letters"})
_DIGITS = frozenset({"digits", "telephone", "number:digits"})
_AS_WRITTEN = frozenset(
    "cardinal number fraction percentage unit measure date time duration currency money address name".split()
)
_KINDS = _SPELLED | _DIGITS | _AS_WRITTEN | {"ordinal"}
_HAN_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")


@dataclass(frozen=True, slots=True)
class SpokenPart:
    """A stretch of a document with one language and rate."""

    text: str
    language: str
    rate: float = 1.0
    pause_s: float | None = None
    """Silence after it, seconds; None when the document gives none."""
    bleeped: bool = False
    """A tone stands for it."""


@dataclass(slots=True)
class _Element:
    name: str
    rate: float
    language: str
    alias: str | None = None
    say_as: str | None = None


def parse_ssml(document: str, language: str) -> list[SpokenPart]:
    """The parts of `document` in order. Raises TextError with line and column for malformed or unknown markup."""
    reader = _Reader(language)
    parser = expat.ParserCreate("utf-8")  # the text is decoded: an XML declaration's encoding is ignored
    parser.buffer_text = True
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    reader.place = lambda: f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"
    try:
        parser.Parse(document.encode("utf-8", "replace"), True)
    except expat.ExpatError as e:
        raise TextError(f"SSML: {expat.ErrorString(e.code)} at line {e.lineno}, column {e.offset + 1}") from e
    return reader.finish()


class _Reader:
    def __init__(self, language: str) -> None:
        self.place: Callable[[], str] = str
        self._open = [_Element("", 1.0, language)]
        self._parts: list[SpokenPart] = []
        self._text = ""
        self._pauses_s = 0.0

    def refuse_doctype(self, *_: object) -> None:
        raise TextError(f"SSML: a document type is not allowed, at {self.place()}")

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        name, around = name.rpartition(":")[2], self._open[-1]
        if len(self._open) == 1 and name != "speak":
            raise TextError(f"SSML: the document must be one <speak> element, not <{name}>, at {self.place()}")
        attributes = self._known(name, attributes)
        inside = replace(around, name=name)
        if name == "break":
            self._flush(self._pause(attributes))
        elif name in _APART:
            self._flush(None)
        elif name == "sub":
            inside.alias = self._required(attributes, "alias", name)
            self._text += inside.alias
        elif name == "say-as":
            inside.say_as = self._kind(attributes)
        if name == "prosody":
            rate = _rate(self._required(attributes, "rate", name), self.place)
            inside.rate = min(max(around.rate * rate, SLOWEST), FASTEST)
        if name == "lang" or "lang" in attributes:
            inside.language = _language(self._required(attributes, "lang", name), self.place)
        self._open.append(inside)

    def end(self, name: str) -> None:
        if name.rpartition(":")[2] in _APART:
            self._flush(None)
        self._open.pop()

    def characters(self, text: str) -> None:
        here = self._open[-1]
        if here.alias is None:
            self._text += _said_as(text, here) if here.say_as else text

    def finish(self) -> list[SpokenPart]:
        self._flush(None)
        return self._parts

    def _known(self, name: str, attributes: dict[str, str]) -> dict[str, str]:
        """`attributes` without prefixes and name spaces. Raises TextError for what would have no effect."""
        if name not in _ATTRIBUTES:
            known = ", ".join(sorted(_ATTRIBUTES))
            raise TextError(f"SSML: <{name}> is not understood (known: {known}), at {self.place()}")
        local = {key.rpartition(":")[2]: value for key, value in attributes.items() if not key.startswith("xmlns")}
        for key in local.keys() - _ATTRIBUTES[name]:
            known = ", ".join(sorted(_ATTRIBUTES[name]))
            raise TextError(f"SSML: {key} of <{name}> is not understood (known: {known}), at {self.place()}")
        return local

    def _required(self, attributes: dict[str, str], key: str, name: str) -> str:
        if key not in attributes:
            raise TextError(f"SSML: <{name}> needs the attribute {key}, at {self.place()}")
        return attributes[key]

    def _kind(self, attributes: dict[str, str]) -> str:
        kind = self._required(attributes, "interpret-as", "say-as").strip().lower()
        if kind not in _KINDS:
            known = ", ".join(sorted(_KINDS))
            raise TextError(f"SSML: interpret-as {kind!r} is not understood (known: {known}), at {self.place()}")
        return kind

    def _pause(self, attributes: dict[str, str]) -> float:
        pause_s = _pause(attributes, self.place)
        self._pauses_s = round(self._pauses_s + pause_s, 6)
        if self._pauses_s > MOST_PAUSE_S:
            raise TextError(
                f"SSML: the pauses up to {self.place()} are {self._pauses_s:g} s together; at most {MOST_PAUSE_S:g} s"
            )
        return pause_s

    def _flush(self, pause_s: float | None) -> None:
        here = self._open[-1]
        text = re.sub(r"\s+", " ", self._text).strip()
        self._text = ""
        if text or pause_s is not None:
            self._parts.append(SpokenPart(text, here.language, here.rate, pause_s))


def _pause(attributes: dict[str, str], place: Callable[[], str]) -> float:
    time = attributes.get("time")
    if time is None:
        strength = attributes.get("strength", "medium")
        if strength not in _STRENGTHS:
            raise TextError(f"SSML: break strength {strength!r} is none of {', '.join(_STRENGTHS)}, at {place()}")
        return _STRENGTHS[strength]
    match = re.fullmatch(r"\s*\+?(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})\s*(ms|s)\s*", time)
    if match is None:
        raise TextError(f"SSML: break time {time!r} should be like 500ms or 1.5s, at {place()}")
    return float(match[1]) * (0.001 if match[2] == "ms" else 1.0)


def _rate(rate: str, place: Callable[[], str]) -> float:
    """Relative to 1."""
    if rate.strip() in _RATES:
        return _RATES[rate.strip()]
    match = re.fullmatch(r"\s*([+-]?)(\d{1,4}(?:\.\d{1,4})?)(%?)\s*", rate)
    if match is None:
        raise TextError(f"SSML: prosody rate {rate!r} should be like 80%, +10%, 1.2 or slow, at {place()}")
    sign, value = match[1], float(match[2]) * (0.01 if match[3] else 1.0)
    value = 1.0 + value if sign == "+" else 1.0 - value if sign == "-" else value
    return min(max(value, SLOWEST), FASTEST)


def _language(tag: str, place: Callable[[], str]) -> str:
    language = tag.lower().split("-")[0]
    if language not in ("zh", "en", "cmn"):
        raise TextError(f"SSML: language {tag!r} is not supported (zh, en), at {place()}")
    return "zh" if language == "cmn" else language


def _said_as(text: str, here: _Element) -> str:
    """Rewrites a say-as element so that the normalizer says it as asked."""
    chinese = here.language in ("zh", "all_zh") or re.search(f"[{HAN}]", text) is not None
    kind = here.say_as
    if kind in _SPELLED:
        return ", ".join(_digit(c, chinese) if c.isdecimal() else c.upper() for c in text if not c.isspace())
    if kind in _DIGITS:
        return re.sub(r"\d", lambda m: _digit(m[0], chinese) + ("" if chinese else " "), text)
    if kind == "ordinal" and text.strip().isascii() and text.strip().isdigit():
        return f"第{text.strip()}" if chinese else english_ordinal(text.strip())
    return text


def _digit(c: str, chinese: bool) -> str:
    return c.translate(_HAN_DIGITS) if chinese else english_digits(c)
