"""Readings in context from an installed g2pW model.

The published interface: one row per character with several readings; inputs `input_ids`, `token_type_ids`,
`attention_mask` (int64 [batch, tokens]), `phoneme_mask` (float32 [batch, labels], 1 for the character's readings),
`char_ids` and `position_ids` (int64 [batch]); output label probabilities, float32 [batch, labels]. Labels are bopomofo
readings with a tone digit, sorted; text is in Taiwanese spelling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_tts.errors import ModelError
from edge_tts.text.mandarin.tables import MandarinTables

Features = Mapping[str, npt.NDArray[np.int64] | npt.NDArray[np.float32]]
Network = Callable[[Features], npt.NDArray[np.float32]]
"""Features by name -> label probabilities, float32 [batch, labels]."""

_LONGEST = 510
"""Characters that fit beside [CLS] and [SEP]."""
_BATCH = 32
_LEFT_TO_SANDHI = frozenset("一不")


class PolyphoneModel:
    """A clause -> readings, for `Mandarin(polyphones=...)`."""

    def __init__(self, folder: Path, *, network: Network, vocabulary: Path, tables: MandarinTables) -> None:
        """`folder`: POLYPHONIC_CHARS.txt, optionally MONOPHONIC_CHARS.txt and config.py; `vocabulary`:
        bert-base-chinese's vocab.txt. Raises ModelError when one is missing or malformed."""
        self._network = network
        self._tables = tables
        self._tokens = {token: i for i, token in enumerate(_lines(vocabulary))}
        missing = [t for t in ("[CLS]", "[SEP]", "[UNK]") if t not in self._tokens]
        if missing:
            raise ModelError(
                f"{vocabulary} has no {' and no '.join(missing)}: it should be the vocab.txt of bert-base-chinese"
            )
        pairs = _pairs(folder / "POLYPHONIC_CHARS.txt")
        # Some releases have labels per character, as their config.py says.
        per_character = _is_set(folder / "config.py", "use_char_phoneme")
        names = [f"{c} {r}" if per_character else r for c, r in pairs]
        self._labels = sorted(set(names))
        place = {label: i for i, label in enumerate(self._labels)}
        self._choices: dict[str, list[int]] = {}
        for (character, _), name in zip(pairs, names, strict=True):
            self._choices.setdefault(character, []).append(place[name])
        self._characters = {c: i for i, c in enumerate(sorted(self._choices))}
        single = folder / "MONOPHONIC_CHARS.txt"
        self._single = dict(_pairs(single)) if single.is_file() else {}

    def __call__(self, clause: str) -> list[str | None]:
        text = clause.translate(self._tables.taiwanese)
        readings = [self._pinyin(self._single[c]) if c in self._single else None for c in text]
        polyphones = [i for i, c in enumerate(text) if c in self._choices and c not in _LEFT_TO_SANDHI]
        for start in range(0, len(polyphones), _BATCH):
            places = polyphones[start : start + _BATCH]
            for place, label in zip(places, self._predict(text, places), strict=True):
                readings[place] = self._pinyin(label.split(" ")[-1])
        return readings

    def _predict(self, text: str, places: Sequence[int]) -> list[str]:
        features = self._features(text, places)
        probabilities = self._network(features)
        expected = len(places), len(self._labels)
        if probabilities.shape != expected:
            raise ModelError(
                f"the polyphone model gave an array of shape {probabilities.shape}, not {expected}: "
                "its POLYPHONIC_CHARS.txt belongs to another release"
            )
        return [self._labels[i] for i in probabilities.argmax(axis=1).tolist()]

    def _features(self, text: str, places: Sequence[int]) -> Features:
        """One row per place: the clause or a window of it, padded to one length."""
        windows = [_window(len(text), place) for place in places]
        width = max(end - start for start, end in windows) + 2
        tokens, mask = np.zeros((len(places), width), np.int64), np.zeros((len(places), width), np.int64)
        allowed = np.zeros((len(places), len(self._labels)), np.float32)
        unknown = self._tokens["[UNK]"]
        for row, (place, (start, end)) in enumerate(zip(places, windows, strict=True)):
            ids = [self._tokens.get(c, unknown) for c in text[start:end]]
            ids = [self._tokens["[CLS]"], *ids, self._tokens["[SEP]"]]
            tokens[row, : len(ids)], mask[row, : len(ids)] = ids, 1
            allowed[row, self._choices[text[place]]] = 1
        return {
            "input_ids": tokens,
            "token_type_ids": np.zeros_like(tokens),
            "attention_mask": mask,
            "phoneme_mask": allowed,
            "char_ids": np.array([self._characters[text[p]] for p in places], np.int64),
            "position_ids": np.array([p - start + 1 for p, (start, _) in zip(places, windows, strict=True)], np.int64),
        }

    def _pinyin(self, bopomofo: str) -> str | None:
        syllable = self._tables.bopomofo.get(bopomofo[:-1])
        return syllable + bopomofo[-1] if syllable and bopomofo[-1] in "12345" else None


def _window(size: int, place: int) -> tuple[int, int]:
    start = max(0, min(place - _LONGEST // 2, size - _LONGEST))
    return start, min(size, start + _LONGEST)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the polyphone model needs {path}: {error}") from error


def _pairs(path: Path) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(_lines(path), 1):
        character, tab, reading = line.strip().partition("\t")
        if not tab and character:
            raise ModelError(f"{path}, line {number}: expected a character, a tab and a reading, found {line!r}")
        if tab:
            pairs.append((character, reading))
    return pairs


def _is_set(path: Path, option: str) -> bool:
    return (
        path.is_file() and re.search(rf"^\s*{option}\s*=\s*True\b", "\n".join(_lines(path)), re.MULTILINE) is not None
    )
