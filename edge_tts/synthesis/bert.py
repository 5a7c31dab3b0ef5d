"""BERT features of Chinese runs: one hidden row per character, repeated for each of its phonemes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge_tts.engine.contract import Engine
from edge_tts.errors import ModelError
from edge_tts.values import FloatArray, ModelSet, Run, Segment

_START, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"


class BertFeatures:
    """Segment -> float32 [phonemes, width]. Runs of other languages than Mandarin get zeros, as the GPT was trained."""

    def __init__(self, *, engine: Engine, vocabulary: dict[str, int], width: int) -> None:
        self._engine, self._vocabulary, self._width = engine, vocabulary, width

    def __call__(self, segment: Segment) -> FloatArray:
        parts = [self._run(run) for run in segment.runs]
        return np.concatenate(parts) if parts else np.zeros((0, self._width), np.float32)

    def _run(self, run: Run) -> FloatArray:
        if run.language != "zh" or run.word2ph is None or not run.normalized:
            return np.zeros((len(run.phonemes), self._width), np.float32)
        unknown = self._vocabulary[_UNKNOWN]
        characters = [self._vocabulary.get(character, unknown) for character in run.normalized]
        ids = np.array([[self._vocabulary[_START], *characters, self._vocabulary[_END]]], np.int64)
        hidden = self._engine.run({"token_ids": ids})["hidden"][0, 1:-1]
        features: FloatArray = np.repeat(hidden.astype(np.float32), run.word2ph, axis=0)
        return features


def load_bert(model: ModelSet, stack: ExitStack, load: Callable[[Path], Engine]) -> BertFeatures | None:
    """The BERT of a model set, loaded by `load` and closed by `stack`; None for a set without BERT or its vocabulary,
    whose GPT then gets zeros. Raises `ModelError` when what is there cannot be used."""
    graph, vocabulary = model.graph("bert"), model.directory / "vocab.txt"
    if not graph.is_file() or not vocabulary.is_file():
        return None
    tokens = read_vocabulary(vocabulary)
    engine = load(graph)
    stack.callback(engine.close)
    return BertFeatures(engine=engine, vocabulary=tokens, width=model.sizes.bert_width)


def read_vocabulary(path: Path) -> dict[str, int]:
    """A BERT `vocab.txt`, one token a line, as token -> id. Raises `ModelError` when it is not one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not a readable BERT vocabulary: {error}") from error
    vocabulary = {token: index for index, token in enumerate(lines)}
    missing = [token for token in (_START, _END, _UNKNOWN) if token not in vocabulary]
    if missing:
        raise ModelError(f"{path}: not a BERT vocabulary: it lacks {', '.join(missing)}")
    return vocabulary
