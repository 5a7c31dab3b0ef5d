"""Readings in context from a g2pW model that the user has installed. Knows its features, not how networks run.

The published interface: for every character with several readings one row of a batch; inputs `input_ids`,
`token_type_ids`, `attention_mask` (int64 [batch, tokens]), `phoneme_mask` (float32 [batch, labels], 1 for the readings
that the character can have), `char_ids` and `position_ids` (int64 [batch]); output the probability of every label,
float32 [batch, labels]. Labels are readings in bopomofo with a tone digit, sorted; text is in Taiwanese spelling.
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
"""Runs the graph: features by name -> probabilities float32 [batch, labels]."""

_LONGEST = 510
"""Characters that fit beside [CLS] and [SEP]."""
_BATCH = 32
_LEFT_TO_SANDHI = frozenset("一不")


class PolyphoneModel:
    """A callable from a clause to readings, for `Mandarin(polyphones=...)`."""

    def __init__(self, folder: Path, *, network: Network, vocabulary: Path, tables: MandarinTables) -> None:
        """`folder` holds POLYPHONIC_CHARS.txt (and MONOPHONIC_CHARS.txt, config.py) of the model; `vocabulary` is the
        vocab.txt of bert-base-chinese. Raises ModelError when a file is missing or malformed.
        """
        self._network = network
        self._tables = tables
        self._tokens = {token: i for i, token in enumerate(_lines(vocabulary))}
        missing = [t for t in ("[CLS]", "[SEP]", "[UNK]") if t not in self._tokens]
        if missing:
            raise ModelError(
                f"{vocabulary} has no {' and no '.join(missing)}: it should be the vocab.txt of bert-base-chinese"
            )
        pairs = _pairs(folder / "POLYPHONIC_CHARS.txt")
        # Some releases number the readings of each character apart; their configuration says so.
        apart = _says(folder / "config.py", "use_char_phoneme")
        names = [f"{c} {r}" if apart else r for c, r in pairs]
        self._labels = sorted(set(names))
        place = {label: i for i, label in enumerate(self._labels)}
        self._choices: dict[str, list[int]] = {}
        for (character, _), name in zip(pairs, names, strict=True):
            self._choices.setdefault(character, []).append(place[name])
        self._characters = {c: i for i, c in enumerate(sorted(self._choices))}
        single = folder / "MONOPHONIC_CHARS.txt"
        self._single = dict(_pairs(single)) if single.is_file() else {}

    def __call__(self, clause: str) -> list[str | None]:
        """Per character a reading like `hao3`, or None where the model has no say."""
        text = clause.translate(self._tables.taiwanese)
        readings = [self._pinyin(self._single[c]) if c in self._single else None for c in text]
        asked = [i for i, c in enumerate(text) if c in self._choices and c not in _LEFT_TO_SANDHI]
        for start in range(0, len(asked), _BATCH):
            places = asked[start : start + _BATCH]
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
        """One row per asked character; rows of a long text are windows around it, padded to one length."""
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
    """Character and reading of each line, which a tab separates."""
    pairs = []
    for number, line in enumerate(_lines(path), 1):
        character, tab, reading = line.strip().partition("\t")
        if not tab and character:
            raise ModelError(f"{path}, line {number}: expected a character, a tab and a reading, found {line!r}")
        if tab:
            pairs.append((character, reading))
    return pairs


def _says(path: Path, option: str) -> bool:
    return (
        path.is_file() and re.search(rf"^\s*{option}\s*=\s*True\b", "\n".join(_lines(path)), re.MULTILINE) is not None
    )
