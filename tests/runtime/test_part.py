"""How the thread of a part starts, stops and fails."""

from __future__ import annotations

import threading

import pytest
from fakes import WAIT_S
from rig import make_runtime

from edge_tts.errors import ModelError
from edge_tts.runtime.part import Part


class Sleeper(Part):
    """Waits until it is woken and `hears`; `trouble` is raised before or after it is ready."""

    def __init__(
        self, *, early: Exception | None = None, late: Exception | None = None, stop_timeout_s: float = WAIT_S
    ) -> None:
        self.fatalities: list[tuple[str, BaseException]] = []
        self.fatal_heard = threading.Event()
        super().__init__(name="sleeper", runtime=make_runtime(fatal=self._note), stop_timeout_s=stop_timeout_s)
        self.hears = threading.Event()
        self.hears.set()
        self._early_trouble, self._late_trouble = early, late

    def _note(self, name: str, error: BaseException) -> None:
        self.fatalities.append((name, error))
        self.fatal_heard.set()

    def work(self) -> None:
        if self._early_trouble:
            raise self._early_trouble
        self.ready()
        if self._late_trouble:
            raise self._late_trouble
        self.stopping.wait(WAIT_S)
        self.hears.wait(WAIT_S)


def test_what_goes_wrong_before_ready_comes_out_of_enter() -> None:
    """A part that cannot start raises its named error where it was started, and is not reported as fatal."""
    part = Sleeper(early=ModelError("no such graph"))
    with pytest.raises(ModelError, match="no such graph"), part:
        raise AssertionError("it must not start")
    assert part.fatalities == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_after_ready_goes_to_fatal() -> None:
    """A defect in a running part calls `fatal` with its name and lets those who wait for the part know."""
    part = Sleeper(late=ZeroDivisionError("a defect"))
    with part:
        assert part.fatal_heard.wait(WAIT_S)
        assert part.stopping.wait(WAIT_S)
    assert [(name, str(error)) for name, error in part.fatalities] == [("sleeper", "a defect")]


def test_a_part_that_does_not_stop_is_a_bug() -> None:
    """A thread that outlives its owner raises instead of being forgotten."""
    part = Sleeper(stop_timeout_s=0.05)
    part.hears.clear()
    with pytest.raises(RuntimeError, match="sleeper still runs"), part:
        pass
    part.hears.set()
