"""Loads the graphs of a model set and refuses one that breaks its contract."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from edge_tts.engine.contract import Engine
from edge_tts.errors import ModelError
from edge_tts.graphs import check
from edge_tts.values import ModelSet


class GraphLoader:
    """Loads graphs of one set, closed by `stack`. Sizes of the first graphs bind the next."""

    def __init__(self, model: ModelSet, stack: ExitStack, load: Callable[[Path], Engine]) -> None:
        self._model, self._stack, self._load = model, stack, load
        self._sizes: dict[str, int] = asdict(model.sizes)

    def __call__(self, name: str) -> Engine:
        """The graph of that name. Raises `ModelError` that names graph and tensor."""
        path = self._model.graph(name)
        engine = self._load(path)
        self._stack.callback(engine.close)
        try:
            half = self._model.precision == "fp16"
            self._sizes = check(name, engine, self._model.family, self._sizes, half=half)
        except ModelError as error:
            raise ModelError(f"{path}: not what a {self._model.family} model set runs: {error}") from error
        return engine
