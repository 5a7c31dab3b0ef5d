"""Write a model set as a model repository of NVIDIA's Triton Inference Server; docs/triton.md says how to serve it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from edge_tts.convert.builder import read_graph
from edge_tts.engine.tensorrt.plan_cache import onnx_digest, read_plan, read_record
from edge_tts.errors import EdgeTTSError, ModelError
from edge_tts.graphs import ENCODER, FLOW, WAVE
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.values import ModelSet
from tools.triton.batched import write_batched
from tools.triton.config import ServedGraph, graph_config, speech_config

HERE = Path(__file__).resolve().parent
SERVED = (ENCODER, FLOW, WAVE)
"""The networks that Triton runs; text, BERT and GPT belong to the model that speaks."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How a set is served."""

    name: str = "edge_tts"
    runtime: str = "onnxruntime"
    """The back end of the networks: `onnxruntime`, `python` (ONNX Runtime within it) or `tensorrt`."""
    plans: Path | None = None
    """The folder with this GPU's engines, for `tensorrt`."""
    rows: int = 8
    """The most requests in one run of a network."""
    delay_us: int = 2000
    """How long Triton waits for more requests."""
    instances: int = 2
    """How many speak at once."""
    threads: int = 1
    """Threads of each decoder."""


DEFAULTS = Serving()


def write_repository(model: ModelSet, out: Path, serving: Serving) -> list[str]:
    """Write the repository of a verified set to the folder `out`, which appears whole or not at all.

    Returns the networks that run one request at a time. Raises ModelError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out}: exists already; choose another name, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
            work = Path(name) / "repository"
            single = [graph for graph in SERVED if not _write_graph(model, graph, work / graph, serving)]
            _write_speech(model, work / serving.name, serving, batched=[one for one in SERVED if one not in single])
            work.rename(out)
    except OSError as error:
        raise ModelError(f"{out}: cannot be written: {error}") from error
    return single


def _write_graph(model: ModelSet, name: str, folder: Path, serving: Serving) -> bool:
    """Whether Triton may batch it."""
    version = folder / "1"
    version.mkdir(parents=True)
    source = model.graph(name)
    stored = read_graph(source)
    graph = ServedGraph(name, serving.runtime, "model.onnx", stored.inputs, stored.outputs, 0, serving.delay_us)
    if serving.runtime == "tensorrt":
        graph = replace(graph, file="model.plan")
        (version / graph.file).write_bytes(_plan(source, serving.plans))
    elif serving.rows > 1 and write_batched(source, version / graph.file):
        batched = read_graph(version / graph.file)
        graph = replace(graph, inputs=batched.inputs, outputs=batched.outputs, rows=serving.rows)
    else:
        _link(source, version / graph.file)
    if serving.runtime == "python":
        shutil.copyfile(HERE / "network_model.py", version / "model.py")
    (folder / "config.pbtxt").write_text(graph_config(graph), encoding="utf-8")
    return graph.rows > 0


def _write_speech(model: ModelSet, folder: Path, serving: Serving, *, batched: list[str]) -> None:
    version = folder / "1"
    version.mkdir(parents=True)
    shutil.copyfile(HERE / "speech_model.py", version / "model.py")
    shutil.copytree(model.directory, version / "set", copy_function=_link)
    parameters = {"threads": str(serving.threads), "batched": " ".join(batched)}
    text = speech_config(serving.name, instances=serving.instances, parameters=parameters)
    (folder / "config.pbtxt").write_text(text, encoding="utf-8")


def _plan(source: Path, plans: Path | None) -> bytes:
    """The newest engine of a graph that was judged and agrees. Raises ModelError."""
    folder, digest = plans or Path(), onnx_digest(source)
    found = sorted(folder.glob(f"{source.stem}-*.plan"), key=lambda plan: plan.stat().st_mtime, reverse=True)
    for plan in found:
        record = read_record(plan)
        if record.key.get("onnx") == digest and record.verdict is not None and record.verdict.agrees:
            return read_plan(record)
    raise ModelError(f"{folder}: no judged engine of {source}; make it on this GPU with tools/build_engines")


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copyfile(source, target)


def main() -> int:
    arguments = _arguments()
    options = {name: value for name, value in vars(arguments).items() if name not in ("model_set", "out")}
    serving = Serving(**options)
    try:
        model = read_model_set(arguments.model_set)
        verify_model_set(model)
        single = write_repository(model, arguments.out, serving)
    except EdgeTTSError as error:
        print(f"triton_repository: {error}", file=sys.stderr)
        return 1
    for name in single:
        print(f"note: {name} runs one request at a time")
    print(f"{arguments.out}: serve it with tritonserver --model-repository={arguments.out}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/triton_repository", description=__doc__)
    parser.add_argument("model_set", type=Path, metavar="SET", help="folder of the model set, e.g. models/starter")
    parser.add_argument("out", type=Path, metavar="DIR", help="the repository to make")
    parser.add_argument("--name", default=DEFAULTS.name, help="name of the model that speaks (default: %(default)s)")
    parser.add_argument(
        "--runtime",
        choices=["onnxruntime", "python", "tensorrt"],
        default=DEFAULTS.runtime,
        help="back end of the networks (default: %(default)s); python: where Triton has no ONNX Runtime of its own",
    )
    parser.add_argument("--plans", type=Path, metavar="DIR", help="this GPU's engines (engine.directory), for tensorrt")
    parser.add_argument(
        "--rows", type=int, default=DEFAULTS.rows, help="most requests in one run (default: %(default)s)"
    )
    parser.add_argument("--delay-us", type=int, default=DEFAULTS.delay_us, help="wait for more (default: %(default)s)")
    parser.add_argument(
        "--instances", type=int, default=DEFAULTS.instances, help="speak at once (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=DEFAULTS.threads, help="of each decoder (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
