"""What is wrong with a text that was meant as JSON, in words for its writer."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

_MISTAKES = (
    (re.compile(r"\{[{%]"), "it holds a template ({{ ... }}) that nobody filled in"),
    (re.compile(r"[{,:\[]\s*[\u2018-\u201f]"), "typographic quotes; JSON wants straight double quotes"),
    (re.compile(r"[{,:\[]\s*'"), "single quotes; JSON wants double quotes"),
    (re.compile(r"[:,\[]\s*(True|False|None)\b"), "Python's words; JSON writes true, false and null"),
    (re.compile(r"[{,]\s*[A-Za-z_]\w*\s*:"), "a key without quotes; JSON wants double quotes around it"),
    (re.compile(r",\s*[}\]]"), "a comma before the closing bracket; JSON allows none"),
)
"""A pattern and its explanation, tried in this order outside of strings."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
"""An open one goes to the end: a search for its missing end from every quote would take long."""

SYNONYMS = {
    "text": ("message", "msg", "content", "sentence", "payload", "tts", "speech"),
    "voice": ("speaker", "voice_id"),
    "language": ("lang", "locale", "text_lang", "text_language"),
    "speed": ("rate", "speed_factor"),
    "volume": ("gain", "loudness"),
    "input": ("text", "message", "prompt"),
    "text_lang": ("language", "text_language", "lang"),
    "speed_factor": ("speed",),
    "split": ("text_split_method",),
    "pronunciation": ("phonemes", "respelling", "value", "as", "says"),
    "ttl_s": ("ttl", "expires", "timeout"),
}
"""Key -> what other programs call it."""


def explain_json(text: str) -> str | None:
    """The mistake in `text`; None if it is JSON or the mistake has no name here."""
    if _parses(text):
        return None
    if _parses(text, strict=False):
        return "a line break or control character stands raw in a string; JSON writes \\n for a line break"
    bare = _STRING.sub('""', text)
    return next((says for pattern, says in _MISTAKES if pattern.search(bare)), None)


def explain_keys(text: str, known: Collection[str]) -> str | None:
    """A key of the JSON object that goes by another name here, else None."""
    value = load_json(text)
    if not isinstance(value, dict):
        return None
    for key in value.keys() - set(known):
        for name in set(known) - value.keys():
            if key.casefold() in SYNONYMS.get(name, ()):
                return f"unknown key '{key}'; here it is called '{name}'"
    return None


def load_json(text: str, *, strict: bool = True) -> object:
    """The value; None if it is no JSON."""
    try:
        return json.loads(text, strict=strict)
    except (ValueError, RecursionError):
        return None


def _parses(text: str, *, strict: bool = True) -> bool:
    return text.strip() == "null" or load_json(text, strict=strict) is not None
