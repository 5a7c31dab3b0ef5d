"""Speaking through the product: one sentence, one voice, one wave."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_tts.request import SpeakRequest
from edge_tts.synthesis.synthesizer import Synthesizer
from edge_tts.values import Voice

SEED = 7


def spoken(
    synthesizer: Synthesizer, voice: Voice, text: str, seed: int = SEED, *, language: str = "en"
) -> npt.NDArray[np.float32]:
    """What the product says with the model's own sampling, at the model's rate, without the pause after it."""
    request = SpeakRequest(
        text=text,
        id="evaluation",
        voice=voice.id,
        language=language,
        fragment_interval=0.0,
        seed=seed,
    )
    return np.concatenate([chunk.samples for chunk in synthesizer.stream(request, voice)])
