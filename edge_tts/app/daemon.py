"""The wiring: which part gets which other, in one ExitStack. Starts bottom up, stops in reverse; does no other work."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import queue
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import edge_tts
from edge_tts.app.model_services import InstalledSets, as_chosen, first_voice, open_choice, open_model, open_networks
from edge_tts.app.voice_services import VoiceServices, open_voices
from edge_tts.audio.devices import Loudspeaker, OpenLoudspeaker, PortAudioLoudspeaker
from edge_tts.audio.wave import WavFile
from edge_tts.config import AudioConfig, Config
from edge_tts.engine.load import Placement
from edge_tts.errors import EdgeTTSError
from edge_tts.front_doors.dispatcher import Dispatcher, Rules
from edge_tts.front_doors.mqtt.link import MqttLink
from edge_tts.front_doors.payloads import SayPayload
from edge_tts.model_sets.change import ModelChange, Sets
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.runtime.event_bus import EventBus, State
from edge_tts.runtime.health import Health, sd_notify, watchdog_interval_s, watchdog_line
from edge_tts.runtime.part import Fatal
from edge_tts.runtime.telemetry import TelemetryReader, TelemetryWatch
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Journal
from edge_tts.speaking.player import Player
from edge_tts.speaking.settings import SettingsFile
from edge_tts.speaking.worker import Speaker, Worker
from edge_tts.values import ModelSet
from edge_tts.voices.catalogue import Catalogue

log = logging.getLogger(__name__)

CLOSING_S = 3.0
"""How long a stop waits for the sound to fade out and the last report to be sent."""
START_S = 900.0
"""How long a start may take, as in systemd/edge-tts.service: engines may have to be built."""
LOOK_S = 5.0
"""How often the main thread looks for stuck parts when systemd does not ask more often."""


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


def loudspeaker_for(audio: AudioConfig) -> OpenLoudspeaker:
    """How to open the configured loudspeaker."""

    def open_loudspeaker(sample_rate: int) -> Loudspeaker:
        if audio.output == "file":
            return WavFile(path=Path(audio.file), sample_rate=sample_rate)
        return PortAudioLoudspeaker(sample_rate=sample_rate, device=audio.device)

    return open_loudspeaker


@contextmanager
def running(
    config: Config,
    *,
    model: ModelSet,
    load: Callable[[], AbstractContextManager[Speaker]],
    open_loudspeaker: OpenLoudspeaker,
    fatal: Fatal,
    clock: Callable[[], float] = time.monotonic,
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:12],
    loaded: Callable[[], None] = lambda: None,
    choices: Callable[[], Iterable[Placement]] = tuple,
    telemetry: TelemetryReader | None = None,
    sets: Sets | None = None,
) -> Iterator[Callable[[], list[str]]]:
    """The appliance, up and serving, until the block ends. What cannot start raises its named error here.

    `loaded` is called in this thread once the networks are, before anything is served; `choices` says then who runs
    them; `telemetry` is asked for the state of the device; `sets` are the model sets that can be changed to meanwhile.

    Yields a function for the main thread to call every few seconds: it does the housekeeping and names stuck parts.
    """
    voices, kept = open_voices(config, model, recover=True), SettingsFile(Path(config.state_dir) / "settings.json")
    health = Health(stall_s=config.health.stall_s, clock=clock)
    events = EventBus(state=first_state(config, model, kept, voices.catalogue))
    events.listen(kept)
    journal = Journal(Path(config.state_dir) / "jobs", clock=clock)
    jobs = JobQueue(
        capacity=config.limits.queue,
        report=events.report,
        changed=lambda speaking, waiting: events.update(speaking=speaking, waiting=waiting),
        clock=clock,
        journal=journal,
    )
    player = make_player(
        config.audio, events.state.volume, open_loudspeaker, jobs, health.pulse("player"), fatal, clock
    )
    worker = Worker(
        load=load,
        voice=voices.catalogue.load,
        jobs=jobs,
        player=player,
        pulse=health.pulse("worker"),
        fatal=fatal,
        clock=clock,
    )
    room = VoiceServices(
        config=config,
        model=model,
        voices=voices,
        jobs=jobs,
        events=events,
        first=lambda: first_voice(config, model, voices.catalogue),
        let_go=player.release_device,
        fatal=fatal,
        pulse=health.pulse,
        clock=clock,
        new_id=new_id,
    )
    changes = [] if sets is None else [make_change(sets, jobs, events, fatal, clock, new_id)]
    rules, more = rules_for(config, model, voices.catalogue), {**room.commands()}
    for change in changes:
        more |= change.commands()
    dispatcher = Dispatcher(rules=rules, jobs=jobs, player=player, events=events, clock=clock, new_id=new_id, more=more)
    link = MqttLink(
        config=config.mqtt,
        device=config.device,
        events=events,
        commands=dispatcher.commands,
        handle=dispatcher.handle,
        fatal=fatal,
    )
    room.fact.refresh()
    events.put("capabilities", capabilities(config, model, dispatcher.commands))
    with ExitStack() as parts:
        parts.callback(kept.save)
        parts.enter_context(player)
        parts.enter_context(worker)
        loaded()
        events.put("engines", {"engines": [asdict(choice) for choice in choices()]})
        dispatcher.resume(journal.read(), oldest_s=config.limits.resume_s, closed=journal.closed())
        parts.enter_context(link)
        for part in [*room.parts(), *changes]:  # after the link, so that it still carries their last reports
            parts.enter_context(part)
        if telemetry is not None:
            parts.enter_context(
                TelemetryWatch(reader=telemetry, publish=lambda values: events.update(telemetry=values), fatal=fatal)
            )
        parts.callback(jobs.close, CLOSING_S)
        parts.callback(link.stopping.set)  # first of all: what comes now is left to the broker, for the next start

        def look() -> list[str]:
            kept.save()
            room.look()
            return health.stuck()

        yield look


def first_state(config: Config, model: ModelSet, kept: SettingsFile, catalogue: Catalogue) -> State:
    """Voice and volume as they were set last, else as configured. Raises ConfigError for a voice that is not there."""
    remembered = kept.settings
    return State(
        voice=remembered.voice if remembered.voice in catalogue.ids() else first_voice(config, model, catalogue),
        volume=config.audio.volume if remembered.volume is None else remembered.volume,
    )


def make_player(
    audio: AudioConfig,
    volume: float,
    open_loudspeaker: OpenLoudspeaker,
    jobs: JobQueue,
    pulse: Callable[[], None],
    fatal: Fatal,
    clock: Callable[[], float],
) -> Player:
    """The player as configured; `volume` is 0 to 100."""
    return Player(
        open_loudspeaker=open_loudspeaker,
        first_audio=lambda job: jobs.report(job, "first_audio"),
        clock=clock,
        pulse=pulse,
        fatal=fatal,
        buffer_s=audio.buffer_s,
        fade_s=audio.fade_ms / 1000,
        volume=volume / 100,
        keep_open=audio.keep_open or audio.output == "file",  # a file opened again would begin anew
    )


def make_change(
    sets: Sets,
    jobs: JobQueue,
    events: EventBus,
    fatal: Fatal,
    clock: Callable[[], float],
    new_id: Callable[[], str],
) -> ModelChange:
    """The part that changes the model set."""
    internal_jobs = InternalJobs(jobs=jobs, events=events, new_id=new_id)
    return ModelChange(sets=sets, internal_jobs=internal_jobs, events=events, fatal=fatal, clock=clock, new_id=new_id)


def rules_for(config: Config, model: ModelSet, catalogue: Catalogue) -> Rules:
    """What requests are checked against."""
    return Rules(
        resolve_voice=catalogue.resolve,
        sampling=model.sampling,
        text_chars=config.limits.text_chars,
        payload_bytes=config.limits.payload_bytes,
    )


def capabilities(config: Config, model: ModelSet, commands: tuple[str, ...]) -> dict[str, Any]:
    """What this device can do, for whoever wants to talk to it."""
    return {
        "version": edge_tts.__version__,
        "model": {
            "name": model.name,
            "version": model.version,
            "family": model.family,
            "languages": list(model.languages),
            "sample_rate": model.sample_rate,
        },
        "commands": list(commands),
        "limits": config.limits.model_dump(),
        "say": SayPayload.model_json_schema(),
    }


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
    model, choices = open_model(config), list[Placement]()
    log.info("loading model set %s %s (%s)", model.name, model.version, model.family)
    with running(
        config,
        model=model,
        load=lambda: open_networks(model, config, told=choices.extend),
        open_loudspeaker=loudspeaker_for(config.audio),
        fatal=stop.fatal,
        loaded=lambda: on_signal(lambda number: stop.ask()),  # from then on there is something to lose
        choices=lambda: choices,
        telemetry=TelemetryReader(),
        sets=InstalledSets(config=config, choice=choice, again=stop.ask_again),
    ) as look:
        choice.proven()
        where = f"{config.mqtt.base_topic}/{config.device}"
        sd_notify(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Listening as {where}{watchdog_line()}")
        log.info("ready: listening as %s", where)
        watch(stop, look)
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


def watch(stop: Stop, look: Callable[[], list[str]]) -> None:
    """Feed systemd's watchdog while every part shows progress. A stuck part starves it, and systemd restarts us."""
    interval_s = watchdog_interval_s() or LOOK_S
    while not stop.wait(interval_s):
        stuck = look()
        if stuck:
            log.critical("no progress from %s", ", ".join(stuck))
        else:
            sd_notify("WATCHDOG=1")
