"""One reader over jtop, sysfs and procfs: a recorded tree of an AGX Orin's files, and a client of jtop's shape."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import WAIT_S, until
from hypothesis import given, settings
from hypothesis import strategies as st
from orin import ORIN, tree
from rig import make_runtime

from edge_tts.runtime.telemetry import JtopModule, Telemetry, TelemetryReader, TelemetryWatch, read_files


def no_jtop() -> JtopModule | None:
    return None


def test_an_orin_is_read_from_its_files(tmp_path: Path) -> None:
    """Load, clock, memory, the hottest zone, the sum of the rails and the name of the power mode."""
    seen = read_files(tree(tmp_path))
    assert seen.gpu_load_percent == pytest.approx(43.7)
    assert (seen.gpu_clock_mhz, seen.gpu_limit_mhz) == (1020.0, 1300.5)
    assert (seen.memory_used_mb, seen.memory_total_mb) == (10240.0, 30720.0)
    assert seen.temperature_c == 51.25
    assert seen.power_w == pytest.approx(19 * 0.5 + 5 * 0.8)
    assert seen.power_mode == "MAXN"
    assert seen.throttles == ()


def test_a_module_that_measures_its_input_is_not_counted_twice(tmp_path: Path) -> None:
    """Where one rail measures the whole module, the others are parts of it."""
    seen = read_files(tree(tmp_path, hwmon4__in2_label="VDD_IN"))
    assert seen.power_w == pytest.approx(4.0)


def test_a_low_power_mode_is_named(tmp_path: Path) -> None:
    """A mode that holds the GPU below its fastest clock slows speech, and is told by name."""
    seen = read_files(tree(tmp_path, nvpmodel__status="pmode:0002", max_freq="612000000"))
    assert seen.power_mode == "MODE_30W"
    assert seen.throttles == ("power mode MODE_30W holds the GPU at 612 of 1300 MHz",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"thermal_zone0__temp": "99500"}, "cpu-thermal has 100 °C and is throttled from 99 °C on"),
        ({"cooling_device1__cur_state": "1"}, "gpu-throttle-alert is on"),
    ],
)
def test_heat_is_named(tmp_path: Path, changes: dict[str, str], words: str) -> None:
    """A zone above its passive trip, and a throttle that the kernel switched on, are told; a turning fan is not."""
    (reason,) = read_files(tree(tmp_path, **changes)).throttles
    assert words in reason


def test_a_machine_that_shows_nothing_gives_nothing(tmp_path: Path) -> None:
    """On a laptop without these files everything is unknown, and nothing is published but that."""
    assert read_files(tmp_path) == Telemetry()
    assert Telemetry().as_state() == {"throttles": []}


def test_unreadable_numbers_are_unknown(tmp_path: Path) -> None:
    """Garbage in a file is no reason to fail."""
    seen = read_files(tree(tmp_path, load="busy", meminfo="?", status="mode", cur_freq=""))
    assert (seen.gpu_load_percent, seen.memory_total_mb) == (None, None)
    assert (seen.power_mode, seen.gpu_clock_mhz) == (None, None)


@pytest.fixture(scope="module")
def announced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an AGX Orin, for one file of which to be replaced."""
    return tree(tmp_path_factory.mktemp("orin"))


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(sorted(ORIN)),
    content=st.one_of(st.text(max_size=40), st.sampled_from(["nan", "-inf", "1e999", "-1"])),
)
def test_nothing_in_these_files_stops_the_reader(announced: Path, name: str, content: str) -> None:
    """Whatever stands in one of the files, there is a telemetry of finite numbers that can be published."""
    (announced / name).write_text(content, encoding="utf-8", errors="replace")
    json.dumps(read_files(announced).as_state(), allow_nan=False)
    (announced / name).write_text(ORIN[name], encoding="utf-8")


def test_a_quiet_device_publishes_the_same(tmp_path: Path) -> None:
    """What is published is rounded: small movements make no new message."""
    one = read_files(tree(tmp_path / "a")).as_state()
    other = read_files(tree(tmp_path / "b", thermal_zone1__temp="51100", load="441")).as_state()
    assert one == other
    assert one["gpu_load_percent"] == 40
    assert one["power_mode"] == "MAXN"


class JtopError(Exception):
    """As jtop's own."""


class Client:
    """An open jtop as of jetson-stats 4: a dict per subject, nvpmodel an object with a name."""

    gpu = {  # noqa: RUF012  # the shape is the real one's
        "ga10b": {"type": "integrated", "status": {"load": 61.5}, "freq": {"cur": 930000, "max": 1300500}}
    }
    memory = {"RAM": {"tot": 31457280, "used": 8388608, "free": 1}, "SWAP": {}}  # noqa: RUF012 - as jtop has it
    temperature = {  # noqa: RUF012 - as jtop has it
        "cpu": {"temp": 55.5, "online": True},
        "cv0": {"temp": -256, "online": False},
    }
    power = {"rail": {}, "tot": {"power": 17321, "avg": 17000}}  # noqa: RUF012 - as jtop has it
    nvpmodel: Any = SimpleNamespace(name="MODE_50W", id=3)

    def __init__(self) -> None:
        self.entered, self.broken, self.running = 0, False, True

    def ok(self) -> bool:
        if self.broken:
            raise JtopError("the service has gone")
        return self.running

    @contextmanager
    def opened(self) -> Iterator[Client]:
        self.entered += 1
        yield self
        self.entered -= 1


def test_jtop_is_believed_over_the_files(tmp_path: Path) -> None:
    """Its service may read more; what slows the device down still comes from sysfs. It is closed at the end."""
    client = Client()
    root = tree(tmp_path, max_freq="930000000")
    with TelemetryReader(root=root, find_jtop=lambda: JtopModule(open=client.opened)) as reader:
        seen = reader.read()
        assert client.entered == 1
    assert client.entered == 0
    assert (seen.gpu_load_percent, seen.gpu_clock_mhz, seen.memory_used_mb) == (61.5, 930.0, 8192.0)
    assert (seen.temperature_c, seen.power_w, seen.power_mode) == (55.5, 17.321, "MODE_50W")
    assert "930 of 1300 MHz" in seen.throttles[0]


def test_jtop_without_a_power_mode(tmp_path: Path) -> None:
    """A board without nvpmodel, and a client without power, leave what the files say."""
    client = Client()
    client.nvpmodel, client.power, client.gpu = None, {}, {}
    module = JtopModule(open=client.opened)
    with TelemetryReader(root=tree(tmp_path), find_jtop=lambda: module) as reader:
        seen = reader.read()
    assert (seen.power_mode, seen.gpu_load_percent) == ("MAXN", pytest.approx(43.7))


@pytest.mark.parametrize("fault", ["refused", "gone", "stopped"])
def test_without_its_service_the_files_do(tmp_path: Path, fault: str) -> None:
    """A jtop whose service refuses us, dies or stops costs its own view and nothing else."""
    client = Client()
    client.broken, client.running = fault == "gone", fault != "stopped"

    @contextmanager
    def refuse() -> Iterator[Client]:
        raise JtopError("permission denied: you are not in the group jtop")
        yield client

    module = JtopModule(open=refuse if fault == "refused" else client.opened)
    with TelemetryReader(root=tree(tmp_path), find_jtop=lambda: module) as reader:
        assert reader.read() == read_files(tmp_path)
        assert reader.read().power_mode == "MAXN"
    assert client.entered == 0


@pytest.mark.parametrize(
    "error",
    [ConnectionResetError(104, "reset"), EOFError(), PermissionError(13, "no"), KeyError("RAM"), TypeError("x")],
)
@pytest.mark.parametrize("where", ["import", "open", "ok", "value", "close"])
def test_whatever_jtop_raises_costs_only_its_own_view(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, where: str
) -> None:
    """jtop raising anything at any moment leaves the files, a word in the state and a warning; it is tried again."""
    client, broken, runtime = Client(), threading.Event(), make_runtime()
    broken.set()

    def fail(place: str) -> None:
        if broken.is_set() and where == place:
            raise error

    class Memory(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            fail("value")
            return super().get(key, default)

    @contextmanager
    def opened() -> Iterator[Client]:
        fail("open")
        with client.opened():
            yield client
        fail("close")

    def find() -> JtopModule:
        fail("import")
        return JtopModule(open=opened)

    def ok() -> bool:
        fail("ok")
        return True

    client.ok, client.memory = ok, Memory(client.memory)  # type: ignore[method-assign]
    reader = TelemetryReader(root=tree(tmp_path), find_jtop=find)
    with TelemetryWatch(runtime=runtime, reader=reader, interval_s=0.001):
        if where != "close":
            until(lambda: runtime.events.state.health["telemetry"].status == "failing")
            until(lambda: runtime.events.state.telemetry)
            health = runtime.events.state.health["telemetry"]
            assert type(error).__name__ in str(health.why)
            assert health.since
        broken.clear()
        until(lambda: runtime.events.state.health["telemetry"].status == "ok")
        until(lambda: runtime.events.state.telemetry.get("power_mode") == "MODE_50W")
        broken.set()
    warnings = [record for record in caplog.records if "telemetry is failing" in record.message]
    assert len(warnings) == 1 if where not in ("close", "ok", "value") else len(warnings) <= 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "hot", object(), [1], True])
def test_values_that_make_no_sense_can_be_published(tmp_path: Path, value: object) -> None:
    """Whatever jtop gives for a value, the state can still be sent as JSON."""
    client = Client()
    client.temperature = {"cpu": {"temp": value, "online": True}}
    client.power, client.nvpmodel = {"tot": {"power": value}}, SimpleNamespace(name=value)
    with TelemetryReader(root=tree(tmp_path), find_jtop=lambda: JtopModule(open=client.opened)) as reader:
        json.dumps(reader.read().as_state(), allow_nan=False)


def test_the_watch_publishes_and_warns_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each look is handed on; what slows speech is warned of when it begins, not at every look."""
    looks, enough = itertools.count(1), threading.Event()

    class Counting(TelemetryReader):
        def read(self) -> Telemetry:
            if next(looks) == 3:
                enough.set()
            return super().read()

    runtime = make_runtime()
    reader = Counting(root=tree(tmp_path, max_freq="612000000"), find_jtop=no_jtop)
    with TelemetryWatch(runtime=runtime, reader=reader, interval_s=0.001):
        assert enough.wait(WAIT_S)
    assert runtime.events.state.telemetry["throttles"] == ["power mode MAXN holds the GPU at 612 of 1300 MHz"]
    assert sum("speech is slowed down" in record.message for record in caplog.records) == 1
