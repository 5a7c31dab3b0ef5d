"""The wiring: which part gets which other, in one ExitStack. Starts bottom up, stops in reverse; does no other work."""

from __future__ import annotations

import logging
import os
import queue
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import edge_tts
from edge_tts.audio.devices import Loudspeaker, OpenLoudspeaker, PortAudioLoudspeaker
from edge_tts.audio.wave import WavFile
from edge_tts.config import AudioConfig, Config, TextConfig
from edge_tts.doctor.activation import activate, open_loader
from edge_tts.engine.loader import Choice
from edge_tts.errors import ConfigError
from edge_tts.service.board import Board, State
from edge_tts.service.catalogue import Catalogue
from edge_tts.service.desk import Desk, Rules
from edge_tts.service.health import Health, sd_notify, watchdog_interval_s
from edge_tts.service.jobs import JobQueue
from edge_tts.service.mqtt import MqttLink
from edge_tts.service.part import Fatal
from edge_tts.service.payloads import SayPayload
from edge_tts.service.player import Player
from edge_tts.service.settings import SettingsFile
from edge_tts.service.telemetry import TelemetryReader, TelemetryWatch
from edge_tts.service.worker import Speaker, Worker
from edge_tts.speech.front_end import open_front_end
from edge_tts.speech.networks import Networks, load_networks
from edge_tts.store.models import find_model_set, verify_model_set
from edge_tts.text import TextFrontEnd
from edge_tts.values import ModelSet
from edge_tts.voices import VoiceRoom, open_voices

log = logging.getLogger(__name__)

CLOSING_S = 3.0
"""How long a stop waits for the sound to fade out and the last report to be sent."""
LOOK_S = 5.0
"""How often the main thread looks for stuck parts when systemd does not ask more often."""


class Stop:
    """When the process should end, and whether in failure. Any thread may ask for it, and a signal handler: that is why
    it is a queue and no Event, whose lock the handler would find taken by the very thread that it interrupts."""

    def __init__(self) -> None:
        self.failed = False
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ask(self) -> None:
        """End the process, in order."""
        self._asked.put(None)

    def wait(self, timeout_s: float) -> bool:
        """Wait until asked to stop; False after `timeout_s`."""
        try:
            self._asked.get(timeout=timeout_s)
        except queue.Empty:
            return False
        return True

    def fatal(self, part: str, surprise: BaseException) -> None:
        """A part met something it cannot name: end the process loudly, and let systemd start a fresh one."""
        log.critical("%s failed, so the process ends: %r", part, surprise, exc_info=surprise)
        self.failed = True
        self.ask()


def open_model(config: Config) -> ModelSet:
    """The configured model set, its files compared with the manifest unless configured not to. Raises ModelError."""
    model = find_model_set(Path(config.models.dir), config.models.name)
    if config.models.verify:
        verify_model_set(model)
    return model


def front_end_for(text: TextConfig, stack: ExitStack) -> TextFrontEnd:
    """The text front end as configured; `stack` closes it. Raises TextError (lexicon) or ModelError (polyphones)."""
    folder = None if text.polyphones is None else Path(text.polyphones)
    return open_front_end(stack, lexicon=text.lexicon, polyphones=folder)


@contextmanager
def open_networks(
    model: ModelSet, config: Config, *, told: Callable[[Iterable[Choice]], None] = lambda choices: None
) -> Iterator[Networks]:
    """The networks of a model set, loaded; they are given back at the end. `told` hears who runs each graph.

    Where TensorRT is used its engines are built first, which may take minutes, and judged before they speak.
    Raises ModelError or TextError (lexicon).
    """
    with ExitStack() as stack:
        loader = stack.enter_context(open_loader(config.engine, waiting=ask_for_patience))
        activate(model, loader)
        front_end, threads = front_end_for(config.text, stack), config.engine.threads
        networks = load_networks(model, front_end, stack, threads=threads, load=loader.load)
        told(loader.choices)
        yield networks


def ask_for_patience() -> None:
    """Tell systemd that a start which takes longer than it expects is still going on."""
    sd_notify("EXTEND_TIMEOUT_USEC=60000000")


def loudspeaker_for(audio: AudioConfig) -> OpenLoudspeaker:
    """How to open the configured loudspeaker."""

    def open_loudspeaker(sample_rate: int) -> Loudspeaker:
        if audio.output == "file":
            return WavFile(path=Path(audio.file), sample_rate=sample_rate)
        return PortAudioLoudspeaker(sample_rate=sample_rate, device=audio.device)

    return open_loudspeaker


def default_voice(config: Config, model: ModelSet, catalogue: Catalogue) -> str:
    """The voice that speaks when a request names none. Raises ConfigError when there is no such voice."""
    voice = config.voice or model.default_voice or next(iter(catalogue.ids()), "")
    if voice not in catalogue.ids():
        known = ", ".join(catalogue.ids()) or "none"
        raise ConfigError(f"voice: the model set {model.name} has no voice '{voice}'; it has: {known}")
    return voice


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
    choices: Callable[[], Iterable[Choice]] = tuple,
    telemetry: TelemetryReader | None = None,
) -> Iterator[Callable[[], list[str]]]:
    """The appliance, up and serving, until the block ends. What cannot start raises its named error here.

    `choices` says, once the networks are loaded, who runs them; `telemetry` is asked for the state of the device.

    Yields a function for the main thread to call every few seconds: it does the housekeeping and names stuck parts.
    """
    voices, kept = open_voices(config, model, recover=True), SettingsFile(Path(config.state_dir) / "settings.json")
    health = Health(stall_s=config.health.stall_s, clock=clock)
    board = Board(state=first_state(config, model, kept, voices.catalogue))
    board.listen(kept)
    jobs = JobQueue(
        capacity=config.limits.queue,
        report=board.report,
        changed=lambda speaking, waiting: board.update(speaking=speaking, waiting=waiting),
        clock=clock,
    )
    player = make_player(config.audio, board.state.volume, open_loudspeaker, jobs, health.pulse("player"), fatal, clock)
    worker = Worker(
        load=load,
        voice=voices.catalogue.load,
        jobs=jobs,
        player=player,
        pulse=health.pulse("worker"),
        fatal=fatal,
        clock=clock,
    )
    room = VoiceRoom(
        config=config,
        model=model,
        voices=voices,
        jobs=jobs,
        board=board,
        fatal=fatal,
        pulse=health.pulse,
        clock=clock,
        new_id=new_id,
    )
    rules, more = rules_for(config, model, voices.catalogue), room.commands()
    desk = Desk(rules=rules, jobs=jobs, player=player, board=board, clock=clock, new_id=new_id, more=more)
    link = MqttLink(
        config=config.mqtt, device=config.device, board=board, commands=desk.commands, handle=desk.handle, fatal=fatal
    )
    room.fact.refresh()
    board.put("capabilities", capabilities(config, model, desk.commands))
    with ExitStack() as parts:
        parts.callback(kept.save)
        parts.enter_context(player)
        parts.enter_context(worker)
        for part in room.parts():
            parts.enter_context(part)
        board.put("engines", {"engines": [asdict(choice) for choice in choices()]})
        parts.enter_context(link)
        if telemetry is not None:
            parts.enter_context(
                TelemetryWatch(reader=telemetry, publish=lambda values: board.update(telemetry=values), fatal=fatal)
            )
        parts.callback(jobs.close, CLOSING_S)

        def look() -> list[str]:
            kept.save()
            room.look()
            return health.stuck()

        yield look


def first_state(config: Config, model: ModelSet, kept: SettingsFile, catalogue: Catalogue) -> State:
    """Voice and volume as they were set last, else as configured. Raises ConfigError for a voice that is not there."""
    remembered = kept.settings
    return State(
        voice=remembered.voice if remembered.voice in catalogue.ids() else default_voice(config, model, catalogue),
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
    """Serve until SIGTERM or SIGINT (0), or until a part fails (1). Raises EdgeTTSError when it cannot start."""
    stop = Stop()
    model, choices = open_model(config), list[Choice]()
    log.info("loading model set %s %s (%s)", model.name, model.version, model.family)
    with running(
        config,
        model=model,
        load=lambda: open_networks(model, config, told=choices.extend),
        open_loudspeaker=loudspeaker_for(config.audio),
        fatal=stop.fatal,
        choices=lambda: choices,
        telemetry=TelemetryReader(),
    ) as look:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.ask())
        sd_notify(f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Listening as {config.mqtt.base_topic}/{config.device}")
        log.info("ready: listening as %s/%s", config.mqtt.base_topic, config.device)
        watch(stop, look)
        sd_notify("STOPPING=1")
    return 1 if stop.failed else 0


def watch(stop: Stop, look: Callable[[], list[str]]) -> None:
    """Feed systemd's watchdog while every part shows progress. A stuck part starves it, and systemd restarts us."""
    interval_s = watchdog_interval_s() or LOOK_S
    while not stop.wait(interval_s):
        stuck = look()
        if stuck:
            log.critical("no progress from %s", ", ".join(stuck))
        else:
            sd_notify("WATCHDOG=1")
