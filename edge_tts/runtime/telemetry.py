"""GPU load, memory, heat, power and power mode, from sysfs, procfs and jtop. jtop's one home.

jetson-stats (AGPL-3.0) is an optional extra.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from edge_tts.runtime.part import OptionalPart
from edge_tts.runtime.part_status import reason
from edge_tts.runtime.runtime import Runtime

log = logging.getLogger(__name__)

_GPU_NAMES = ("ga10b", "gpu", "gv11b", "gp10b")
"""Device tree names of a Jetson's own GPU."""
_RETRY_READS = 4
"""After a failure jtop is connected to again at every fourth reading."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """One reading; None for what the machine does not show."""

    gpu_load_percent: float | None = None
    gpu_clock_mhz: float | None = None
    gpu_limit_mhz: float | None = None
    """The fastest clock that the power mode allows."""
    memory_used_mb: float | None = None
    memory_total_mb: float | None = None
    temperature_c: float | None = None
    """Of the hottest zone."""
    power_w: float | None = None
    """Of all measured rails, without the carrier board."""
    power_mode: str | None = None
    throttles: tuple[str, ...] = ()
    """What slows the device down, in words."""

    def as_state(self) -> dict[str, Any]:
        """The known values, rounded so that an idle device publishes nothing new."""
        steps = {"gpu_load_percent": 10, "memory_used_mb": 100, "temperature_c": 2, "power_w": 1, "gpu_clock_mhz": 100}
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        rounded = {
            name: round(value / steps.get(name, 1)) * steps.get(name, 1) if isinstance(value, float) else value
            for name, value in values.items()
            if value is not None
        }
        return {**rounded, "throttles": list(self.throttles)}


class JtopClient(Protocol):
    """What is used of `jtop.jtop`. Frequencies in kHz, memory in kB, power in mW, temperatures in °C."""

    gpu: Mapping[str, Any]
    memory: Mapping[str, Any]
    temperature: Mapping[str, Any]
    power: Mapping[str, Any]
    nvpmodel: Any

    def ok(self) -> bool:
        """Wait for the next sample; False when the service is gone."""


@dataclass(frozen=True, slots=True)
class JtopModule:
    open: Callable[[], AbstractContextManager[JtopClient]]


class TelemetryReader:
    """A context manager: jtop holds a connection. Never raises: jtop's trouble is in `trouble`, and sysfs is read."""

    def __init__(self, *, root: Path = Path("/"), find_jtop: Callable[[], JtopModule | None] | None = None) -> None:
        self._root = root
        self._find = find_jtop or find_jetson_stats
        self._stack = ExitStack()
        self._client: JtopClient | None = None
        self._reads_to_retry = 0
        self.trouble = ""
        """Why jtop, which is installed, cannot be read; empty when it can."""

    def __enter__(self) -> TelemetryReader:
        self._open()
        return self

    def __exit__(self, *exception: object) -> None:
        self._client = None
        with suppress(Exception):  # the connection may be gone
            self._stack.close()

    def read(self) -> Telemetry:
        telemetry = Telemetry()
        try:
            telemetry = read_files(self._root)
            if self._has_client():
                return self._with_client(telemetry)
        except Exception as error:  # noqa: BLE001 - jtop raises what its socket, its pickles and its keys raise
            self._fail("has stopped", error)
        return telemetry

    def _has_client(self) -> bool:
        """Connects anew now and then after a failure."""
        if self._client is None and self.trouble:
            self._reads_to_retry -= 1
            if self._reads_to_retry <= 0:
                self._open()
        return self._client is not None

    def _open(self) -> None:
        try:
            jtop = self._find()
            self._client = None if jtop is None else self._stack.enter_context(jtop.open())
            self.trouble = ""
        except Exception as error:  # noqa: BLE001 - an optional library, a service of others
            self._fail("is installed but cannot be used", error)

    def _with_client(self, telemetry: Telemetry) -> Telemetry:
        assert self._client is not None
        if not self._client.ok():
            self._fail("has stopped", "its service is gone")
            return telemetry
        return _with_jtop(telemetry, self._client)

    def _fail(self, what: str, error: Exception | str) -> None:
        self.trouble = f"jetson-stats {what} ({reason(error)}); sysfs is read alone"
        self._reads_to_retry = _RETRY_READS
        self.__exit__()


def find_jetson_stats() -> JtopModule | None:
    """None where jetson-stats is not installed; raises what its import raises."""
    try:
        from jtop import jtop
    except ModuleNotFoundError as missing:
        if missing.name != "jtop":
            raise
        return None
    return JtopModule(open=jtop)


def read_files(root: Path = Path("/")) -> Telemetry:
    """Telemetry from sysfs and procfs below `root`."""
    gpu = _gpu_folder(root)
    limit, fastest = _mhz(gpu, "max_freq"), _fastest_mhz(gpu)
    load = _number(gpu / "device" / "load") if gpu else None
    mode = _power_mode(root)
    total, available = _memory_mb(root)
    temperature, hot = _heat(root)
    throttles = []
    if limit is not None and fastest is not None and limit < fastest:
        throttles.append(f"power mode {mode or 'unknown'} holds the GPU at {limit:.0f} of {fastest:.0f} MHz")
    return Telemetry(
        gpu_load_percent=None if load is None else load / 10,
        gpu_clock_mhz=_mhz(gpu, "cur_freq"),
        gpu_limit_mhz=limit,
        memory_used_mb=None if total is None or available is None else total - available,
        memory_total_mb=total,
        temperature_c=temperature,
        power_w=_power_w(root),
        power_mode=mode,
        throttles=(*throttles, *hot),
    )


class TelemetryWatch(OptionalPart):
    """A thread that publishes telemetry in the state and logs what slows speech down."""

    def __init__(self, *, runtime: Runtime, reader: TelemetryReader, interval_s: float = 15.0) -> None:
        advice = "`systemctl status jtop` tells about its service; the user must be in the group jtop"
        super().__init__(name="telemetry", runtime=runtime, advice=advice, retry_s=interval_s)
        self._reader, self._interval_s = reader, interval_s

    def work(self) -> None:
        self.ready()
        throttles: tuple[str, ...] = ()
        with self._reader:
            while not self.stopping.is_set():
                telemetry = self._reader.read()
                if self._reader.trouble:
                    self.status.fail(self._reader.trouble)
                else:
                    self.status.ok()
                self.runtime.events.update(telemetry=telemetry.as_state())
                for reason in telemetry.throttles:
                    if reason not in throttles:
                        log.warning("speech is slowed down: %s", reason)
                throttles = telemetry.throttles
                self.stopping.wait(self._interval_s)


def _with_jtop(telemetry: Telemetry, client: JtopClient) -> Telemetry:
    """Prefer jtop's values: its service may read what an ordinary user may not."""
    gpu: Mapping[str, Any] = next((entry for entry in client.gpu.values() if entry.get("type") == "integrated"), {})
    memory = client.memory.get("RAM", {})
    degrees = [zone["temp"] for zone in client.temperature.values() if zone.get("online", True)]
    power = client.power.get("tot", {}).get("power")
    clock = gpu.get("freq", {}).get("cur")
    changes = {
        "gpu_load_percent": gpu.get("status", {}).get("load"),
        "gpu_clock_mhz": None if clock is None else clock / 1000,
        "memory_used_mb": memory["used"] / 1024 if "used" in memory else None,
        "memory_total_mb": memory["tot"] / 1024 if "tot" in memory else None,
        "temperature_c": max(degrees, default=None),
        "power_w": None if power is None else power / 1000,
        "power_mode": None if client.nvpmodel is None else str(client.nvpmodel.name),
    }
    return replace(telemetry, **{name: value for name, value in changes.items() if _is_known(value)})


def _is_known(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, (int, float)) and math.isfinite(value))


def _gpu_folder(root: Path) -> Path | None:
    for folder in sorted(root.glob("sys/class/devfreq/*")):
        if _text(folder / "device/of_node/name") in _GPU_NAMES:
            return folder
    return None


def _mhz(folder: Path | None, name: str) -> float | None:
    hertz = _number(folder / name) if folder else None
    return None if hertz is None else hertz / 1e6


def _fastest_mhz(folder: Path | None) -> float | None:
    """The fastest clock of the chip in any power mode."""
    frequencies = re.findall(r"\d+", _text(folder / "available_frequencies")) if folder else []
    return max((int(hertz) / 1e6 for hertz in frequencies), default=None)


def _memory_mb(root: Path) -> tuple[float | None, float | None]:
    """Total and available, shared with a Jetson's GPU."""
    text = _text(root / "proc/meminfo")
    sizes = {name: int(kib) / 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    return sizes.get("MemTotal"), sizes.get("MemAvailable")


def _heat(root: Path) -> tuple[float | None, list[str]]:
    """The hottest zone in °C, and what heat slows down now."""
    hottest: float | None = None
    throttles = []
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone*")):
        millidegrees = _number(zone / "temp")
        if millidegrees is None or millidegrees <= 0:
            continue  # its block is powered down
        degrees = millidegrees / 1000
        hottest = degrees if hottest is None else max(hottest, degrees)
        limit = min(_passive_trips(zone), default=None)
        if limit is not None and degrees >= limit:
            throttles.append(
                f"heat: {_text(zone / 'type')} has {degrees:.0f} °C and is throttled from {limit:.0f} °C on"
            )
    for cooler in sorted(root.glob("sys/class/thermal/cooling_device*")):
        kind = _text(cooler / "type")
        if "throttle" in kind and (_number(cooler / "cur_state") or 0) > 0:
            throttles.append(f"heat: {kind} is on")
    return hottest, throttles


def _passive_trips(zone: Path) -> Iterator[float]:
    """Temperatures in °C from which the kernel throttles the zone's block."""
    for kind in sorted(zone.glob("trip_point_*_type")):
        degrees = _number(kind.with_name(kind.name.replace("_type", "_temp")))
        if _text(kind) == "passive" and degrees is not None and degrees > 0:
            yield degrees / 1000


def _power_w(root: Path) -> float | None:
    """Watts of all rails (INA3221), or of VDD_IN, which measures the whole module."""
    rails = {}
    for label in sorted(root.glob("sys/bus/i2c/devices/*/hwmon/hwmon*/in*_label")):
        name, number = _text(label), re.sub(r"\D", "", label.name)
        millivolts = _number(label.with_name(f"in{number}_input"))
        milliamperes = _number(label.with_name(f"curr{number}_input"))
        if millivolts is not None and milliamperes is not None and name != "NC":
            rails[name] = millivolts * milliamperes / 1e6
    if not rails:
        return None
    return rails.get("VDD_IN", sum(rails.values()))


def _power_mode(root: Path) -> str | None:
    """nvpmodel's mode: its number is in /var/lib/nvpmodel/status, the names are in /etc/nvpmodel.conf."""
    number = re.search(r"pmode:0*(\d+)", _text(root / "var/lib/nvpmodel/status"))
    if not number:
        return None
    modes = re.findall(r"POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", _text(root / "etc/nvpmodel.conf"))
    return dict(modes).get(number[1], number[1])


def _number(path: Path) -> float | None:
    try:
        value = float(_text(path))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _text(path: Path) -> str:
    """Empty when the file cannot be read, as for a block that is powered down."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""
