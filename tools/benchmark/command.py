"""`tools/bench`: one table and one line of JSON, of our set and of whoever else is named."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import getpid
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts.durable.atomic import replacing
from edge_tts.errors import EdgeTTSError
from edge_tts.model_sets.manifest import read_model_set
from tools.environment import ROOT
from tools.machine_load import load_average, load_between, read_ticks

from .chart import chart
from .contender import PEERS, Command, PlaceError, Process, our_command, peer_command, processes
from .daemon import DaemonRuns
from .metrics import Ask, Metric, asks, metrics
from .results import FLOOR, GEMM, GEMV, WORK, Results
from .sets import converted, write_checkpoints
from .table import table

WORK_FOLDER = ROOT / ".state" / "bench"
FLAVOURS = ("int8w", "cpu", "plain")


@dataclass(frozen=True)
class Plan:
    """Who is compared in what."""

    commands: Mapping[str, Command]
    """The floor, then contenders by name, ours first."""
    jobs: Mapping[str, Mapping[str, Any]]
    asks: Sequence[Ask]
    metrics: Sequence[Metric]
    settings: dict[str, Any]
    daemon: DaemonRuns | None


def main() -> int:
    arguments = _arguments()
    try:
        plan = make_plan(arguments)
        with processes(plan.commands, plan.jobs) as running:
            results = run(plan, running, arguments)
    except (EdgeTTSError, PlaceError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if not arguments.json:
        print("\n".join(table(results)))
    print(results.as_json())
    if arguments.chart is not None:
        with replacing(arguments.chart) as beside:
            beside.write_text(chart(results), encoding="utf-8")
    return 0


def make_plan(arguments: argparse.Namespace) -> Plan:
    """Raises PlaceError for a peer that is not there, ModelError for the set."""
    folder: Path = arguments.work.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    others = dict(map(_peer, arguments.peer))
    place, checkpoints = _networks(arguments, folder)
    model = read_model_set(place)
    ours = {f"ours {flavour}": flavour for flavour in arguments.flavours.split(",")}
    files = dict(zip(("gpt", "sovits"), map(str, checkpoints), strict=False))
    job = {"threads": arguments.threads, "work": str(folder), "set": str(place.absolute()), **files}
    first = next(iter(ours.values()))
    return Plan(
        commands={FLOOR: our_command("floor"), **dict.fromkeys(ours, our_command("ours")), **others},
        jobs={FLOOR: job, **{name: {**job, "flavour": flavour} for name, flavour in ours.items()}}
        | dict.fromkeys(others, job),
        asks=asks(arguments.seconds, arguments.lengths, arguments.rows),
        metrics=metrics(arguments.seconds, arguments.lengths, arguments.rows),
        settings={"set": model.name, "threads": arguments.threads, "seconds": arguments.seconds},
        daemon=DaemonRuns(model, first, arguments.threads, folder) if arguments.daemon else None,
    )


def _peer(word: str) -> tuple[str, Command]:
    """Name in the table, and how it is started, of NAME=DIR."""
    peer, _, place = word.partition("=")
    command = peer_command(peer, Path(place))
    return PEERS[peer], command


def _networks(arguments: argparse.Namespace, folder: Path) -> tuple[Path, Sequence[Path]]:
    """The set, and the checkpoints that it was made of, absolute; none are needed without peers."""
    if arguments.set is None:
        gpt, sovits = write_checkpoints(folder)
        return converted(gpt, sovits, folder / "random"), (gpt, sovits)
    if arguments.peer and not arguments.checkpoints:
        raise PlaceError(f"peers need --checkpoints, what {arguments.set} was made of; or leave it out")
    return arguments.set, [path.absolute() for path in arguments.checkpoints or ()]


def run(plan: Plan, running: Sequence[Process], arguments: argparse.Namespace) -> Results:
    """All rounds. The order of the contenders is turned round each time."""
    floor, *contenders = running
    results = Results(
        contenders=[process.name for process in contenders],
        metrics=plan.metrics,
        clock=arguments.clock,
        settings={**plan.settings, "rounds": arguments.rounds},
    )
    for process in contenders:
        results.add(process.name, "load", process.started)
        results.about[process.name] = str(process.started.get("about", process.started.get("cannot")))
        results.weight_bytes[process.name] = int(process.started.get("weight_bytes", 0))
        _say(f"{process.name}: {process.started.get('cannot', 'is loaded')}")
        _warm_up(process, arguments.seconds, results)
    if plan.daemon is not None:
        plan.daemon.ask()  # the first start of a device measures its voice
    results.add(FLOOR, WORK, floor.ask(WORK, seconds=arguments.seconds))
    for number in range(arguments.rounds):
        _say(f"round {number + 1} of {arguments.rounds}")
        with _watching(results, running):
            _round(plan, floor, contenders if number % 2 == 0 else contenders[::-1], results, number)
    _compare_flavours(contenders, results, arguments)
    return results


def _round(plan: Plan, floor: Process, contenders: Sequence[Process], results: Results, number: int) -> None:
    for task in (GEMV, GEMM):
        results.add(FLOOR, task, floor.ask(task))
    for ask in plan.asks:
        if not (ask.once and number):
            for process in contenders:
                results.add(process.name, ask.key, process.ask(ask.task, **ask.parameters))
    if plan.daemon is not None:
        results.add(results.contenders[0], "daemon", plan.daemon.ask())


@contextmanager
def _watching(results: Results, running: Sequence[Process]) -> Iterator[None]:
    """What others had of the machine in the meantime."""
    ours = [getpid(), *(process.pid for process in running)]
    before = read_ticks(ours)
    yield
    results.loads.append(load_between(before, read_ticks(ours), load_average()))


def _warm_up(process: Process, seconds: float, results: Results) -> None:
    """The first run of a network is slower. Memory is what one sentence needs, said as the contender says it."""
    process.ask("text")
    process.ask("speak", seconds=seconds, stream=True)
    results.add(process.name, "peak", process.ask("peak"))
    process.ask("speak", seconds=seconds, stream=False)


def _compare_flavours(contenders: Sequence[Process], results: Results, arguments: argparse.Namespace) -> None:
    """How far each flavour is from the last one that was named, `plain` by custom."""
    ours = [process for process in contenders if process.name.startswith("ours ")]
    if len(ours) < 2:
        return
    outputs = {}
    for process in ours:
        path = arguments.work.absolute() / f"{process.name}.npz"
        if "cannot" not in process.ask("outputs", path=str(path), seconds=arguments.seconds):
            with np.load(path) as stored:
                outputs[process.name] = {name: stored[name] for name in stored.files}
            path.unlink()
    *others, judge = outputs
    for name in others:
        results.errors[name] = f"relative rms difference to {judge}: {_differences(outputs[name], outputs[judge])}"


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    parts = [f"{name} {_rms(one[name] - other[name]) / _rms(other[name]):.1e}" for name in other]
    agree = float(np.mean(one["step"].argmax(-1) == other["step"].argmax(-1)))
    return f"{', '.join(parts)}; likeliest token equal in {agree:.0%}"


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split(",") if word]


def _counts(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


def _arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    add = parser.add_argument
    add("set", type=Path, nargs="?", help="model set (default: v2 at full size with random weights, written once)")
    add("--flavours", default="int8w", help="ours, the first is what others are compared with: int8w,cpu,plain")
    add("--peer", action="append", default=[], metavar="NAME=DIR", help=f"{', '.join(PEERS)}: checkout or environment")
    add("--checkpoints", type=Path, nargs=2, metavar=("GPT", "SOVITS"), help="what SET was made of, for peers")
    add("--seconds", type=float, default=5.0, help="length of the sentence, up to 5 (default)")
    add("--lengths", type=_numbers, default=[1.0, 5.0, 20.0, 60.0], help="of texts (default: 1,5,20,60)")
    add("--rows", type=_counts, default=[1, 2, 4, 8], help="sentences side by side (default: 1,2,4,8)")
    add("--rounds", type=int, default=3)
    add("--threads", type=int, default=0, help="of each contender (default: all cores)")
    add("--clock", choices=("wall", "cpu"), default="wall", help="what the table shows; cpu for a busy machine")
    add("--no-daemon", dest="daemon", action="store_false", help="leave out what needs mosquitto")
    add("--json", action="store_true", help="only the line of JSON")
    add("--chart", type=Path, metavar="FILE.svg")
    add("--work", type=Path, default=WORK_FOLDER, help="folder for what is made once (default: .state/bench)")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
