"""The daemon: one appliance after another until a signal or a defect ends the process; systemd's watchdog is fed."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import queue
import signal
from collections.abc import Callable
from contextlib import suppress

from edge_tts.app.appliance import Appliance, Surroundings, loudspeaker_for
from edge_tts.config import Config
from edge_tts.engine.load import Placement
from edge_tts.errors import EdgeTTSError
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.model_sets.loading import as_chosen, open_choice, open_model, open_networks
from edge_tts.model_sets.trial import InstalledSets
from edge_tts.runtime.health import sd_notify, watchdog_interval_s, watchdog_line
from edge_tts.runtime.telemetry import TelemetryReader

log = logging.getLogger(__name__)

START_S = 900.0
"""How long a start may take, as in systemd/edge-tts.service: engines may have to be built."""
POLL_S = 5.0
"""How often the main thread does the housekeeping when systemd does not ask for signs of life more often."""


class Stop:
    """When the process should end, and whether in failure. Any thread may ask for it, and a signal handler: that is why
    it is a queue and no Event, whose lock the handler would find taken by the very thread that it interrupts."""

    def __init__(self) -> None:
        self.failed = False
        self._again = False
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(self) -> None:
        """End the process, in order."""
        self._asked.put(False)

    def ask_again(self) -> None:
        """End the appliance, in order, and start it again in this process."""
        self._asked.put(True)

    def wait(self, timeout_s: float) -> bool:
        """Wait until asked to stop; False after `timeout_s`."""
        try:
            self._again = self._asked.get(timeout=timeout_s)
        except queue.Empty:
            return False
        return True

    def wants_again(self) -> bool:
        """Once asked to stop: whether a fresh start is all that anybody asked for."""
        again = self._again
        with suppress(queue.Empty):
            while True:
                again = self._asked.get_nowait() and again
        return again and not self.failed

    def fatal(self, part: str, surprise: BaseException) -> None:
        """A part met something it cannot name: end the process loudly, and let systemd start a fresh one."""
        log.critical("%s failed, so the process ends: %r", part, surprise, exc_info=surprise)
        self.failed = True
        self.ask()


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT (0), or until a part fails (1). Raises EdgeTTSError when it cannot start.

    When another model set was chosen over MQTT everything is stopped and started again with it. A chosen set that
    cannot start gives way to the one before.
    """
    os.umask(0o077)  # recordings, texts, a WAV file of what was said: none of it is for other accounts
    stop, choice = Stop(), open_choice(config)
    while True:
        choice.begin()
        try:
            again = serve(as_chosen(config, choice), choice, stop)
        except EdgeTTSError as error:
            if not choice.fall_back(str(error)):
                raise
            continue
        if not again or stop.failed:
            return 1 if stop.failed else 0
        give_back_memory()


def serve(config: Config, choice: ModelChoice, stop: Stop) -> bool:
    """Be the appliance with one model set until asked to stop; whether a fresh start was asked for."""
    on_signal(lambda number: leave_at_once(number, choice))
    model, placements = open_model(config), list[Placement]()
    log.info("loading model set %s %s (%s)", model.name, model.version, model.family)
    surroundings = Surroundings(
        load=lambda: open_networks(model, config, on_placed=placements.extend),
        open_loudspeaker=loudspeaker_for(config.audio),
        fatal=stop.fatal,
        loaded=lambda: on_signal(lambda number: stop.ask()),  # from then on there is something to lose
        placements=lambda: placements,
        telemetry=TelemetryReader(),
        sets=InstalledSets(config=config, choice=choice, again=stop.ask_again),
    )
    with Appliance(config, model, surroundings) as appliance:
        choice.proven()
        where = f"{config.mqtt.base_topic}/{config.device}"
        sd_notify(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Listening as {where}{watchdog_line()}")
        log.info("ready: listening as %s", where)
        watch(stop, appliance.poll)
        again = stop.wants_again()
        sd_notify(f"STATUS=Changing the model set{watchdog_line(START_S)}" if again else "STOPPING=1")
        return again


def on_signal(act: Callable[[int], None]) -> None:
    """Do that on SIGTERM and on Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: act(number))


def leave_at_once(number: int, choice: ModelChoice) -> None:
    """Die of a signal while nothing is served yet: loading cannot be hurried, and there is nothing to lose."""
    choice.cancel_attempt()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def give_back_memory() -> None:
    """Return what the old networks used: the allocator would keep most of it, and more with every change."""
    gc.collect()
    with suppress(OSError, AttributeError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def watch(stop: Stop, poll: Callable[[], list[str]]) -> None:
    """Feed systemd's watchdog while every part shows progress. A stuck part starves it, and systemd restarts us."""
    interval_s = watchdog_interval_s() or POLL_S
    while not stop.wait(interval_s):
        stuck = poll()
        if stuck:
            log.critical("no progress from %s", ", ".join(stuck))
        else:
            sd_notify("WATCHDOG=1")
