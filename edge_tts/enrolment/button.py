"""Buttons: a GPIO line, a key of an input device, Enter in a terminal. gpiod's one home."""

from __future__ import annotations

import importlib
import os
import select
import struct
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Protocol

from edge_tts.errors import AudioError, ConfigError, install_hint
from edge_tts.runtime.part import OptionalPart
from edge_tts.runtime.runtime import Runtime

_DEBOUNCE = timedelta(milliseconds=20)
_EVENT = struct.Struct("llHHi")
"""Linux' input_event: time (seconds, microseconds), type, code, value."""
_KEY, _DOWN = 1, 1
_WAIT_S, _RETRY_S = 0.5, 5.0


class Button(Protocol):
    def wait(self, timeout_s: float) -> bool:
        """Wait for a press; False after `timeout_s`. Raises AudioError when the button is gone."""

    def close(self) -> None: ...


class GpioButton:
    """A button between a GPIO line and ground, or supply where not `active_low`. Raises ConfigError.

    `line` is a name, or a number on `chip`; `chip` is a path, a name (gpiochip0), a label, or None for the first one
    that has a line of that name.
    """

    def __init__(self, *, line: str, chip: str | None = None, active_low: bool = True) -> None:
        self._gpiod = _gpiod()
        path, offset = self._find(chip, line)
        settings = self._gpiod.LineSettings(
            direction=self._gpiod.line.Direction.INPUT,
            edge_detection=self._gpiod.line.Edge.RISING,
            bias=self._gpiod.line.Bias.PULL_UP if active_low else self._gpiod.line.Bias.PULL_DOWN,
            active_low=active_low,
            debounce_period=_DEBOUNCE,
        )
        try:
            self._request: Any = self._gpiod.request_lines(path, consumer="edge-tts", config={offset: settings})
        except OSError as error:
            raise ConfigError(f"GPIO line {line} of {path}: {error.strerror}; is it used elsewhere?") from error

    def wait(self, timeout_s: float) -> bool:
        """Presses that come together count as one."""
        try:
            if not self._request.wait_edge_events(timedelta(seconds=timeout_s)):
                return False
            return bool(self._request.read_edge_events())
        except OSError as error:
            raise AudioError(f"the GPIO button stopped working: {error.strerror}") from error

    def close(self) -> None:
        self._request.release()

    def _find(self, chip: str | None, line: str) -> tuple[str, int]:
        """The chip's path and the line's number on it. Raises ConfigError, which lists the chips."""
        chips: list[str] = []
        for path in sorted(str(path) for path in Path("/dev").glob("gpiochip*")):
            try:
                with self._gpiod.Chip(path) as opened:
                    info = opened.get_info()
                    chips.append(f"{info.name} ({info.label})")
                    if chip is not None and chip not in (path, info.name, info.label):
                        continue
                    if line.isdigit() and chip is not None and int(line) < info.num_lines:
                        return path, int(line)
                    return path, int(opened.line_offset_from_id(line))
            except OSError:
                continue  # no such line on this chip, or no permission
        there = ", ".join(chips) or "none"
        raise ConfigError(f"there is no GPIO line '{line}' on {chip or 'any chip'}; chips: {there}")


class KeyButton:
    """A key of an input device (USB button, remote control, keyboard), read from its event file; `code` None is any."""

    def __init__(self, *, device: str, code: int | None = None) -> None:
        self._code = code
        try:
            self._file = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise ConfigError(f"input device {device}: {error.strerror}") from error

    def wait(self, timeout_s: float) -> bool:
        """Only the key going down counts, not its repeat or release."""
        if not select.select([self._file], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self._file, 64 * _EVENT.size)
        except OSError as error:
            raise AudioError(f"the input device was pulled out: {error.strerror}") from error
        if not data:
            raise AudioError("the input device was pulled out")
        whole = len(data) // _EVENT.size * _EVENT.size
        return any(self._is_press(*event[2:]) for event in _EVENT.iter_unpack(data[:whole]))

    def close(self) -> None:
        os.close(self._file)

    def _is_press(self, kind: int, code: int, value: int) -> bool:
        return kind == _KEY and value == _DOWN and self._code in (None, code)


class TerminalButton:
    """Enter in a terminal, until the end of its input."""

    def __init__(self, *, stream: IO[str]) -> None:
        self._stream = stream
        self.ended = False

    def wait(self, timeout_s: float) -> bool:
        if self.ended or not select.select([self._stream], [], [], timeout_s)[0]:
            return False
        self.ended = self._stream.readline() == ""
        return not self.ended

    def close(self) -> None:
        """Leaves the terminal open."""


class ButtonWatch(OptionalPart):
    """Calls `press` at each press, from its thread. Opening a missing or broken button is retried every `retry_s`."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        name: str,
        open_button: Callable[[], Button],
        press: Callable[[], None],
        retry_s: float = _RETRY_S,
    ) -> None:
        advice = "Plug it in, or correct gpio_line or key_device under enrolment in config.yaml"
        super().__init__(name=name, runtime=runtime, advice=advice, retry_s=retry_s)
        self._open, self._press = open_button, press

    def work(self) -> None:
        self.ready()
        with closing(self._open()) as button:
            while not self.stopping.is_set():
                pressed = button.wait(_WAIT_S)
                self.status.ok()
                if pressed:
                    self._press()


def key_code(name: str | int | None) -> int | None:
    """The code of a key, by number or name (enter, space, f1 to f10, record, ...); None is any. Raises ConfigError."""
    if name is None or isinstance(name, int):
        return name
    codes = {"enter": 28, "space": 57, "record": 167, "play": 207, "playpause": 164, "mute": 113}
    codes.update({f"f{number}": 58 + number for number in range(1, 11)})
    if name.lower() in codes:
        return codes[name.lower()]
    raise ConfigError(f"key '{name}' is not known; give its number (evtest shows it) or one of: {', '.join(codes)}")


def _gpiod() -> ModuleType:
    """gpiod 2, an optional library. Raises ConfigError."""
    try:
        gpiod = importlib.import_module("gpiod")
    except Exception as error:
        raise ConfigError(f"a GPIO button needs gpiod 2 ({error}); {install_hint('button')}") from error
    if not hasattr(gpiod, "request_lines"):
        raise ConfigError(f"this gpiod is version 1; version 2 is needed; {install_hint('button')}")
    return gpiod
