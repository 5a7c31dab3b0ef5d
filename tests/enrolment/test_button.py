"""Buttons: what counts as a press, and what is said when there is none. Devices are pipes and a fake gpiod."""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from fakes import WAIT_S, until
from rig import make_runtime

from edge_tts.enrolment.button import ButtonWatch, GpioButton, KeyButton, TerminalButton, key_code
from edge_tts.errors import AudioError, ConfigError


def event(kind: int, code: int, value: int) -> bytes:
    """Linux' input_event."""
    return struct.pack("llHHi", 0, 0, kind, code, value)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """An event file and its other end."""
    path = tmp_path / "event0"
    os.mkfifo(path)
    other = os.open(path, os.O_RDWR)
    yield path, other
    os.close(other)


def test_a_key_going_down_is_a_press(device: tuple[Path, int]) -> None:
    """Going down counts; repeating, going up, another key and what is no key do not."""
    path, other = device
    button = KeyButton(device=str(path), code=28)
    for data, pressed in (
        (event(1, 28, 1), True),
        (event(1, 28, 2) + event(1, 28, 0) + event(0, 0, 0), False),
        (event(1, 30, 1), False),
        (event(4, 4, 28) + event(1, 28, 1) + event(0, 0, 0), True),
    ):
        os.write(other, data)
        assert button.wait(WAIT_S) is pressed
    assert button.wait(0) is False
    button.close()


def test_any_key_will_do(device: tuple[Path, int]) -> None:
    """Without a code every key of the device is the button."""
    path, other = device
    button = KeyButton(device=str(path))
    os.write(other, event(1, 99, 1))
    assert button.wait(WAIT_S)
    button.close()


def test_a_device_that_is_pulled_out(tmp_path: Path) -> None:
    """The end of the event file is a named error."""
    path = tmp_path / "event0"
    os.mkfifo(path)
    button = KeyButton(device=str(path))
    other = os.open(path, os.O_RDWR)
    os.close(other)
    os.close(os.open(path, os.O_WRONLY))
    with pytest.raises(AudioError, match="pulled out"):
        button.wait(WAIT_S)
    button.close()


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    """The message names the device."""
    with pytest.raises(ConfigError, match="event9"):
        KeyButton(device=str(tmp_path / "event9"))


def test_keys_by_name() -> None:
    """A few names are known, any number is taken, and a wrong name says how to find the number."""
    assert [key_code(name) for name in ("Enter", "f5", 99, None)] == [28, 63, 99, None]
    with pytest.raises(ConfigError, match="evtest"):
        key_code("big red one")


def test_enter_in_a_terminal() -> None:
    """Each line is a press; the end of the input is none, and ends the waiting."""
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stream:
        button = TerminalButton(stream=stream)
        assert button.wait(0) is False
        os.write(theirs, b"\n")
        assert button.wait(WAIT_S) is True
        os.close(theirs)
        assert button.wait(WAIT_S) is False
        assert button.ended


class FakeRequest:
    """A requested line with presses that are still to come."""

    def __init__(self) -> None:
        self.pending: list[object] = []
        self.released = False

    def wait_edge_events(self, timeout: timedelta) -> bool:
        assert isinstance(timeout, timedelta)
        return bool(self.pending)

    def read_edge_events(self) -> list[object]:
        found, self.pending = self.pending, []
        return found

    def release(self) -> None:
        self.released = True


class FakeGpiod(ModuleType):
    """gpiod 2 with the two chips of a Jetson; `requested` remembers what was asked for."""

    LINES = (("tegra234-gpio", {"PQ.05": 105, "PAC.06": 144}), ("tegra234-gpio-aon", {"PCC.00": 12}))

    def __init__(self) -> None:
        super().__init__("gpiod")
        direction, edge = Enum("Direction", "INPUT OUTPUT"), Enum("Edge", "RISING FALLING")
        self.line = SimpleNamespace(Direction=direction, Edge=edge, Bias=Enum("Bias", "PULL_UP PULL_DOWN"))
        self.LineSettings = SimpleNamespace
        self.request = FakeRequest()
        self.requested: tuple[str, dict[int, SimpleNamespace]] | None = None
        self.Chip = self._chip

    def request_lines(self, path: str, *, consumer: str, config: dict[int, SimpleNamespace]) -> FakeRequest:
        self.requested = (path, config)
        return self.request

    def _chip(self, path: str) -> FakeChip:
        return FakeChip(path, *self.LINES[int(path[-1])])


class FakeChip:
    """One chip."""

    def __init__(self, path: str, label: str, lines: dict[str, int]) -> None:
        self._path, self._label, self._lines = path, label, lines

    def __enter__(self) -> FakeChip:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def get_info(self) -> SimpleNamespace:
        return SimpleNamespace(name=Path(self._path).name, label=self._label, num_lines=164)

    def line_offset_from_id(self, name: str) -> int:
        if name not in self._lines:
            raise OSError("no such line")
        return self._lines[name]


@pytest.fixture
def gpiod(monkeypatch: pytest.MonkeyPatch) -> FakeGpiod:
    """gpiod 2 on a board with two chips."""
    fake = FakeGpiod()
    monkeypatch.setitem(sys.modules, "gpiod", fake)
    chips = [Path("/dev/gpiochip0"), Path("/dev/gpiochip1")]
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(chips))
    return fake


@pytest.mark.parametrize(
    ("line", "chip", "found"),
    [
        ("PQ.05", None, ("/dev/gpiochip0", 105)),
        ("PCC.00", None, ("/dev/gpiochip1", 12)),
        ("PCC.00", "tegra234-gpio-aon", ("/dev/gpiochip1", 12)),
        ("7", "gpiochip1", ("/dev/gpiochip1", 7)),
        ("7", "/dev/gpiochip0", ("/dev/gpiochip0", 7)),
    ],
)
def test_a_line_by_name_or_chip(gpiod: FakeGpiod, line: str, chip: str | None, found: tuple[str, int]) -> None:
    """A line is found by its name on any chip, or by its number on the chip that a path, name or label means."""
    GpioButton(line=line, chip=chip).close()
    assert gpiod.requested is not None
    path, config = gpiod.requested
    assert (path, *config) == found
    assert gpiod.request.released


def test_a_line_is_debounced_and_pulled(gpiod: FakeGpiod) -> None:
    """The kernel debounces; the pull resistor fits the wiring; bounces that come together are one press."""
    button = GpioButton(line="PQ.05")
    assert gpiod.requested is not None
    settings = gpiod.requested[1][105]
    assert settings.debounce_period == timedelta(milliseconds=20)
    assert (settings.active_low, settings.bias.name, settings.edge_detection.name) == (True, "PULL_UP", "RISING")
    assert button.wait(0) is False
    gpiod.request.pending = [1, 2]
    assert button.wait(0) is True
    assert button.wait(0) is False


def test_a_line_that_is_not_there(gpiod: FakeGpiod) -> None:
    """The message names the chips that are."""
    with pytest.raises(ConfigError, match=r"gpiochip0 \(tegra234-gpio\)"):
        GpioButton(line="PZ.99")


def test_a_box_without_gpiod(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install; version 1 of the library, which is another, counts as none."""
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(ConfigError, match="pip install"):
        GpioButton(line="PQ.05")
    monkeypatch.setitem(sys.modules, "gpiod", ModuleType("gpiod"))
    with pytest.raises(ConfigError, match="version 1"):
        GpioButton(line="PQ.05")


def test_a_watch_passes_presses_on(device: tuple[Path, int]) -> None:
    """The thread calls `press` for each press and ends when it is asked to."""
    path, other = device
    pressed, failed = threading.Semaphore(0), threading.Event()
    with ButtonWatch(
        runtime=make_runtime(fatal=lambda *_: failed.set()),
        name="key",
        open_button=lambda: KeyButton(device=str(path)),
        press=pressed.release,
    ):
        for _ in range(2):
            os.write(other, event(1, 28, 1) + event(1, 28, 0))
            assert pressed.acquire(timeout=WAIT_S)
    assert not failed.is_set()


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("line"), SystemExit(3), MemoryError()])
@pytest.mark.parametrize("where", ["open", "wait", "close", "press"])
def test_whatever_a_button_raises_costs_only_the_button(error: BaseException, where: str) -> None:
    """Any exception, at any moment, is shown in the state and tried again; it ends nothing else."""
    failed, pressed, broken = threading.Event(), threading.Semaphore(0), threading.Event()
    broken.set()

    def fail(place: str) -> None:
        if broken.is_set() and place == where:
            raise error

    class Odd:
        def wait(self, timeout_s: float) -> bool:
            fail("wait")
            if broken.is_set() and where == "close":
                raise AudioError("pulled out")
            return True

        def close(self) -> None:
            fail("close")

    def open_button() -> Odd:
        fail("open")
        return Odd()

    def press() -> None:
        fail("press")
        pressed.release()

    runtime = make_runtime(fatal=lambda *_: failed.set())
    with ButtonWatch(runtime=runtime, name="key-button", open_button=open_button, press=press, retry_s=0.001):
        until(lambda: runtime.events.state.health["key_button"].status == "failing")
        broken.clear()
        assert pressed.acquire(timeout=WAIT_S)
        until(lambda: runtime.events.state.health["key_button"].status == "ok")
    assert not failed.is_set()


def test_a_button_that_comes_and_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A button that is missing at the start, is plugged in, pulled out and plugged in again works whenever it is there;
    each absence is one line in the log, however often it is looked for, and no reason to end."""
    path = tmp_path / "event0"
    pressed, looked, failed = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def open_button() -> KeyButton:
        looked.release()
        return KeyButton(device=str(path), code=28)

    def plug_in() -> int:
        os.mkfifo(tmp_path / "fresh")
        other = os.open(tmp_path / "fresh", os.O_RDWR)
        os.rename(tmp_path / "fresh", path)
        os.write(other, event(1, 28, 1))
        assert pressed.acquire(timeout=WAIT_S)
        return other

    def look_twice() -> None:
        while looked.acquire(blocking=False):
            pass
        for _ in range(2):
            assert looked.acquire(timeout=WAIT_S)

    watch = ButtonWatch(
        runtime=make_runtime(fatal=lambda *_: failed.set()),
        name="key-button",
        open_button=open_button,
        press=pressed.release,
        retry_s=0.001,
    )
    with watch:
        look_twice()
        other = plug_in()
        path.unlink()
        os.close(other)
        look_twice()
        os.close(plug_in())
    assert not failed.is_set()
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) in (2, 3)  # the last close may be noticed or not
    assert "event0" in warnings[0]
    assert "pulled out" in warnings[1]
