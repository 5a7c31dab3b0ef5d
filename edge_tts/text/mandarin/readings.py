"""Ideographs to syllables with tone, before any sandhi.

Readings are strings like `hao3`, 5 is the neutral tone; empty without a reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_tts.text.mandarin.tables import MandarinTables


class MandarinReadings:
    """Reads by the phrase table, longest match first, then by each character's commonest reading."""

    def __init__(self, tables: MandarinTables) -> None:
        self._tables = tables

    def read(self, text: str) -> list[str]:
        """One reading per character of `text`."""
        readings: list[str] = []
        position = 0
        while position < len(text):
            phrases = [e for e in self._tables.entries(text, position) if e.phrase]
            if phrases:
                end = phrases[-1].end
                readings += self._tables.phrase_reading(phrases[-1].phrase, end - position)
            else:
                end = position + 1
                readings.append(self._tables.character_reading(text[position]))
            position = end
        return readings

    def phrase_spans(self, text: str) -> list[tuple[int, int]]:
        """Per character (start, end) of the phrase that `read` takes it from, or of itself."""
        spans: list[tuple[int, int]] = []
        while len(spans) < len(text):
            start = len(spans)
            phrases = [e for e in self._tables.entries(text, start) if e.phrase]
            end = phrases[-1].end if phrases else start + 1
            spans += [(start, end)] * (end - start)
        return spans

    def phrase(self, word: str) -> Sequence[str] | None:
        entry = self._tables.entry(word)
        if entry is None or not entry.phrase:
            return None
        return self._tables.phrase_reading(entry.phrase, len(word))
