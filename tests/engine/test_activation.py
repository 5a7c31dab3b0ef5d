"""An engine speaks only after the golden phrases agreed with ONNX Runtime; the daemon's own path ends in sound."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_tts.engine.load import load_engine
from edge_tts.engine.onnxruntime import CPU
from edge_tts.engine.tensorrt.trt_engine import TrtEngine
from edge_tts.errors import ModelError
from edge_tts.graphs import BUILT
from edge_tts.model_sets.activation import activate
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.synthesizer import load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import FloatArray

from .here import Here
from .small_set import model_set, voice

SPOKEN = [name for name in BUILT if name != "bert"]


@pytest.fixture
def here(tmp_path: Path, half_graphs: Path) -> Iterator[Here]:
    """A fresh device with the float16 set."""
    place = Here(tmp_path, half_graphs)
    yield place
    assert place.device.leaks == []


def spoken(place: Here, execution: str = "tensorrt") -> tuple[FloatArray, set[str]]:
    """One sentence through the daemon's path, and who ran its graphs."""
    request = SpeakRequest(text="The tea is ready.", id="1", voice="v", seed=4)
    with place.loader(execution) as loader, ExitStack() as stack:
        model = model_set(place.graphs, "fp16")
        activate(model, loader)
        speaker = load_synthesizer(model, TextFrontEnd(), stack, load=loader.load)
        chunks = [chunk.samples for chunk in speaker.stream(request, voice(), _limit(40))]
        return np.concatenate(chunks), {choice.runs_on for choice in loader.choices}


def _limit(steps: int) -> Callable[[], bool]:
    left = iter(range(steps))
    return lambda: next(left, None) is None


def test_five_engines_are_judged_and_speak(here: Here) -> None:
    """First start: all five graphs are built, compared and used; the sentence equals ONNX Runtime's."""
    found, runners = spoken(here)
    assert runners == {"tensorrt"}
    assert sorted(here.builds) == sorted(SPOKEN)
    expected, runners = spoken(here, "cpu")
    assert runners == {CPU}
    np.testing.assert_array_equal(found, expected)
    assert len(found) > 0
    spoken(here)
    assert sorted(here.builds) == sorted(SPOKEN)  # nothing was built or judged twice


@pytest.mark.parametrize("fault", ["wrong", "not finite"])
def test_an_engine_that_disagrees_does_not_speak(here: Here, fault: str) -> None:
    """Engines whose numbers are off, or not finite, are refused for good: ONNX Runtime speaks, now and next time."""
    here.faults.wrong_by, here.faults.not_finite = (0.3, False) if fault == "wrong" else (0.0, True)
    model = model_set(here.graphs, "fp16")
    with here.loader() as loader:
        results = activate(model, loader)
        assert {result.graph for result in results} == set(SPOKEN)
        assert not any(result.agrees for result in results)
        assert all(result.finite == (fault == "wrong") for result in results)
    here.faults.wrong_by, here.faults.not_finite = 0.0, False
    expected, _ = spoken(here, "cpu")
    found, runners = spoken(here)
    assert runners == {CPU}
    np.testing.assert_array_equal(found, expected)


def test_an_engine_is_judged_with_sequences_side_by_side(here: Here) -> None:
    """A step that is right for one sequence and wrong for the second of several is refused where several may come; it
    is the only engine that is built anew for them."""
    model = model_set(here.graphs, "fp16")
    here.faults.wrong_beside_by = 5.0
    with here.loader() as loader:
        assert all(result.agrees for result in activate(model, loader))
    here.builds.clear()
    with here.loader(batch=4) as loader:
        refused = {result.graph for result in activate(model, loader) if not result.agrees}
    assert (here.builds, refused) == (["t2s_step"], {"t2s_step"})
    here.faults.wrong_beside_by = 0.0
    with here.loader(batch=4) as loader:
        assert all(result.agrees for result in activate(model, loader, again=True))


def test_doctor_may_judge_again(here: Here) -> None:
    """What was refused is accepted again once a new comparison agrees; times of both are measured."""
    model = model_set(here.graphs, "fp16")
    here.faults.wrong_by = 0.3
    with here.loader() as loader:
        activate(model, loader)
    here.faults.wrong_by = 0.0
    with here.loader() as loader:
        results = activate(model, loader, again=True)
        assert all(result.agrees for result in results)
        assert all(result.latency_ms[0] > 0 and result.reference_ms[2] >= result.reference_ms[0] for result in results)
        assert "relative rms error 0" in results[0].summary
    assert spoken(here)[1] == {"tensorrt"}


def test_a_full_device_is_not_held_against_the_engine(here: Here) -> None:
    """An engine that finds no memory is not used, and is judged at the next start."""
    model = model_set(here.graphs, "fp16")
    with here.loader() as loader:
        loader.prepare([model.graph(name) for name in SPOKEN])
        here.device.used = here.device.total
        assert all(result.latency_ms == (0, 0, 0) for result in activate(model, loader))
        loader.load(here.wave).close()
        assert "MB are free" in loader.choices[0].reason
        here.device.used = 0
    with here.loader() as loader:
        assert len(loader.prepare([here.wave])) == 1


def test_a_set_with_bert_compares_that_too(here: Here) -> None:
    """The BERT graph of a set is built and compared like the others."""
    from .tiny_bert import write_bert

    write_bert(here.graphs / "bert.onnx")
    model = model_set(here.graphs, "fp16")
    with here.loader() as loader:
        (result,) = [r for r in activate(model, loader) if r.graph == "bert"]
        assert result.agrees
        assert result.latency_ms[0] > 0
    shutil.rmtree(here.graphs)


def test_a_set_with_a_wrong_graph_is_refused_before_it_speaks(here: Here) -> None:
    """A float32 cache in a float16 set is named when the set is judged and when it is loaded, and so is its file."""
    model = model_set(here.graphs, "fp32")
    said = r"t2s_prefill\.onnx: not what a v2 model set runs: t2s_prefill: its output rows is float16"
    with here.loader() as loader, pytest.raises(ModelError, match=said):
        activate(model, loader)
    with ExitStack() as stack, pytest.raises(ModelError, match=said):
        load_synthesizer(model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))


def test_an_engine_is_built_within_the_positions_of_its_set(here: Here) -> None:
    """What `activate` builds admits as many phonemes as the set has positions for, and not one more."""
    model = model_set(here.graphs, "fp16")
    model = replace(model, sizes=replace(model.sizes, text_positions=200))
    with here.loader() as loader:
        activate(model, loader)
        engine = loader.load(here.prefill)
        assert isinstance(engine, TrtEngine)
        assert engine.ranges["phoneme_ids"].max == (1, 200)
        loader.load(here.step).close()
        engine.close()
