"""Patterns of the owner's, in time that grows with the text alone. RE2's one home, which a machine may lack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_tts.errors import ConfigError, install_hint

_MOST_BYTES = 8 << 20
"""Of a compiled pattern and its automaton."""
MOST_MATCHES = 500
"""Of a text; the rest of one with more is one match."""


class Pattern:
    def __init__(self, text: str) -> None:
        """Raises ConfigError for what RE2 does not take, or without it."""
        self._compiled = _compile(text)

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it matches; empty matches are left out."""
        matches = (match.span() for match in self._compiled.finditer(text))
        for count, (start, end) in enumerate(span for span in matches if span[1] > span[0]):
            if count == MOST_MATCHES:
                yield start, len(text)
                return
            yield start, end


def _compile(text: str) -> Any:
    try:
        import re2
    except ModuleNotFoundError as missing:
        raise ConfigError(f"patterns: google-re2 not installed; {install_hint('content')}") from missing
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.max_mem = False, False, _MOST_BYTES
    try:
        return re2.compile(text, options)
    except re2.error as wrong:
        why = wrong.args[0] if wrong.args else ""
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)
        raise ConfigError(
            f"the pattern {text!r} cannot be used: {why}; RE2 knows no look-around and no back-references"
        ) from wrong
