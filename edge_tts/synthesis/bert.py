"""BERT features of Chinese runs: one hidden row per character, repeated for its phonemes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge_tts.engine.contract import Engine
from edge_tts.errors import ModelError, TextError
from edge_tts.graphs import BERT, BERT_POSITIONS, HIDDEN, TOKEN_IDS
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.values import FloatArray, ModelSet, Run, Segment

_START, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"


class BertFeatures:
    """Segment -> float32 [phonemes, width]. Other languages than Mandarin get zeros, as the GPT was trained."""

    def __init__(
        self, *, engine: Engine, vocabulary: dict[str, int], width: int, positions: int = BERT_POSITIONS
    ) -> None:
        """`positions`: most characters of a run, two special tokens included."""
        self._engine, self._vocabulary, self._width, self._positions = engine, vocabulary, width, positions

    def __call__(self, segment: Segment) -> FloatArray:
        parts = [self._run(run) for run in segment.runs]
        return np.concatenate(parts) if parts else np.zeros((0, self._width), np.float32)

    def _run(self, run: Run) -> FloatArray:
        if run.language != "zh" or run.word2ph is None or not run.normalized:
            return np.zeros((len(run.phonemes), self._width), np.float32)
        unknown = self._vocabulary[_UNKNOWN]
        characters = [self._vocabulary.get(character, unknown) for character in run.normalized]
        ids = np.array([[self._vocabulary[_START], *characters, self._vocabulary[_END]]], np.int64)
        if ids.shape[1] > self._positions:
            raise TextError(f"{len(characters)} characters in a row are too many; {self._positions - 2} can be read")
        hidden = self._engine.run({TOKEN_IDS: ids})[HIDDEN][0, 1:-1]
        features: FloatArray = np.repeat(hidden.astype(np.float32), run.word2ph, axis=0)
        return features


def load_bert(model: ModelSet, stack: ExitStack, load: Callable[[Path], Engine]) -> BertFeatures | None:
    """The BERT of a model set, closed by `stack`, or None. Raises `ModelError`."""
    path = model.directory / "vocab.txt"
    if not model.graph(BERT).is_file() or not path.is_file():
        return None
    vocabulary = read_vocabulary(path)
    engine = GraphLoader(model, stack, load)(BERT)
    sizes = model.sizes
    return BertFeatures(
        engine=engine, vocabulary=vocabulary, width=sizes.bert_width, positions=sizes.limits.bert_positions
    )


def read_vocabulary(path: Path) -> dict[str, int]:
    """A BERT `vocab.txt`, one token a line, as token -> id. Raises `ModelError`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not a readable BERT vocabulary: {error}") from error
    vocabulary = {token: index for index, token in enumerate(lines)}
    missing = [token for token in (_START, _END, _UNKNOWN) if token not in vocabulary]
    if missing:
        raise ModelError(f"{path}: not a BERT vocabulary: it lacks {', '.join(missing)}")
    return vocabulary
