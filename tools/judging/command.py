"""Run golden parts through the converter and the runtime, and print how far they are from the goldens.

DIR holds cases.json and arrays/; the exit status is 1 when anything is beyond its tolerance. With --models two model
sets are compared instead: graph by graph on the same inputs, and by what is heard at the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from edge_tts.errors import EdgeTTSError
from edge_tts.model_folder import CPU_FLAVOUR
from edge_tts.model_sets.manifest import read_model_set
from tools.judging import encoders, gpt, host, vocoder
from tools.judging.compare import compare_sets
from tools.judging.folder import GoldenFolder, find_maker
from tools.judging.networks import Networks
from tools.judging.table import Table

_UNPROVEN = "float16 on ONNX Runtime's CPU provider proves types and rounding; the range on a GPU is not proven"

_JUDGES = {
    "t2s": gpt.judge,
    "sovits": vocoder.judge,
    "hubert": encoders.judge_hubert,
    "eres2netv2": encoders.judge_speaker,
    "bert": encoders.judge_bert,
    "functions": host.judge_functions,
    "spec": host.judge_spectrograms,
}


def main() -> int:
    args = _arguments()
    try:
        if args.models:
            first, second = args.models
            return _compare(first, second, args)
        folder = GoldenFolder(args.folder, find_maker(args.folder, args.goldens))
        return _judge(folder, args)
    except EdgeTTSError as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2


def _judge(folder: GoldenFolder, args: argparse.Namespace) -> int:
    table = Table(args.precision)
    with ExitStack() as stack:
        for part in _chosen(folder, args.only):
            # A part's networks go before the next part's come: full-size sets do not fit together everywhere.
            work = Path(args.work or stack.enter_context(tempfile.TemporaryDirectory(prefix="parity-")))
            work.mkdir(parents=True, exist_ok=True)
            judge = _JUDGES.get(part.split("_")[0])
            if judge is None:
                table.skip(part, "", "not supported yet")
                continue
            try:
                with closing(
                    Networks(
                        folder=folder,
                        work=work,
                        precision=args.precision,
                        threads=args.threads,
                        fused=args.flavour == CPU_FLAVOUR,
                    )
                ) as networks:
                    judge(folder, networks, part, table)
            except EdgeTTSError as error:
                table.fail(part, "", str(error))
            if not args.work:
                stack.close()
    if args.precision == "fp16":
        print(_UNPROVEN)
    judged = [row for row in table.rows if row.tolerance is not None]
    print(f"{len(judged)} comparisons, {table.misses} missed, {len(table.rows) - len(judged)} not judged")
    return 1 if table.misses or not judged else 0


def _compare(first: Path, second: Path, args: argparse.Namespace) -> int:
    half = "fp16" in {read_model_set(path).precision for path in (first, second)}
    table = Table("fp16" if half else "fp32")
    compare_sets(first, second, table, threads=args.threads)
    if half:
        print(_UNPROVEN)
    print(f"{len(table.rows)} comparisons, {table.misses} missed")
    return 1 if table.misses else 0


def _chosen(folder: GoldenFolder, only: str | None) -> list[str]:
    """Parts by name or by the beginning of a name; all by default."""
    if only is None:
        return list(folder.parts)
    wanted = only.split(",")
    for prefix in wanted:
        if not any(part.startswith(prefix) for part in folder.parts):
            raise EdgeTTSError(f"no part is called {prefix}; there are {', '.join(folder.parts)}")
    return [part for part in folder.parts if any(part.startswith(prefix) for prefix in wanted)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/parity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("folder", type=Path, metavar="DIR", nargs="?", help="golden folder")
    what.add_argument("--models", type=Path, nargs=2, metavar=("A", "B"), help="compare two model sets instead")
    parser.add_argument("--only", metavar="PART,...", help="these parts, or parts that begin so")
    parser.add_argument("--precision", choices=["fp32", "fp16"], default="fp32", help="of the graphs and tolerances")
    parser.add_argument(
        "--flavour", choices=["plain", CPU_FLAVOUR], default="plain", help="cpu: the graphs for processors, in float32"
    )
    parser.add_argument("--goldens", type=Path, metavar="DIR", help="folder with make_checkpoint.py and manifests/")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep checkpoints and graphs here and use them again")
    parser.add_argument("--threads", type=int, default=0, help="cores for one inference; 0: all")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
