"""Speak every line of a file with each flavour of a set, and print what is heard: word errors, lengths and DNSMOS.

    tools/flavours FILE.txt [-c config.yaml] [--voice NAME] [--runs plain:1,plain:2,cpu:1,int8w:1]

A run is a flavour of `engine.flavour` and a seed. Two plain runs with different seeds are the noise: a flavour whose
figures differ from those of plain by no more is as good. Lengths are compared line by line with the first run's.
English only; one text a line, as for tools/listen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_tts.config import Config, find_config
from edge_tts.engine.load import load_engine
from edge_tts.errors import EdgeTTSError
from edge_tts.model_sets.loading import open_model, open_networks
from edge_tts.recordings.dnsmos import MosEstimator
from edge_tts.voices.local_voices import first_voice, open_voices
from tools.judging.listen import Line, listen, read_lines, speaking
from tools.judging.recognisers import RATE, Whisper, has_whisper

QUALITY = Path(__file__).resolve().parents[2] / "models" / "quality"


@dataclass(frozen=True, slots=True)
class Heard:
    """One run. DNSMOS is overall, signal and P.808, 1 to 5."""

    name: str
    lines: Sequence[Line]
    opinions: Sequence[tuple[float, float, float]]

    def against(self, first: Heard) -> str:
        errors, count = sum(line.errors for line in self.lines), sum(len(line.wanted) for line in self.lines)
        ratios = [len(mine.wave) / max(1, len(other.wave)) for mine, other in zip(self.lines, first.lines, strict=True)]
        low, middle, high = np.percentile(ratios, (5, 50, 95))
        overall, signal, p808 = np.mean(self.opinions, axis=0)
        lengths = f"{sum(len(line.wave) for line in self.lines) / RATE:.1f} s, x {middle:.3f} ({low:.2f} to {high:.2f})"
        heard = f"{errors:4d}/{count} words ({errors / count:.1%})"
        return f"{self.name:10} {heard}   {lengths}   DNSMOS {overall:.3f} {signal:.3f} {p808:.3f}"


def main() -> int:
    args = _arguments()
    try:
        if not has_whisper():
            raise EdgeTTSError("Whisper is not installed: pip install .[listen]")
        texts, config, first = read_lines(args.file), find_config(args.config), None
        for run in args.runs.split(","):
            flavour, _, seed = run.partition(":")
            engine = config.engine.model_copy(update={"flavour": flavour})
            heard = hear(run, texts, config.model_copy(update={"engine": engine}), seed=int(seed), voice=args.voice)
            first = first or heard
            print(heard.against(first), flush=True)
    except (EdgeTTSError, OSError, ValueError) as error:
        print(f"flavours: {error}", file=sys.stderr)
        return 1
    return 0


def hear(name: str, texts: Sequence[str], config: Config, *, seed: int, voice: str | None) -> Heard:
    """Speak and judge all texts."""
    model = replace(open_model(config), eight_bits=True)  # what runs is what is asked for
    catalogue = open_voices(config, model).catalogue
    speaker = catalogue.load(catalogue.resolve(voice or first_voice(config, model, catalogue)))
    with ExitStack() as stack:
        networks = stack.enter_context(open_networks(model, config))
        judges = [load_engine(QUALITY / f"{judge}.onnx", threads=1) for judge in ("dnsmos", "dnsmos_p808")]
        for judge in judges:
            stack.callback(judge.close)
        estimator = MosEstimator(p835=judges[0], p808=judges[1])
        lines = list(listen(texts, speaking(networks, speaker, seed), networks.front_end, Whisper()))
        found = [estimator.opinion(line.wave) for line in lines if len(line.wave)]
        return Heard(name, lines, [(one.overall, one.signal, one.p808) for one in found])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/flavours", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="one text a line")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="configuration, as for edge-ttsd")
    parser.add_argument("--voice", help="name or id of a voice (default: the configuration's)")
    parser.add_argument(
        "--runs", default="plain:1,plain:2,cpu:1,int8w:1", help="flavour:seed,... (default: %(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
