"""The words that were added while the device runs: a file beside the configured lexicon, which they go before.

Daemon and command line both change it, under a lock; each reads it again when it has changed.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder, other_owner
from edge_tts.durable.lock import locked
from edge_tts.errors import TextError
from edge_tts.schema import Field, Record, check_json
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.pronunciation import check_entry

log = logging.getLogger(__name__)

MOST_WORDS = 1000
Words = Mapping[str, Mapping[str, str]]
"""Language -> word -> pronunciation."""


class StoredWords(Record):
    words: dict[str, dict[str, str]] = Field(default={})


class LexiconFile:
    """Thread-safe. A file that cannot be used is logged once and does not keep the device from speaking."""

    def __init__(self, path: Path, configured: Words) -> None:
        """`configured`: text.lexicon. Raises TextError for a wrong entry in it."""
        self.path, self.configured = path, configured
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = ()
        self._lexicon = Lexicon(configured)

    def lexicon(self) -> Lexicon:
        """The configured and the added words, as the file has them now. Costs a stat while it stays the same."""
        with self._lock:
            signature = self._signature()
            if signature != self._seen:
                self._seen = signature
                try:
                    self._lexicon = Lexicon(merged(self.configured, self.added()))
                except TextError as damaged:
                    log.warning("the words that were added are not used, or as they were before: %s", damaged)
            return self._lexicon

    def added(self) -> dict[str, dict[str, str]]:
        """The words in the file. Raises TextError for a file that is damaged or cannot be read."""
        try:
            return check_json(StoredWords, self.path.read_bytes(), error=TextError, what=str(self.path)).words
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise TextError(f"{self.path} cannot be read: {error.strerror}") from error

    def add(self, language: str, word: str, value: str) -> tuple[str, ...] | str:
        """Keep a word, in place of an earlier one; what it is read as. Raises TextError."""
        word, value = word.strip(), value.strip()
        read = check_entry(language, word, value)

        def put(words: dict[str, dict[str, str]]) -> None:
            same = words.setdefault(language, {})
            for old in [old for old in same if old.casefold() == word.casefold()]:
                del same[old]
            same[word] = value
            if sum(map(len, words.values())) > MOST_WORDS:
                raise TextError(f"lexicon: {MOST_WORDS} words were added, which is the most; remove one first")

        self._change(put)
        return read

    def remove(self, word: str, language: str | None = None) -> list[str]:
        """Forget an added word; the languages that it was in. Raises TextError when it is not there."""

        def drop(words: dict[str, dict[str, str]]) -> None:
            for name in [name for name in words if language in (None, name)]:
                for old in [old for old in words[name] if old.casefold() == word.strip().casefold()]:
                    del words[name][old]
                    found.append(name)
            if not found:
                raise TextError(self._absent(word, words))

        found: list[str] = []
        self._change(drop)
        return found

    def _absent(self, word: str, words: Words) -> str:
        if any(word.strip().casefold() == known.casefold() for same in self.configured.values() for known in same):
            return f"lexicon: {word!r} is in text.lexicon of the configuration, which is changed there"
        known = sorted(known for same in words.values() for known in same)
        return f"lexicon: {word!r} was not added; added: {', '.join(known[:20]) or 'nothing'}"

    def _change(self, change: Callable[[dict[str, dict[str, str]]], None]) -> None:
        try:
            folder = make_folder(self.path.parent)
            if (account := other_owner(folder)) is not None:
                raise TextError(f"{folder} belongs to the account {account}: sudo -u {account} edge-ttsd lexicon ...")
            with locked(self.path.with_suffix(".lock")):
                words = self.added()
                change(words)
                stored = StoredWords(words={name: same for name, same in words.items() if same})
                write_atomic(self.path, stored.model_dump_json(indent=1).encode() + b"\n")
        except OSError as error:
            raise TextError(f"the lexicon cannot be kept in {self.path}: {error.strerror}") from error

    def _signature(self) -> tuple[int, ...] | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def merged(configured: Words, added: Words) -> dict[str, dict[str, str]]:
    """`added` before `configured`, whatever the case of a word."""
    both = {}
    for language in {**configured, **added}:
        own = added.get(language, {})
        folded = {word.casefold() for word in own}
        rest = {w: v for w, v in configured.get(language, {}).items() if w.strip().casefold() not in folded}
        both[language] = {**rest, **own}
    return both
