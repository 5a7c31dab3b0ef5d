"""Tokens per second of a model set's GPT with 1, 2, 4 and 8 sequences side by side, in alternating rounds.

python -m tools.row_speed models/starter --flavour int8w --threads 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from edge_tts.convert.cpu_flavour import write_cpu_flavour
from edge_tts.engine.load import load_engine
from edge_tts.errors import EdgeTTSError
from edge_tts.graphs import MOST_ROWS
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.synthesizer import load_decoder
from edge_tts.values import ModelSizes

ROWS = (1, 2, 4, 8)
ROUNDS, STEPS, PHONEMES, PROMPT_TOKENS = 7, 25, 150, 125


def step_seconds(
    decoder: Decoder, sizes: ModelSizes, clock: Callable[[], float] = time.perf_counter, rows: Sequence[int] = ROWS
) -> dict[int, list[float]]:
    """Seconds of a step, a figure for each round, by how many sequences of `decoder` it gives a token to.

    A round takes all numbers of rows in turn, each from the same prompts on. `clock` may count processor time.
    """
    random = np.random.default_rng(1)
    prompts = [_prompt(sizes, random) for _ in range(max(rows))]
    tokens = random.integers(0, sizes.tokens - 1, (STEPS, max(rows)))
    taken: dict[int, list[float]] = {count: [] for count in rows}
    for _ in range(ROUNDS + 1):
        for count in rows:
            for row in range(count):
                decoder.start(row, prompts[row])
            began = clock()
            for step in tokens[:, :count]:
                decoder.step(step)
            taken[count].append((clock() - began) / STEPS)
            for row in reversed(range(count)):
                decoder.release(row)
    return {count: seconds[1:] for count, seconds in taken.items()}  # the first round warms up


def tokens_per_second(seconds: Mapping[int, Sequence[float]]) -> dict[int, float]:
    """Medians of `step_seconds`."""
    return {count: count / median(taken) for count, taken in seconds.items()}


def _prompt(sizes: ModelSizes, random: np.random.Generator) -> Prompt:
    return Prompt(
        phoneme_ids=random.integers(1, 300, PHONEMES),
        bert=np.zeros((PHONEMES, sizes.bert_width), np.float32),
        tokens=random.integers(0, sizes.tokens - 1, PROMPT_TOKENS),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="row_speed", description=__doc__)
    parser.add_argument("set", type=Path, help="folder of a model set")
    parser.add_argument("--flavour", choices=("plain", "cpu", "int8w"), default="int8w")
    parser.add_argument("--threads", type=int, default=0, help="cores of a run (default: the runtime's choice)")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    try:
        with ExitStack() as stack:
            model = read_model_set(arguments.set)
            if arguments.flavour != "plain":
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                write_cpu_flavour(model.directory, folder, int8=arguments.flavour == "int8w")
                model = replace(model, replaced={path.stem: path for path in folder.glob("*.onnx")})
            load = GraphLoader(model, stack, partial(load_engine, threads=arguments.threads))
            seconds = step_seconds(load_decoder(model, load, MOST_ROWS), model.sizes, clock)
    except EdgeTTSError as error:
        print(f"row_speed: {error}", file=sys.stderr)
        return 1
    for count, speed in tokens_per_second(seconds).items():
        ratio = median(count * one / many for one, many in zip(seconds[1], seconds[count], strict=True))
        print(f"{count} {1e3 * median(seconds[count]):8.2f} ms a step {speed:8.0f} tokens/s {ratio:6.2f} x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
