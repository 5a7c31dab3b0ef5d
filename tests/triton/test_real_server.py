"""A repository on the real Triton server (PyTriton's wheel, which has the Python back end alone)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from edge_tts.request import SpeakMessage, SpeakRequest
from edge_tts.synthesis.g2pw import open_front_end
from edge_tts.synthesis.networks import load_networks
from edge_tts.values import ModelSet
from edge_tts.voices.builtin import BuiltinVoices
from tools.triton.repository import Serving, write_repository
from triton.server import counted, say, serving

pytest.importorskip("pytriton", reason="nvidia-pytriton is not installed (extra triton-check; Python 3.10 on x86-64)")
pytest.importorskip("tritonclient.grpc")

TEXT = "Hello there, the door is open."


def test_a_repository_speaks(small: ModelSet, tmp_path: Path) -> None:
    """Over gRPC a sentence comes in chunks and is, sample for sample, what the appliance says; a wrong request gets the
    appliance's own words; of eight at once several share a run of the wave."""
    options = Serving(runtime="python", instances=4, delay_us=50_000)
    write_repository(small, tmp_path / "repository", options)
    request = json.dumps({"text": TEXT, "seed": 3})
    with serving(tmp_path / "repository", tmp_path) as ports:
        samples, rate, chunks = say(ports["grpc"], request)
        assert (rate, chunks > 1) == (small.sample_rate, True)
        np.testing.assert_allclose(samples, _said(small), atol=1e-4)
        for wrong, words in (({"text": "x", "voice": "nobody"}, "no voice 'nobody'"), ({"txt": "x"}, "unknown key")):
            with pytest.raises(Exception, match=words):
                say(ports["grpc"], json.dumps(wrong))
        with ThreadPoolExecutor(8) as pool:
            for again, _, _ in pool.map(lambda _: say(ports["grpc"], request), range(8)):
                np.testing.assert_allclose(again, samples, atol=1e-4)
        asked, ran = (
            counted(ports["metrics"], name)["wave"] for name in ("nv_inference_count", "nv_inference_exec_count")
        )
        assert ran < asked


def _said(model: ModelSet) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    with ExitStack() as stack:
        networks = load_networks(model, open_front_end(stack, lexicon={}), stack)
        voice = BuiltinVoices(model).load(model.voices[0])
        request = SpeakRequest.accept(SpeakMessage(text=TEXT, seed=3), id="direct", voice=voice.id)
        return np.concatenate([chunk.samples for chunk in networks.stream(request, voice)])
