"""doctor --bench: the figures of a device on one page, with the goals and what peers publish beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from engine.here import Here
from engine.small_set import manifest, model_set, write_graphs
from orin import tree

from edge_tts.cli.main import main
from edge_tts.convert.model_set import write_manifest
from edge_tts.doctor.speed import as_speed_json, as_table, measure_speed
from edge_tts.model_sets.activation import activate
from edge_tts.runtime.telemetry import Telemetry, read_files
from edge_tts.values import ModelSet


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small set's five graphs."""
    return write_graphs(tmp_path_factory.mktemp("graphs"))


def brief(folder: Path) -> ModelSet:
    """The small set, which finds no end by itself, made to end soon."""
    return replace(model_set(folder), max_tokens_per_phoneme=0.5)


def rows(table: str) -> dict[str, list[str]]:
    """First cell -> the others."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {first: rest for first, *rest in cells}


def test_an_orin_s_page_has_all_that_we_ask_owners_for(tmp_path: Path, graphs: Path) -> None:
    """Times on the judged engines, the memory's floor for one token, power, heat, clocks and power mode as the device
    shows them, goals and peers."""
    root = tree(tmp_path / "orin")
    (root / "proc/device-tree").mkdir()
    (root / "proc/device-tree/model").write_text("NVIDIA Jetson AGX Orin Developer Kit\0", encoding="utf-8")
    (root / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 1", encoding="utf-8")
    here = Here(tmp_path, graphs)
    with here.loader() as loader:
        activate(brief(here.graphs), loader)
        page = measure_speed(brief(here.graphs), loader, lambda: read_files(root), root=root)
    assert here.device.leaks == []
    table = rows(as_table(page))
    assert table["first audio"][1:] == ["150 ms", "597 ms"]
    assert table["real-time factor"][1:] == ["0.08", "0.77"]
    assert table["ms per token"][1] == "2 ms"
    assert all(0 < median <= tail <= worst for median, tail, worst in (page.token, page.first_audio, page.rtf))
    assert page.floor == pytest.approx(1e3 * page.token_mb * 1e6 / 204.8e9)
    assert table["runs on"][0] == "tensorrt, all graphs"
    assert table["power"][0] == "idle 14 W, speaking 14 to 14 W"
    assert table["hottest zone"][0] == "idle 51 °C, speaking 51 to 51 °C"
    assert table["GPU clock"][0] == "idle 1020 MHz, speaking 1020 to 1020 MHz"
    assert table["fastest clock allowed"][0] == "1300 MHz"
    assert table["power mode"][0] == "MAXN"
    assert table["machine"][0] == "NVIDIA Jetson AGX Orin Developer Kit"
    assert table["software"][0].startswith("Jetson Linux 36.4.3, edge-ttsd ")
    assert "TensorRT 10.3.0, CUDA 12.6, compute capability 8.7" in table["software"][0]
    assert json.loads(as_speed_json(page))["peers"] == {"first audio": "597 ms", "rtf": "0.77"}


def test_what_a_machine_does_not_show_is_said(tmp_path: Path, graphs: Path) -> None:
    """Without sensors the page has the times all the same, and names what slowed the device down when that is known."""
    here = Here(tmp_path, graphs)
    reading = Telemetry(throttles=("heat: gpu-thermal is hot",))
    with here.loader("cpu") as loader:
        page = measure_speed(brief(here.graphs), loader, lambda: reading, root=tmp_path, bandwidth=1e9)
    table = rows(as_table(page))
    assert table["power"][0] == table["GPU clock"][0] == "not shown"
    assert table["slowed down by"][0] == "heat: gpu-thermal is hot"
    assert table["runs on"][0] == "CPUExecutionProvider, all graphs"
    assert page.floor == pytest.approx(page.token_mb)


def test_the_command_prints_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`edge-ttsd doctor --bench` asks no broker; --json is one object; a set that is not there ends with status 1."""
    (tmp_path / "models" / "small").mkdir(parents=True)
    write_graphs(tmp_path / "models" / "small")
    write_manifest(tmp_path / "models" / "small", manifest())
    values = {"models": {"dir": "models", "name": "small"}, "engine": {"execution": "cpu", "threads": 1}}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert main(["doctor", "--bench", "-c", str(config)]) == 0
    assert "ms per token" in capsys.readouterr().out
    assert main(["doctor", "--bench", "--json", "-c", str(config)]) == 0
    assert json.loads(capsys.readouterr().out)["rtf"][0] > 0
    values["models"]["name"] = "missing"
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert main(["doctor", "--bench", "-c", str(config)]) == 1
