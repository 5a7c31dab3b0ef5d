"""Parse and build every graph of model sets with the builder of TensorRT-RTX, which needs no GPU.

It is a sibling of JetPack's TensorRT: what it refuses or warns about deserves a look before a device meets it; that it
builds proves nothing about a device's speed or numbers (docs/tensorrt.md). Nothing is executed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from edge_tts.durable.atomic import replacing
from edge_tts.engine.tensorrt.build import BuildOptions, BuildRequest, request_json
from edge_tts.errors import EdgeTTSError, ModelError
from edge_tts.graphs import BERT, BUILT, CACHE, MOST_ROWS
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.values import ModelSet
from tools.environment import ROOT

from .faults import faults
from .record import Build, Port

MODULE = "tensorrt_rtx_bindings"
CHILD = "tools.engine_check.child"
_LIMIT_S = 1800.0


def main() -> int:
    """0 when every graph was built without a fault, 1 otherwise."""
    arguments = _arguments()
    if importlib.util.find_spec(MODULE) is None:
        print(f"check_engines: {MODULE} is not installed: pip install '.[tensorrt-check]'", file=sys.stderr)
        return 1
    wrong, report = 0, []
    for folder in arguments.model_set:
        try:
            model = read_model_set(folder)
            verify_model_set(model)
        except EdgeTTSError as error:
            print(f"check_engines: {error}", file=sys.stderr)
            wrong += 1
            continue
        print(f"{folder} ({model.family}, {model.precision})\n{HEADER}", flush=True)
        for build, found in check_set(model):
            faulty = (f"{'':12} -> {fault}" for fault in found)
            print("\n".join([_line(build, found), *_profile(build), *faulty]), flush=True)
            wrong += bool(found)
            report.append({"set": str(folder), "faults": found, **asdict(build)})
    if arguments.json:
        with replacing(arguments.json) as beside:
            beside.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong else 0


def check_set(model: ModelSet, names: Sequence[str] = BUILT) -> Iterator[tuple[Build, list[str]]]:
    """Each graph of the set that a device builds, with what is wrong with it."""
    sizes = asdict(model.sizes)
    for name in names:
        if model.graph(name).is_file():
            build = build_in_child(model, name)
            yield build, list(faults(build, model, sizes))
        elif name != BERT:
            yield Build(name), ["there is no such graph in the set, and nothing speaks without it"]


def build_in_child(model: ModelSet, graph: str) -> Build:
    """Build one graph in a process of its own; one that dies or takes too long is a failed build."""
    options = BuildOptions(batch=MOST_ROWS, limits=model.sizes.limits)
    with tempfile.TemporaryDirectory(prefix="check_engines.") as name:
        folder, onnx = Path(name), str(model.graph(graph).absolute())
        request = BuildRequest(graph, onnx, str(folder / "plan"), str(folder / "timings"), options)
        (folder / "request.json").write_text(request_json(request), encoding="utf-8")
        command = [sys.executable, "-m", CHILD, str(folder / "request.json")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment, check=False, timeout=_LIMIT_S
            )
            return read_build(done.stdout)
        except subprocess.TimeoutExpired:
            return Build(graph, error=f"{onnx}: the build was still going on after {_LIMIT_S:.0f} s and was ended")
        except ModelError:
            last = " / ".join(done.stderr.strip().splitlines()[-3:])
            return Build(graph, error=f"{onnx}: the builder ended with status {done.returncode}: {last}")


def read_build(text: str) -> Build:
    """The record that a child printed on its last line. Raises ModelError when there is none."""
    try:
        values = json.loads(text.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise ModelError(f"no record of a build: {text[-200:]!r}") from error
    for side in ("inputs", "outputs"):
        values[side] = {name: Port(port["dtype"], tuple(port["shape"])) for name, port in values[side].items()}
    values["profile"] = {name: [tuple(shape) for shape in shapes] for name, shapes in values["profile"].items()}
    return Build(**values)


HEADER = f"{'graph':12} {'opset':>5} {'layers':>12} {'weights':>9} {'scratch':>9} {'engine':>9} {'peak':>8} {'time':>7}"


def _line(build: Build, found: list[str]) -> str:
    layers = f"{build.layers} -> {'?' if build.fused_layers is None else build.fused_layers}"
    sizes = [_mb(size) for size in (build.weights_mb, build.scratch_mb, build.engine_mb)]
    verdict = "FAULTY" if found else f"as it should be; {len(build.expected)} expected remarks"
    return (
        f"{build.graph:12} {build.opset:5} {layers:>12} {sizes[0]:>9} {sizes[1]:>9} {sizes[2]:>9} "
        f"{build.peak_memory_mb:5.0f} MB {build.seconds:5.1f} s  {verdict}"
    )


def _profile(build: Build) -> Iterator[str]:
    """The shapes of each input that varies; the planes of the cache are alike."""
    for name, shapes in build.profile.items():
        if len(set(shapes)) > 1 and not (name.startswith(CACHE) and name != f"{CACHE}0"):
            low, best, high = ("x".join(map(str, shape)) for shape in shapes)
            yield f"{'':12} {name} from {low} to {high}, tuned for {best}"


def _mb(size: float | None) -> str:
    return "?" if size is None else f"{size:.1f} MB"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/check_engines", description=__doc__)
    parser.add_argument("model_set", type=Path, nargs="+", metavar="MODELSET", help="folder of a model set")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found as JSON too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
