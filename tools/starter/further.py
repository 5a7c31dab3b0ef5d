"""The rest of the evaluation: tokens -> speech, how the voices differ, speech quality, cloning of unseen speakers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_tts.values import ModelSet

FloatArray = npt.NDArray[np.float32]


def figures(model: ModelSet, sentences: Sequence[str], originals: Sequence[FloatArray]) -> dict[str, float]:
    """Every figure that can be had here."""
    return {}
