"""The text front end with the owner's lexicon and, where one is installed, a polyphone model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.errors import ModelError
from edge_tts.text.english.language import English
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.languages import Language
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.mandarin.language import Mandarin
from edge_tts.text.mandarin.polyphones import Features, PolyphoneModel
from edge_tts.text.mandarin.tables import MandarinTables
from edge_tts.text.spoken_rules import SpokenRules

GRAPHS = ("g2pw.onnx", "g2pW.onnx")
"""The graph's names in the releases of g2pW."""


def open_front_end(
    stack: ExitStack,
    *,
    lexicon: Mapping[str, Mapping[str, str]] | Callable[[], Lexicon],
    polyphones: Path | None = None,
    day_first: bool = False,
    rules: SpokenRules | None = None,
    load: Callable[[Path], Engine] = load_engine,
) -> TextFrontEnd:
    """The front end; `stack` closes its network.

    `polyphones` is the folder of a g2pW model: graph, POLYPHONIC_CHARS.txt and the vocab.txt of bert-base-chinese.
    `day_first`: 05/06 in English is a day of June. Raises TextError (lexicon) or ModelError (polyphones).
    """
    languages: dict[str, Language] = {"en": English(day_first=True)} if day_first else {}
    if polyphones is not None:
        languages["zh"] = Mandarin(polyphones=_open_model(polyphones, stack, load))
    return TextFrontEnd(lexicon=lexicon, languages=languages, rules=rules)


def _open_model(polyphones: Path, stack: ExitStack, load: Callable[[Path], Engine]) -> PolyphoneModel:
    graph = next((polyphones / name for name in GRAPHS if (polyphones / name).is_file()), None)
    if graph is None:
        raise ModelError(f"text.polyphones: {polyphones} holds no {GRAPHS[0]}; it should be the folder of a g2pW model")
    engine = load(graph)
    stack.callback(engine.close)
    if len(engine.outputs) != 1:
        raise ModelError(f"{graph} has outputs {', '.join(engine.outputs)}; a g2pW model has one, the probabilities")
    (output,) = engine.outputs

    def probabilities(features: Features) -> npt.NDArray[np.float32]:
        return np.asarray(engine.run(features)[output], dtype=np.float32)

    vocabulary = polyphones / "vocab.txt"
    return PolyphoneModel(polyphones, network=probabilities, vocabulary=vocabulary, tables=MandarinTables())
