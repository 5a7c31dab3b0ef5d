"""The contract of the graphs against the set that ships, against graphs that break it, and as profiles of engines."""

from __future__ import annotations

import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_tts.engine.contract import TensorSpec
from edge_tts.engine.load import load_engine
from edge_tts.engine.tensorrt.profiles import shape_ranges
from edge_tts.errors import ModelError
from edge_tts.graphs import BUCKET, BUILT, CONTRACTS, FAMILIES, MOST_ROWS, Axis, SequenceLimits, Tensor, check
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.checked import GraphLoader

STARTER = Path(__file__).parent.parent / "models" / "starter"
SIZES = {
    "planes": 4,
    "t2s_width": 32,
    "tokens": 1025,
    "bert_width": 16,
    "conditioning_width": 8,
    "feature_width": 12,
    "latent_width": 6,
    "ssl_width": 24,
    "speaker_width": 20,
}


@dataclass
class Found:
    """A graph as it might lie in a set."""

    inputs: dict[str, TensorSpec] = field(default_factory=dict)
    outputs: dict[str, TensorSpec] = field(default_factory=dict)

    def change(self, tensor: str, **changes: object) -> None:
        """Give a tensor another name, shape or dtype, keeping its place."""
        for side in (self.inputs, self.outputs):
            if tensor in side:
                old = side.pop(tensor)
                values = {"name": tensor, "shape": old.shape, "dtype": old.dtype, **changes}
                side[str(values["name"])] = TensorSpec(**values)  # type: ignore[arg-type]


def right(graph: str, family: str = "v2Pro", *, half: bool = False) -> Found:
    """A graph as the table wants it."""

    def specs(tensors: tuple[Tensor, ...]) -> dict[str, TensorSpec]:
        made = {}
        for tensor in tensors:
            names = [f"{tensor.name}{i}" for i in range(SIZES["planes"])] if tensor.repeated else [tensor.name]
            shape = tuple(
                size.name if isinstance(size, Axis) else SIZES[size] if isinstance(size, str) else size
                for size in tensor.shape
            )
            for name in names if family in tensor.families else []:
                made[name] = TensorSpec(name, shape, np.dtype(tensor.dtype_in(half=half)))
        return made

    return Found(specs(CONTRACTS[graph].inputs), specs(CONTRACTS[graph].outputs))


@pytest.mark.parametrize("graph", CONTRACTS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("half", [False, True])
def test_a_graph_after_the_table_passes(graph: str, family: str, half: bool) -> None:
    """What the table describes is accepted, and tells the sizes that were not known."""
    assert check(graph, right(graph, family, half=half), family, SIZES, half=half) == SIZES
    assert set(check(graph, right(graph, family, half=half), family, {}, half=half).items()) <= set(SIZES.items())


def test_the_starter_keeps_the_contract() -> None:
    """Every graph that ships takes and gives what the table says of its family, at the sizes of its manifest."""
    model = read_model_set(STARTER)
    with ExitStack() as stack:
        graph = GraphLoader(model, stack, partial(load_engine, threads=1))
        found = [name for name in CONTRACTS if model.graph(name).is_file()]
        assert len([graph(name) for name in found]) == 8
    assert model.most_phonemes == 512


@pytest.mark.parametrize(
    ("graph", "tensor", "changes", "said"),
    [
        (
            "wave",
            "latent",
            {"name": "latents"},
            r"wave: has no input latent \(float32 \[1, 6, F\]\); it has ge, latents",
        ),
        ("wave", "ge", {"dtype": np.dtype(np.float16)}, r"input ge is float16 \[1, 8, 1\]; .* float32 \[1, 8, 1\]"),
        ("wave", "audio", {"name": "sound"}, r"wave: has no output audio .*; it has sound"),
        ("encoder", "codes", {"dtype": np.dtype(np.int32)}, r"encoder: its input codes is int32 .* int64 \[1, N\]"),
        ("encoder", "codes", {"shape": (1, 64)}, r"encoder: its input codes is int64 \[1, 64\]; .* \[1, N\]"),
        ("flow", "noise", {"shape": (1, 7, "F")}, r"flow: its input noise is float32 \[1, 7, F\]; .* \[1, 6, F\]"),
        ("t2s_step", "cache_2", {"name": "cash_2"}, r"t2s_step: has no input cache_2 \(float32 \[S, B, 32\]\)"),
        ("t2s_step", "rows", {"dtype": np.dtype(np.float16)}, r"t2s_step: its output rows is float16"),
        ("conditioning", "speaker", {"shape": (1, 21)}, r"conditioning: its input speaker is float32 \[1, 21\]"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_named(
    graph: str, tensor: str, changes: dict[str, object], said: str
) -> None:
    """A misnamed, mistyped or misshapen tensor: the error tells graph, tensor, what it is and what would be right."""
    found = right(graph)
    found.change(tensor, **changes)
    with pytest.raises(ModelError, match=said):
        check(graph, found, "v2Pro", SIZES, half=False)


def test_an_unknown_input_is_named() -> None:
    """The speaker embedding in a family without one is refused; an output more than asked for is not."""
    with pytest.raises(
        ModelError, match="conditioning: its input speaker is fed by nobody; right would be spectrogram"
    ):
        check("conditioning", right("conditioning"), "v2", SIZES, half=False)
    more = right("wave")
    more.outputs["inside"] = more.outputs["audio"]
    check("wave", more, "v2", SIZES, half=False)


def test_the_cache_of_a_float16_set_is_float16() -> None:
    """Only what stays on the device between two runs follows the precision of the set."""
    with pytest.raises(ModelError, match=r"its input cache_0 is float32 .* float16 \[S, B, 32\]"):
        check("t2s_step", right("t2s_step"), "v2", SIZES, half=True)
    halves = [spec.name for spec in right("t2s_step", half=True).inputs.values() if spec.dtype == np.float16]
    assert halves == ["cache_0", "cache_1", "cache_2", "cache_3"]


def test_graphs_of_a_set_agree_on_what_the_manifest_does_not_say() -> None:
    """A size that only the graphs tell is taken from the first and binds the others."""
    known = check("t2s_prefill", right("t2s_prefill"), "v2", {}, half=False)
    step = right("t2s_step")
    step.change("cache_0", shape=("S", "B", 64))
    with pytest.raises(ModelError, match=r"cache_0 is float32 \[S, B, 64\]; right would be float32 \[S, B, 32\]"):
        check("t2s_step", step, "v2", known, half=False)


def test_profiles_stay_within_the_positions_of_the_set() -> None:
    """Whatever a set's sizes are, no engine is built for more than it has positions for, and min <= opt <= max."""
    draw = random.Random(7)
    for _ in range(200):
        limits = SequenceLimits(
            text_positions=draw.randint(1, 3000),
            audio_positions=draw.randint(1, 3000),
            bert_positions=draw.randint(2, 1000),
            flow_frames=draw.randint(1, 20000),
        )
        batch = draw.randint(1, MOST_ROWS)
        for graph in BUILT:
            inputs = {
                name: tuple(size if isinstance(size, int) else -1 for size in spec.shape)
                for name, spec in right(graph).inputs.items()
            }
            ranges = shape_ranges(graph, inputs, limits=limits, batch=batch)
            for shapes in ranges.values():
                assert all(a <= b <= c for a, b, c in zip(shapes.min, shapes.opt, shapes.max, strict=True))
            if "phoneme_ids" in ranges:
                assert ranges["phoneme_ids"].max[1] == min(1024, limits.text_positions)
            if graph == "t2s_prefill":
                assert ranges["prompt_tokens"].max[1] <= limits.audio_positions
                assert ranges["bert"].max[1] == ranges["phoneme_ids"].max[1] == limits.most_phonemes
                assert ranges["mask"].max[0] == ranges["phoneme_ids"].max[1] + ranges["prompt_tokens"].max[1]
            if graph == "t2s_step":
                assert ranges["cache_0"].max[0] == limits.cache_positions <= 2048
                assert limits.cache_positions % BUCKET == 0
                assert ranges["token"].max == (batch,)
            if graph == "bert":
                assert ranges["token_ids"].max[1] <= limits.bert_positions
            if graph == "flow":
                assert ranges["features"].max[2] == limits.flow_frames


def test_an_engine_of_the_starter_is_built_for_its_512_phonemes() -> None:
    """The profile follows the manifest, not the longest family; the flow, whose phase runs on, reads a whole piece."""
    limits = read_model_set(STARTER).sizes.limits
    prefill = {"phoneme_ids": (1, -1), "bert": (1, -1, 1024), "prompt_tokens": (1, -1), "mask": (-1, -1)}
    assert shape_ranges("t2s_prefill", prefill, limits=limits)["phoneme_ids"].max == (1, 512)
    assert shape_ranges("encoder", {"phoneme_ids": (1, -1)}, limits=limits)["phoneme_ids"].max == (1, 512)
    assert shape_ranges("flow", {"noise": (1, 192, -1)}, limits=limits)["noise"].max[2] >= 2 * 1500
