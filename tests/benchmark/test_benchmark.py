"""tools/bench: the arithmetic, the processes, the table, the line of JSON and the chart."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from broker import Broker
from engine.small_set import manifest, write_graphs

from edge_tts.convert.model_set import write_manifest
from edge_tts.model_sets.manifest import read_model_set
from tools.benchmark.chart import chart
from tools.benchmark.command import _arguments, make_plan, run
from tools.benchmark.contender import Command, PlaceError, Process, peer_command, processes
from tools.benchmark.daemon import DaemonRuns
from tools.benchmark.metrics import asks, metrics, ratio, spread
from tools.benchmark.peers.serving import numbers, sentences
from tools.benchmark.results import FLOOR, GEMM, GEMV, WORK, Results
from tools.benchmark.table import table
from tools.machine_load import MachineLoad

ROOT = Path(__file__).resolve().parents[2]
FAKE = Command([sys.executable, "-m", "tests.benchmark.fake_peer"], {"PYTHONPATH": str(ROOT)})
QUIET = MachineLoad(processors=2, others=0.01, stolen=0.0, average=0.5)


@contextmanager
def fake(folder: Path, **job: object) -> Iterator[Process]:
    with processes({"fake": FAKE}, {"fake": {"work": str(folder), **job}}) as (process,):
        yield process


def results(*rounds: tuple[float, float]) -> Results:
    """Of `ours` and `fake`: seconds of a prefill in each round, on a machine of 1 GB/s and 1 GFLOP/s."""
    found = Results(contenders=["ours", "fake"], metrics=metrics(5, [], []), clock="wall", settings={})
    for ours, theirs in rounds:
        found.add("ours", "prefill", {"wall": ours, "cpu": 2 * ours})
        found.add("fake", "prefill", {"wall": theirs, "cpu": theirs})
        found.add(FLOOR, GEMV, {"wall": 2.0, "cpu": 2.0, "amount": 2_000_000_000})
        found.add(FLOOR, GEMM, {"wall": 1.0, "cpu": 1.0, "amount": 1_000_000_000})
        found.loads.append(QUIET)
    found.add(FLOOR, WORK, {"prefill": 50_000_000, "latent": 0, "wave": 0})
    found.weight_bytes["ours"] = 20_000_000
    return found


def test_ratios_are_taken_round_by_round() -> None:
    """So a round in which everything was slow changes none: the median of the quotients, not a quotient of medians."""
    assert spread([3.0, 1.0, 2.0]) == (1.0, 2.0, 3.0)
    assert ratio([2.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == 2.0
    assert ratio([], [1.0]) is None


def test_a_daemon_that_does_not_start_is_told(broker: Broker, tmp_path: Path) -> None:
    """Its end is noticed at once; the other figures are not kept waiting. Without a `broker` nothing runs."""
    (tmp_path / "small").mkdir()
    place = write_graphs(tmp_path / "small")
    write_manifest(place, manifest())
    runs = DaemonRuns(read_model_set(place), "plain", 1, tmp_path)
    (tmp_path / "daemon.yaml").write_text("engine: {threads: many}")
    assert "ended with status 1 before it was ready" in runs.ask()["cannot"]


def test_a_long_text_is_sentences_of_five_seconds() -> None:
    """With 15 phonemes and 25 tokens a second; all contenders are given the same numbers."""
    assert list(sentences(1)) == [(15, 25)]
    assert list(sentences(12)) == [(75, 125), (75, 125), (30, 50)]
    assert numbers(1, 0, 1024, 4) == numbers(1, 0, 1024, 4)
    assert all(5 <= number < 9 for number in numbers(3, 5, 9, 200))


def test_a_stage_is_compared_with_what_the_machine_needs_at_least() -> None:
    """The longer of reading its weights and of its operations, at the rates of the same round."""
    found = results((0.1, 0.3), (0.2, 0.5))
    prefill = next(metric for metric in found.metrics if metric.key == "prefill_ms")
    assert found.floors_ms("ours", "prefill_ms") == [pytest.approx(50.0)] * 2  # 50 MFLOP; 20 MB would take 20 ms
    assert found.floors_ms("ours", "token_ms") == [pytest.approx(20.0)] * 2
    assert found.over_floor("ours", prefill) == pytest.approx(3.0)
    assert found.over_floor("fake", prefill) is None  # whose weights are not known
    assert found.ratio("fake", prefill) == pytest.approx(2.75)


def test_the_table_has_medians_ranges_ratios_and_reasons() -> None:
    """And says so when the machine was too busy in any round."""
    found = results((0.1, 0.3), (0.2, 0.5), (0.1, 0.3))
    found.add("fake", "rows_1", {"cannot": "one sentence at a time"})
    quiet = "\n".join(table(found))
    assert "100 (100 to 200) f2.0" in quiet
    assert "300 (300 to 500) 3.00x" in quiet
    assert "too busy" not in quiet
    found.loads.append(MachineLoad(processors=2, others=0.6, stolen=0.1, average=5.0))
    assert "NOTE: the machine was too busy" in "\n".join(table(found))


def test_what_a_contender_cannot_do_is_said() -> None:
    """With its reason, in the table and in the JSON."""
    found = results((0.1, 0.3))
    object.__setattr__(found, "metrics", metrics(5, [], [2]))
    found.add("fake", "rows_2", {"cannot": "one sentence at a time"})
    assert "fake has no rows_2_ms: one sentence at a time" in list(table(found))
    assert json.loads(found.as_json())["contenders"]["fake"]["cannot"] == {"rows_2_ms": "one sentence at a time"}


def test_the_json_is_one_line_with_both_clocks() -> None:
    """Least, median and most by the clock and of the processors, ratios, floor and load of each round."""
    found = results((0.1, 0.3), (0.2, 0.5))
    assert "\n" not in found.as_json()
    said = json.loads(found.as_json())
    figure = said["contenders"]["ours"]["figures"]["prefill_ms"]
    assert figure["wall"] == [100, 150, 200]
    assert figure["cpu"] == [200, 300, 400]
    assert said["contenders"]["fake"]["figures"]["prefill_ms"]["ratio"] == pytest.approx(2.75)
    assert said["floor"][GEMV] == [1e9, 1e9, 1e9]
    assert [load["others"] for load in said["load"]] == [0.01, 0.01]


def test_the_chart_is_a_picture_of_both() -> None:
    """Well-formed SVG with a bar for each contender, as long as its median."""
    tree = ElementTree.fromstring(chart(results((0.1, 0.2))))
    bars = [float(rect.attrib["width"]) for rect in tree.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars == [pytest.approx(bars[1] / 2), pytest.approx(400)]


def test_a_peer_answers_task_by_task(tmp_path: Path) -> None:
    """Whatever it prints; what it cannot do, or fails at, has a reason, and the next task goes on."""
    with fake(tmp_path) as process:
        assert process.started["about"] == "a fake, version 1"
        assert process.ask("prefill", seconds=5) == {"wall": 0.2, "cpu": 0.4}
        assert process.ask("rows", count=2) == {"cannot": "one sentence at a time"}
        assert process.ask("text") == {"cannot": "no front end"}
        assert process.ask("bert") == {"cannot": "ValueError: no weights"}
        assert process.ask("peak")["mb"] > 1
        assert process.ask("speak", seconds=6, stream=False)["wall"] == 4.0


def test_a_peer_that_dies_costs_only_itself(tmp_path: Path) -> None:
    """All that it is asked from then on has the reason; so has one that cannot start."""
    with fake(tmp_path) as process:
        assert "status 3" in process.ask("latent", seconds=5)["cannot"]
        assert "status 3" in process.ask("prefill", seconds=5)["cannot"]
    with fake(tmp_path, broken=True) as process:
        assert process.ask("prefill", seconds=5)["cannot"] == "ImportError: no such package"


def test_a_peer_runs_in_its_own_python(tmp_path: Path) -> None:
    """Of the environment that is named, or of the one in a checkout, whose modules are found first."""
    for home in (tmp_path / "environment", tmp_path / "checkout" / ".venv"):
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "python").touch()
    environment = peer_command("genie", tmp_path / "environment")
    assert environment.words == [str(tmp_path / "environment" / "bin" / "python"), "-m", "peers.genie"]
    assert str(tmp_path) not in environment.environment["PYTHONPATH"]
    checkout = peer_command("cpufast", tmp_path / "checkout")
    assert checkout.words == [str(tmp_path / "checkout" / ".venv" / "bin" / "python"), "-m", "peers.upstream"]
    assert str(tmp_path / "checkout") in checkout.environment["PYTHONPATH"].split(os.pathsep)
    assert peer_command("upstream", tmp_path).words[0] == sys.executable


def test_a_peer_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the names there are, what is looked for, and what to give with a set of one's own."""
    with pytest.raises(PlaceError, match="genie, upstream, cpufast, lite"):
        peer_command("genius", tmp_path)
    with pytest.raises(PlaceError, match=r"no such folder; give a checkout of Genie-TTS"):
        peer_command("genie", tmp_path / "nowhere")
    with pytest.raises(PlaceError, match="--checkpoints"):
        make_plan(_arguments([str(tmp_path), "--peer", f"genie={tmp_path}", "--work", str(tmp_path / "work")]))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "small"
    folder.mkdir()
    write_manifest(write_graphs(folder), manifest())
    return folder


def test_our_own_set_is_measured_in_two_flavours(small: Path, tmp_path: Path) -> None:
    """All stages, requests streamed and whole, rows and longer texts, the floor, and how far the flavours are apart."""
    words = [
        str(small),
        "--flavours",
        "cpu,plain",
        "--rounds",
        "2",
        "--seconds",
        "1",
        "--lengths",
        "1,6",
        "--rows",
        "1,2",
    ]
    arguments = _arguments([*words, "--threads", "1", "--no-daemon", "--work", str(tmp_path)])
    plan = make_plan(arguments)
    with processes(plan.commands, plan.jobs) as running:
        found = run(plan, running, arguments)
    said = json.loads(found.as_json())
    figures = said["contenders"]["ours cpu"]["figures"]
    missing = {metric.key for metric in plan.metrics} - set(figures)
    assert missing == {"bert_ms", "ready_s", "ready_mb", "request_ms", "request_mb"}
    assert len(found.answers["ours cpu", "prefill"]) == 2
    assert figures["prefill_ms"]["over_floor"] > 0
    assert figures["wave_ms"]["over_floor"] > 0
    assert (
        said["contenders"]["ours plain"]["cannot"]["rows_2_ms"] == "rows are decoded side by side in the fused flavours"
    )
    assert "likeliest token equal in 100%" in found.errors["ours cpu"]
    assert "ours cpu" in chart(found)


def test_every_metric_is_asked_for() -> None:
    """A line of the table without a task would stay empty."""
    asked = {ask.key for ask in asks(5, [1, 20], [1, 2])} | {"load", "daemon", "peak"}
    assert {metric.ask for metric in metrics(5, [1, 20], [1, 2])} <= asked
