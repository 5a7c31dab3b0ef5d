"""The daemon: runs the appliance, handles signals, feeds systemd's watchdog."""

from __future__ import annotations

import logging
import os
import queue
import signal
from collections.abc import Callable, Iterable
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path

from edge_tts.app.appliance import Appliance, Observers, Surroundings, loudspeaker_for
from edge_tts.app.memory import limit_arenas, trim_memory
from edge_tts.app.stop_guard import StopGuard, leave_held_process
from edge_tts.audio.provenance import RecentContents
from edge_tts.config import Config
from edge_tts.durable.folders import make_folder
from edge_tts.durable.lock import HeldError, held_alone
from edge_tts.engine.load import Placement
from edge_tts.errors import ConfigError, EdgeTTSError
from edge_tts.fleet.device_overlay import DeviceOverlay
from edge_tts.front_doors.mqtt.group_voices import GroupVoices
from edge_tts.front_doors.mqtt.session import session_config
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.model_sets.loading import as_chosen, open_choice, open_model, open_networks, unchanged
from edge_tts.model_sets.trial import InstalledSets
from edge_tts.runtime.health import sd_notify, watchdog_interval_s, watchdog_line
from edge_tts.runtime.telemetry import TelemetryReader
from edge_tts.values import ModelSet

log = logging.getLogger(__name__)

START_S = 900.0
"""Time-out of a start, as in systemd/edge-tts.service: engines may have to be built."""
POLL_S = 5.0
"""Interval of the housekeeping without a watchdog."""


class Stop:
    """Requests to stop, from any thread or a signal handler, which may interrupt the thread that holds an Event's lock:
    hence a SimpleQueue."""

    def __init__(self, guard: StopGuard | None = None) -> None:
        self._guard = guard
        self.failed = False
        self._restart = False
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(self) -> None:
        """End the process in order, or without when that takes longer than STOP_S."""
        if self._guard is not None:
            self._guard.arm()
        self._asked.put(False)

    def ask_restart(self) -> None:
        """Restart the appliance in this process; the watchdog has its time-out."""
        self._asked.put(True)

    def wait(self, timeout_s: float) -> bool:
        """Block until there is a request; False after `timeout_s`."""
        try:
            self._restart = self._asked.get(timeout=timeout_s)
        except queue.Empty:
            return False
        return True

    def wants_restart(self) -> bool:
        """After `wait`: whether all requests are for a restart."""
        restart = self._restart
        with suppress(queue.Empty):
            while True:
                restart = self._asked.get_nowait() and restart
        return restart and not self.failed

    def fatal(self, part: str, error: BaseException) -> None:
        """An unexpected exception ended a part: end the process in failure, so that systemd restarts it."""
        log.critical("%s failed, so the process ends: %r", part, error, exc_info=error)
        self.failed = True
        self.ask()


def run(config: Config, overlay: DeviceOverlay | None = None) -> int:
    """Serve until SIGTERM or SIGINT (0), or until a part fails (1). Raises EdgeTTSError when it cannot start.

    A model set chosen over MQTT restarts everything, and so does an `overlay` of the configuration. One that cannot
    start falls back to the one before.
    """
    limit_arenas()
    os.umask(0o077)  # recordings and texts are not for other accounts
    with ExitStack() as stack:
        own_state(config.state_dir, stack)
        with StopGuard() as guard:
            status = _run(config, Stop(guard), overlay)
        leave_held_process(status)
        return status


def own_state(folder: Path, stack: ExitStack) -> None:
    """Keep other daemons out of the state folder until `stack` is closed. Raises ConfigError when one is there; a disk
    that cannot be written is only logged."""
    try:
        stack.enter_context(held_alone(make_folder(folder) / "daemon.lock"))
    except HeldError as other:
        raise ConfigError(
            f"state_dir: another daemon (pid {other}) uses {folder}; stop it, or give each daemon its own state_dir"
        ) from other
    except OSError as error:
        log.warning("state_dir: no other daemon can be kept out of %s: %s", folder, error)


def _run(config: Config, stop: Stop, overlay: DeviceOverlay | None) -> int:
    choice = open_choice(config)
    observers: Observers | None = None
    trials: list[DeviceOverlay | ModelChoice] = [choice] if overlay is None else [overlay, choice]
    while True:
        for trial in trials:
            trial.begin()
        try:
            before, config = config, config if overlay is None else overlay.config()
            if observers is None or config != before:
                observers = Observers.of(config)
            restart = serve(as_chosen(config, choice), choice, stop, observers, overlay)
        except EdgeTTSError as error:
            if not any(trial.fall_back(str(error)) for trial in trials):
                raise
            continue
        if not restart or stop.failed:
            return 1 if stop.failed else 0
        trim_memory()


def serve(config: Config, choice: ModelChoice, stop: Stop, observers: Observers, overlay: DeviceOverlay | None) -> bool:
    """Serve with one model set until asked to stop; True to restart."""
    trials = [choice.cancel_attempt] if overlay is None else [choice.cancel_attempt, overlay.cancel_attempt]
    on_signal(lambda number: die_of_signal(number, *trials))
    model, placements, contents = open_model(config), list[Placement](), RecentContents()
    log.info("loading model set %s %s (%s)", model.name, model.version, model.family)

    def placed(anew: Iterable[Placement]) -> None:
        placements[:] = anew

    elsewhere = group_voices(config, model)
    surroundings = Surroundings(
        load=lambda: open_networks(unchanged(model), config, on_placed=placed, elsewhere=elsewhere),
        unloaded=trim_memory,
        open_loudspeaker=loudspeaker_for(config.audio, contents),
        contents=contents,
        fatal=stop.fatal,
        loaded=lambda: on_signal(lambda number: stop.ask()),  # now there is something to stop in order
        placements=lambda: placements,
        telemetry=TelemetryReader(),
        observers=observers,
        sets=InstalledSets(config=config, choice=choice, restart=stop.ask_restart),
        overlay=overlay,
    )
    with elsewhere or nullcontext(), Appliance(config, model, surroundings) as appliance:
        choice.proven()
        if overlay is not None:
            overlay.proven()
        where = f"{config.mqtt.base_topic}/{config.device}"
        sd_notify(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Listening as {where}{watchdog_line()}")
        log.info("ready: listening as %s", where)
        watch(stop, appliance.poll)
        restart = stop.wants_restart()
        sd_notify(f"STATUS=Changing the model set{watchdog_line(START_S)}" if restart else "STOPPING=1")
        return restart


def group_voices(config: Config, model: ModelSet) -> GroupVoices | None:
    """The group that is to speak for this device. Raises TransportError for what is wrong in `mqtt`."""
    remote = config.remote
    if config.engine.execution != "remote" or remote.group is None:
        return None
    mqtt, first_audio_s = session_config(config, keep=False), remote.first_audio_ms / 1000
    return GroupVoices(mqtt, model, group=remote.group, device=config.device, first_audio_s=first_audio_s)


def on_signal(act: Callable[[int], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: act(number))


def die_of_signal(number: int, *cancel: Callable[[], None]) -> None:
    """For a signal during the start: loading cannot be interrupted, and there is nothing to lose. `cancel`: what does
    not count this start."""
    for attempt in cancel:
        attempt()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def watch(stop: Stop, poll: Callable[[], list[str]]) -> None:
    """Feed systemd's watchdog until asked to stop, unless a part is stuck: then systemd restarts the process."""
    interval_s = watchdog_interval_s() or POLL_S
    while not stop.wait(interval_s):
        stuck = poll()
        if stuck:
            log.critical("no progress from %s", ", ".join(stuck))
        else:
            sd_notify("WATCHDOG=1")
