"""doctor names what is wrong and what to do, in text and in JSON, and its exit status says whether something is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from broker import Broker, free_port
from engine.here import Here
from engine.small_set import manifest, write_graphs
from fakes import WAIT_S

from edge_tts.cli.main import main
from edge_tts.config import Config, EngineConfig, MqttConfig, load_config
from edge_tts.convert.model_set import write_manifest
from edge_tts.doctor.checks import check_disk, check_telemetry, check_versions
from edge_tts.doctor.examine import diagnose
from edge_tts.doctor.findings import Finding
from edge_tts.doctor.report import as_json, as_text
from edge_tts.runtime.telemetry import Telemetry, TelemetryReader


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small set that really speaks, briefly."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "small").mkdir()
    write_graphs(folder / "small")
    write_manifest(folder / "small", manifest())
    return folder


@pytest.fixture
def config(tmp_path: Path, models: Path, broker: Broker) -> Config:
    """Everything in order: a set, a broker, sound into a file."""
    path = tmp_path / "config.yaml"
    values: dict[str, Any] = {
        "models": {"dir": str(models), "name": "small"},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "audio": {"output": "file"},
        "engine": {"execution": "cpu", "threads": 1},
    }
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return load_config(path)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker on a busy machine is no broker that is away."""
    monkeypatch.setattr("edge_tts.doctor.broker.TIMEOUT_S", WAIT_S)


def nothing_shown(tmp_path: Path) -> TelemetryReader:
    return TelemetryReader(root=tmp_path / "nowhere", find_jtop=lambda: None)


def only(findings: Iterator[Finding], level: str) -> Finding:
    (found,) = [finding for finding in findings if finding.level == level]
    return found


def test_a_healthy_appliance_is_found_healthy(config: Config, tmp_path: Path) -> None:
    """Nothing is broken; the golden phrases were timed on every graph and one sentence was spoken."""
    found = diagnose(config, reader=nothing_shown(tmp_path))
    assert [finding for finding in found.findings if finding.level == "broken"] == []
    assert {result.graph for result in found.golden} == {"t2s_prefill", "t2s_step", "encoder", "flow", "wave"}
    assert all(result.reference_ms[0] > 0 and result.latency_ms[0] == 0 for result in found.golden)
    assert found.spoken is not None
    assert found.spoken.audio_s > 0
    assert {choice.runs_on for choice in found.choices} == {"CPUExecutionProvider"}
    text, values = as_text(found), json.loads(as_json(found))
    assert "takes us" in text
    assert "t2s_step" in text
    assert values["ok"] is True
    assert values["spoken"]["rtf"] > 0
    assert values["golden"][0]["reference_ms"][2] >= values["golden"][0]["reference_ms"][0]


def test_every_problem_comes_with_advice(config: Config, tmp_path: Path) -> None:
    """A damaged set and an absent broker are both told, each with what to do, and networks are left alone."""
    broken = config.model_copy(
        update={
            "models": config.models.model_copy(update={"name": "missing"}),
            "mqtt": MqttConfig(host="127.0.0.1", port=free_port()),
        }
    )
    found = diagnose(broken, reader=nothing_shown(tmp_path))
    assert found.broken
    assert found.golden == ()
    wrong = {finding.check: finding for finding in found.findings if finding.level == "broken"}
    assert set(wrong) == {"broker", "model"}
    assert all(finding.advice for finding in found.findings if finding.level != "ok")
    assert "-> " in as_text(found)
    assert json.loads(as_json(found))["ok"] is False


def test_a_set_whose_graph_is_no_graph_is_told(config: Config, models: Path, tmp_path: Path) -> None:
    """Files that fit the manifest but cannot be loaded end in a finding, not in a traceback."""
    bad = tmp_path / "sets" / "bad"
    bad.mkdir(parents=True)
    for path in (models / "small").glob("*.onnx"):
        (bad / path.name).write_bytes(b"no graph" if path.stem == "wave" else path.read_bytes())
    facts = json.loads((models / "small" / "manifest.json").read_text(encoding="utf-8"))
    write_manifest(bad, {**facts, "name": "bad"})
    update = {"models": config.models.model_copy(update={"dir": bad.parent, "name": "bad"})}
    found = diagnose(config.model_copy(update=update), reader=nothing_shown(tmp_path))
    (finding,) = [finding for finding in found.findings if finding.level == "broken"]
    assert finding.check == "speech"
    assert "wave.onnx" in finding.text


def test_the_command_prints_and_says_by_its_status(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`edge-ttsd doctor --quick` ends with 0 when all is well and 1 when something is broken; --json is one object."""
    path = tmp_path / "config.yaml"
    assert main(["doctor", "--quick", "-c", str(path)]) == 0
    assert "FAIL" not in capsys.readouterr().out
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    values["models"]["name"] = "missing"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    assert main(["doctor", "--quick", "--json", "-c", str(path)]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_a_folder_that_cannot_be_written_is_told(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk and a folder of somebody else's are broken, a tight disk is a warning."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 50e6})())
    assert {finding.level for finding in check_disk(config)} == {"broken"}
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 900e6})())
    assert {finding.level for finding in check_disk(config)} == {"warning"}
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert all("cannot be written" in finding.text for finding in check_disk(config))


def test_heat_and_power_mode_are_told() -> None:
    """What throttles the device is a warning with its cure, and so is a temperature close to the limit."""
    mode = Telemetry(temperature_c=50.0, power_mode="MODE_15W", throttles=("power mode MODE_15W holds the GPU",))
    assert "nvpmodel" in only(check_telemetry(mode), "warning").advice
    assert "fan" in only(check_telemetry(Telemetry(temperature_c=90.0)), "warning").advice
    heat = Telemetry(temperature_c=70.0, throttles=("heat: gpu-throttle-alert is on",))
    assert "cool" in only(check_telemetry(heat), "warning").advice


def test_a_lexicon_that_makes_no_sense_is_told(config: Config, tmp_path: Path) -> None:
    """What the daemon would refuse at its start is found here, with the key to correct."""
    text = config.text.model_copy(update={"lexicon": {"en": {"two words": ""}}})
    found = diagnose(config.model_copy(update={"text": text}), speak=False, reader=nothing_shown(tmp_path))
    assert only(iter(found.findings), "broken").check == "text"


def test_tensorrt_is_missed_only_where_it_belongs(tmp_path: Path) -> None:
    """On a laptop its absence is no warning; on a Jetson, or when it is configured, it is."""
    assert {finding.level for finding in check_versions(wants_tensorrt=False, root=tmp_path)} == {"ok"}
    assert only(check_versions(wants_tensorrt=True, root=tmp_path), "warning").check == "tensorrt"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n")
    assert only(check_versions(wants_tensorrt=False, root=tmp_path), "warning").check == "tensorrt"


@pytest.mark.parametrize(
    ("flavour", "graphs"),
    [
        ("plain", {"t2s_prefill", "t2s_step", "encoder", "wave"}),
        ("cpu", {"t2s", "encoder_text", "encoder_codes", "wave_stream"}),
    ],
    ids=["plain", "cpu"],
)
def test_what_was_asked_for_and_not_given_is_a_warning(
    flavour: Literal["cpu", "plain"], graphs: set[str], config: Config, tmp_path: Path
) -> None:
    """With `execution: tensorrt` on a machine without it, doctor says for each graph why it runs elsewhere."""
    engine = EngineConfig(execution="tensorrt", threads=1, cache_dir=str(tmp_path / "engines"), flavour=flavour)
    found = diagnose(config.model_copy(update={"engine": engine}), reader=nothing_shown(tmp_path))
    warnings = [finding for finding in found.findings if finding.check == "engines"]
    assert {finding.text.split()[0] for finding in warnings} == {*graphs, "flow"}
    assert all(finding.level == "warning" for finding in warnings)
    assert not found.broken


def test_engines_that_disagree_are_refused_and_told(config: Config, models: Path, tmp_path: Path) -> None:
    """On a device with engines doctor compares them anew: the wrong one is broken and unused, figures are printed."""
    here = Here(tmp_path, models / "small")
    healthy = diagnose(config, reader=nothing_shown(tmp_path), open_engines=lambda config: here.loader())
    assert not healthy.broken
    assert {choice.runs_on for choice in healthy.choices} == {"tensorrt"}
    assert len(healthy.plans) == 5
    here.faults.not_finite = True
    found = diagnose(config, reader=nothing_shown(tmp_path), open_engines=lambda config: here.loader())
    assert {finding.check for finding in found.findings if finding.level == "broken"} == {"engines"}
    assert {choice.runs_on for choice in found.choices} == {"CPUExecutionProvider"}
    text = as_text(found)
    assert "REFUSED: a value is not finite" in text
    assert "Engines on disk" in text
    assert here.device.leaks == []
