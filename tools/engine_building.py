"""Build the TensorRT engines of a model set on this device and judge them; the daemon would do the same at its start.

Run it as the user that the daemon runs as: engines of other users are not trusted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

from edge_tts.config import find_config
from edge_tts.engine.load import EngineLoader
from edge_tts.errors import EdgeTTSError, ModelError
from edge_tts.graphs import BUILT
from edge_tts.model_sets.activation import activate, open_loader
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.values import ModelSet


def main() -> int:
    """0 when every graph of the set will run on TensorRT, 1 otherwise."""
    arguments = _arguments()
    logging.basicConfig(level="ERROR", format="%(levelname)s %(message)s")
    try:
        model = read_model_set(arguments.model_set)
        verify_model_set(model)
        engine = find_config(arguments.config).engine.model_copy(update={"execution": "tensorrt"})
        with open_loader(engine, progress=_show) as loader:
            if loader.unavailable:
                raise ModelError(loader.unavailable)
            return _build(model, loader, again=arguments.again)
    except EdgeTTSError as error:
        print(f"build_engines: {error}", file=sys.stderr)
        return 1


def _build(model: ModelSet, loader: EngineLoader, *, again: bool) -> int:
    graphs = [name for name in BUILT if model.graph(name).is_file()]
    for name in graphs:
        began = time.monotonic()
        loader.prepare([model.graph(name)], model.sizes.limits, again=again)
        plan = loader.built(model.graph(name))
        if plan is not None:
            took = time.monotonic() - began
            cost = f"built in {plan.build_s:.0f} s, memory fell by {plan.peak_memory_mb:.0f} MB"
            print(f"\r{name:12} {plan.path.stat().st_size / 1e6:7.1f} MB, {cost} ({took:.0f} s now)", flush=True)
    for result in activate(model, loader, again=True):
        if result.latency_ms[0] > 0:
            times = f"{result.latency_ms[0]:.2f} ms against {result.reference_ms[0]:.2f} ms"
            print(f"{result.graph:12} {'agrees' if result.agrees else 'REFUSED'}: {result.summary}; {times}")
    accepted = 0
    for name in graphs:
        loader.load(model.graph(name)).close()
    for choice in loader.choices:
        accepted += choice.runs_on == "tensorrt"
        if choice.reason:
            print(f"{choice.graph:12} stays with ONNX Runtime: {choice.reason}")
    return 0 if accepted == len(graphs) else 1


def _show(phase: str, step: int, of: int) -> None:
    print(f"\r{phase[:70]:70} {step:5}/{of:<5}", end="", file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build_engines", description=__doc__)
    parser.add_argument("model_set", type=Path, metavar="MODELSET", help="folder of the model set, e.g. models/starter")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="configuration: its section engine is used")
    parser.add_argument("--again", action="store_true", help="build even what is there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
