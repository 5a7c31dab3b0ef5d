"""What is wrong with a build, in words; nothing when the graph is as a device needs it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_tts import graphs
from edge_tts.errors import ModelError
from edge_tts.values import ModelSet
from tools.engine_check.record import Build, Port

OPSETS = range(9, 21)
"""Of the default domain, as the parser of TensorRT 10.3 takes them (JetPack 6): the judge here is newer."""
_TABLE = Path(__file__).resolve().parents[2] / "tests" / "engine" / "data" / "tensorrt_onnx_ops.json"
_DTYPES = {"FLOAT": "float32", "HALF": "float16", "INT64": "int64"}


@dataclass(frozen=True)
class Seen:
    """A port as the contract's check takes it."""

    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True)
class SeenGraph:
    """A parsed graph as the contract's check takes it."""

    inputs: Mapping[str, Seen]
    outputs: Mapping[str, Seen]


def faults(build: Build, model: ModelSet, sizes: dict[str, int]) -> Iterator[str]:
    """Everything wrong with a build; `sizes` known of the set so far, completed by each graph."""
    if build.error:
        yield build.error
    yield from build.complaints
    if build.opset not in OPSETS:
        yield f"opset {build.opset}; TensorRT 10.3 takes {OPSETS[0]} to {OPSETS[-1]}"
    refused = [name for name in build.operators if _operators().get(name, {}).get("supported", "no") == "no"]
    if refused:
        yield f"TensorRT 10.3 takes no {', '.join(refused)}"
    if build.error:
        return
    if not build.strongly_typed:
        yield "the network is not strongly typed: TensorRT would choose the types"
    if build.flags:
        yield f"the builder's flags {', '.join(build.flags)} are on; none should be"
    yield from _contract(build, model, sizes)
    yield from _shapes(build)


def _contract(build: Build, model: ModelSet, sizes: dict[str, int]) -> Iterator[str]:
    """Names, element types and shapes that the parser read, against the contract of the family."""
    seen = SeenGraph(_seen(build.inputs), _seen(build.outputs))
    half = model.precision == "fp16"
    try:
        sizes.update(graphs.check(build.graph, seen, model.family, sizes, half=half))
    except ModelError as error:
        yield str(error)
        return
    for name, shown in build.engine_inputs.items():
        kind = shown.partition("[")[0].upper()
        if _DTYPES.get(kind) != seen.inputs[name].dtype or ":" in shown:
            yield f"the engine takes {name} as {shown}, not as plain rows of {seen.inputs[name].dtype}"


def _shapes(build: Build) -> Iterator[str]:
    """What the decoder relies on: no prompt at all, and a cache whose first positions are bound where they lie."""
    if build.graph == graphs.T2S_PREFILL and build.profile[graphs.PROMPT_TOKENS][0] != (1, 0):
        yield f"the profile takes prompts from {build.profile[graphs.PROMPT_TOKENS][0]} tokens on; voices may have none"
    planes = {name: port for name, port in build.inputs.items() if name.startswith(graphs.CACHE)}
    for name, port in planes.items():
        if build.graph == graphs.T2S_STEP and (port.shape[0] != -1 or port.shape[-1] == -1):
            yield f"{name} is {port.shape}; its positions must come first, so that a prefix is dense memory"


def _seen(ports: Mapping[str, Port]) -> dict[str, Seen]:
    def shape(name: str, port: Port) -> tuple[int | str, ...]:
        return tuple(size if size >= 0 else f"{name}.{axis}" for axis, size in enumerate(port.shape))

    return {name: Seen(shape(name, port), _DTYPES.get(port.dtype, port.dtype)) for name, port in ports.items()}


def _operators() -> Any:
    return json.loads(_TABLE.read_text(encoding="utf-8"))
