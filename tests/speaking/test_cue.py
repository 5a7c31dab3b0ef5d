"""The audible mark: which requests have one, and that it goes wherever the speech goes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from fakes import silent_voice
from rig import sentence

from edge_tts.audio.chime import cue_sound
from edge_tts.audio.inaudible_mark import Marker
from edge_tts.config import MarkingConfig
from edge_tts.request import SpeakRequest
from edge_tts.speaking.cue import Cue
from edge_tts.values import AudioChunk


def marked(config: MarkingConfig, request: SpeakRequest) -> tuple[list[AudioChunk], list[str]]:
    """The chunks, and the texts that were spoken."""
    texts: list[str] = []

    def stream(said: SpeakRequest) -> Iterator[AudioChunk]:
        texts.append(said.text)
        yield AudioChunk(np.zeros(0, np.float32), 16000, said.id, False)
        yield AudioChunk(np.ones(100, np.float32), 16000, said.id, False)
        yield AudioChunk(np.ones(50, np.float32), 16000, said.id, True, ("a warning",))

    return list(Cue(config).before(request, silent_voice("hum"), stream)), texts


@pytest.mark.parametrize("kind", ["chime", "morse"])
def test_a_sound_goes_with_the_first_samples(kind: str) -> None:
    """Once, so that nothing lies between it and the speech, which is whole."""
    chunks, _ = marked(MarkingConfig.model_validate({"cue": kind}), sentence("a"))
    cue = cue_sound(kind, 16000)
    assert [len(chunk.samples) for chunk in chunks] == [0, len(cue) + 100, 50]
    np.testing.assert_array_equal(chunks[1].samples[: len(cue)], cue)
    assert 0.1 < np.abs(cue).max() < 1
    assert cue[-1] == 0


def test_a_sentence_is_spoken_before_the_request() -> None:
    """In the same voice; there is one last chunk, and no warning of the sentence's."""
    chunks, texts = marked(MarkingConfig(cue="spoken"), sentence("a", "Hello."))
    assert texts[1:] == ["Hello."]
    assert "computer" in texts[0]
    assert [chunk.last for chunk in chunks] == [False] * 5 + [True]
    assert [chunk.warnings for chunk in chunks] == [()] * 5 + [("a warning",)]


@pytest.mark.parametrize("kind", ["chime", "morse", "spoken"])
def test_exempt_priorities_are_unmarked(kind: str) -> None:
    """An alert comes at once where the configuration says so, and only then."""
    exempt = MarkingConfig.model_validate({"cue": kind, "exempt": ["alert"]})
    assert len(marked(exempt, sentence("a", priority="alert"))[0]) == 3
    total = sum(len(chunk.samples) for chunk in marked(exempt, sentence("a"))[0])
    assert total > 150


def test_morse_says_ai() -> None:
    """Dot dash, a longer pause, dot dot."""
    loud = np.abs(cue_sound("morse", 16000)) > 0.01
    frames = loud[: len(loud) // 960 * 960].reshape(-1, 960).mean(axis=1) > 0.5
    assert "".join("=" if frame else " " for frame in frames).rstrip() == "= ===   = ="


def test_the_inaudible_mark_is_in_all_that_is_said() -> None:
    """In the cue and the speech, whole at the last chunk; every request has it, one that is exempt too."""
    config = MarkingConfig.model_validate({"cue": "chime", "inaudible": True, "exempt": ["alert"]})
    plain, _ = marked(MarkingConfig(cue="chime"), sentence("a"))
    chunks, _ = marked(config, sentence("a"))
    said = np.concatenate([chunk.samples for chunk in chunks])
    wanted = Marker(16000).push(np.concatenate([chunk.samples for chunk in plain]), last=True)
    np.testing.assert_array_equal(said, wanted)
    assert [(chunk.last, chunk.warnings) for chunk in chunks][-1] == (True, ("a warning",))
    exempt, _ = marked(config, sentence("a", priority="alert"))
    assert [len(chunk.samples) for chunk in exempt] == [0, 0, 150], "what is short comes with the last chunk"
