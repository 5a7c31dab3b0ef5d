"""The wiring of voices: store, catalogue, enrolment, buttons; beside `daemon.py`, which wires the rest."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from edge_tts.audio.devices import Microphone, PortAudioMicrophone
from edge_tts.config import Config, EnrolmentConfig
from edge_tts.engine.load import load_engine
from edge_tts.enrolment.button import Button, ButtonWatch, GpioButton, KeyButton, key_code
from edge_tts.enrolment.enrolment import Analyzers, Enrolment, Person
from edge_tts.enrolment.recorder import EndpointRules, with_released_loudspeaker
from edge_tts.enrolment.voice_writer import VoiceWriter
from edge_tts.errors import ConfigError, PayloadError, VoiceError
from edge_tts.front_doors.dispatcher import Message
from edge_tts.front_doors.payloads import EnrolPayload
from edge_tts.front_doors.press_socket import PressSocket
from edge_tts.front_doors.voice_commands import VoiceCommands
from edge_tts.recordings.quality import load_quality_gate
from edge_tts.recordings.vad import SpeechDetector
from edge_tts.runtime.event_bus import EventBus
from edge_tts.runtime.part import Fatal, Part
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.values import ModelSet
from edge_tts.voices.builtin import BuiltinVoices
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.feature_shelf import FeatureStore
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.pending_voices import PendingVoices
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.bucket import Place
from edge_tts.voices.sync.notes import SyncReport
from edge_tts.voices.sync.sync_thread import SyncThread
from edge_tts.voices.sync.voice_sync import VoiceSync

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Voices:
    """Every voice of this device for one model set."""

    store: VoiceStore
    features: FeatureStore
    catalogue: Catalogue


def open_store(config: Config, *, clock: Callable[[], float] = time.time) -> VoiceStore:
    """The enrolled voices, whatever model set speaks."""
    return VoiceStore(
        directory=Path(config.voices.dir),
        device=config.device,
        clock=clock,
        require_consent=config.voices.require_consent,
    )


def open_voices(
    config: Config, model: ModelSet, *, recover: bool = False, clock: Callable[[], float] = time.time
) -> Voices:
    """The voices as they are on the disk. Raises VoiceError.

    `recover`, for the daemon: sweep up after a crash first, and do without what the disk refuses: the voices that come
    with the model set speak all the same.
    """
    store = open_store(config, clock=clock)
    features = FeatureStore(store=store, model=model)
    catalogue = Catalogue(builtin=BuiltinVoices(model), store=store, features=features)
    if not recover:
        catalogue.refresh()
        return Voices(store, features, catalogue)
    for step in (store.recover, catalogue.refresh):
        try:
            step()
        except VoiceError as trouble:
            log.warning("the folder of the voices is in trouble: %s", trouble)
    return Voices(store, features, catalogue)


class VoiceStatus:
    """The standing fact `voices`: who can speak, who cannot (yet) and why, how the last sync went. Any thread's."""

    def __init__(
        self,
        *,
        events: EventBus,
        catalogue: Catalogue,
        first: Callable[[], str],
        reason: Callable[[VoiceRef], str | None] = lambda ref: None,
    ) -> None:
        """`first`: the voice that speaks where none is chosen; may raise ConfigError. `reason`: why a voice could not
        be encoded, if somebody has tried."""
        self._events, self._catalogue, self._first, self._reason = events, catalogue, first, reason
        self._default = events.state.voice
        self._sync: Mapping[str, Any] | None = None
        self.trouble = ""
        """Why the disk cannot be read; empty when it can."""
        self._lock = threading.RLock()
        """Who looks at the disk last is also the last to tell."""

    @property
    def syncing(self) -> bool:
        """Whether a sync is under way."""
        return self._sync is not None and self._sync["status"] == "running"

    def refresh(self) -> None:
        """Look at the disk again and tell everybody. A default voice that is gone gives way to the configured one.

        Where the disk cannot be read, what was known stays, and `Catalogue.is_stale` has it tried again.
        """
        with self._lock:
            trouble = self._look()
            if trouble and trouble != self.trouble:
                log.warning("the voices cannot be read: %s", trouble)
            self.trouble = trouble
            if self._events.state.voice not in self._catalogue.ids():
                with suppress(ConfigError):  # a configured voice that never was
                    self._default = self._first()
                self._events.update(voice=self._default)
            self.show()

    def _look(self) -> str:
        """What is wrong with the disk, if anything."""
        try:
            self._catalogue.refresh()
        except VoiceError as trouble:
            return str(trouble)
        return ""

    def synced(self, report: SyncReport) -> None:
        """How far a sync has come; once it is over the disk is looked at again."""
        self._sync = report.model_dump(mode="json")
        if report.status == "running":
            self.show()
        else:
            self.refresh()

    def show(self) -> None:
        """Tell everybody what is known."""
        with self._lock:
            cards = [asdict(card) for card in self._catalogue.cards()]
            unready = [
                {"id": voice.ref.id, "name": voice.name, "reason": self._reason(voice.ref)}
                for voice in self._catalogue.unready()
            ]
            damaged = [{"id": ref.id, "reason": reason} for ref, reason in self._catalogue.damaged()]
            fact = {"default": self._default, "voices": cards, "unready": unready, "damaged": damaged}
            self._events.put("voices", {**fact, "sync": self._sync})


class VoiceServices:
    """All that concerns voices while the appliance runs: its commands, its parts, its standing fact."""

    def __init__(
        self,
        *,
        config: Config,
        model: ModelSet,
        voices: Voices,
        jobs: JobQueue,
        events: EventBus,
        first: Callable[[], str],
        let_go: Callable[[], bool],
        fatal: Fatal,
        pulse: Callable[[str], Callable[[], None]],
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        """`first`: the voice that speaks where none is chosen. `let_go` closes the loudspeaker if nothing is playing;
        whether it did."""
        self._config, self._fatal = config.enrolment, fatal
        self._owner, self._model = config.voices.owner, model
        self._state_dir = Path(config.state_dir)
        self._catalogue = voices.catalogue
        self.fact = VoiceStatus(
            events=events,
            catalogue=voices.catalogue,
            first=first,
            reason=lambda ref: self._pending_voices.reason(ref),
        )
        self._sync_thread = open_sync_thread(config, voices.store, self.fact.synced, pulse, fatal, clock)
        self._pending_voices = PendingVoices(
            store=voices.store,
            features=voices.features,
            internal_jobs=InternalJobs(jobs=jobs, events=events, new_id=new_id),
            unready=voices.catalogue.unready,
            done=self.fact.refresh,
            failed=self.fact.show,
        )
        voice_writer = VoiceWriter(
            store=voices.store, features=voices.features, device=config.device, clock=time.time, changed=self._changed
        )
        self._enrolment = Enrolment(
            internal_jobs=InternalJobs(
                jobs=jobs, events=events, new_id=new_id, min_volume=config.enrolment.min_volume / 100
            ),
            events=events,
            open_microphone=with_released_loudspeaker(self._open_microphone, let_go),
            open_analyzers=lambda: open_analyzers(config),
            voice_writer=voice_writer,
            default=self._default_person(),
            remote=config.enrolment.remote,
            sample_rate=model.sample_rate,
            fatal=fatal,
            clock=clock,
            new_id=new_id,
        )
        jobs.on_stop(self._enrolment.stop)
        self._commands = VoiceCommands(
            catalogue=voices.catalogue,
            store=voices.store,
            jobs=jobs,
            events=events,
            enrolment=self._enrolment if self._config.enabled else None,
            person=self._person,
            changed=self._changed,
            new_id=new_id,
        )

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        """What the desk serves besides speech."""
        return self._commands.commands()

    def parts(self) -> list[Part]:
        """The threads, in the order in which they start; they need a running worker. Raises ConfigError (key)."""
        syncing = [] if self._sync_thread is None else [self._sync_thread]
        if not self._config.enabled:
            return [*syncing]
        socket = PressSocket(folder=self._state_dir, press=self._press_here, fatal=self._fatal)
        return [*syncing, self._enrolment, socket, *button_watches(self._config, self._enrolment.press, self._fatal)]

    def look(self) -> None:
        """Housekeeping, every few seconds: notice what another process has changed; have a voice encoded that cannot
        speak yet."""
        if self._catalogue.is_stale():
            self._notice()
        self._pending_voices.look()

    def _notice(self) -> None:
        """The voices on the disk have changed: by the command line, or by a part of ours that will tell so itself."""
        self.fact.refresh()
        if not self.fact.trouble and self._sync_thread is not None and not self.fact.syncing:
            self._sync_thread.sync_soon()

    def _changed(self) -> None:
        """A voice was enrolled, renamed or deleted here: everybody shall know, the bucket too."""
        self.fact.refresh()
        if self._sync_thread is not None:
            self._sync_thread.sync_soon()

    def _press_here(self, payload: EnrolPayload) -> None:
        """A press by a program on this machine. Raises PayloadError like `_person`."""
        self._enrolment.press(self._person(payload.name, payload.language))

    def _person(self, name: str | None, language: Literal["zh", "en"] | None) -> Person | None:
        """Who is meant by a name and a language, or by the lack of them; None when there is no name at all.

        Raises PayloadError for a language that the model set does not speak.
        """
        name, language = name or self._config.name, language or self._config.language
        if language not in self._model.languages:
            spoken = ", ".join(self._model.languages)
            raise PayloadError(f"enroll: the model set {self._model.name} does not speak '{language}' but {spoken}")
        return None if name is None else Person(name=name, language=language, owner=self._owner)

    def _default_person(self) -> Person | None:
        """Who is meant by a press of the button."""
        try:
            return self._person(None, None)
        except PayloadError as unspoken:
            log.warning("a press of the button will enrol nobody (enrolment.language): %s", unspoken)
            return None

    def _open_microphone(self) -> Microphone:
        return PortAudioMicrophone(device=self._config.microphone, sample_rate=self._config.sample_rate)


def voice_sync(config: Config, store: VoiceStore) -> VoiceSync | None:
    """How voices are synced with the configured bucket; None when there is none."""
    bucket = config.bucket
    if bucket.url is None:
        return None
    place = Place(bucket.url, region=bucket.region, endpoint=bucket.endpoint, timeout_s=bucket.timeout_s)
    return VoiceSync(store=store, place=place, environ=os.environ, clock=time.time, owners=bucket.owners)


def open_sync_thread(
    config: Config,
    store: VoiceStore,
    publish: Callable[[SyncReport], None],
    pulse: Callable[[str], Callable[[], None]],
    fatal: Fatal,
    clock: Callable[[], float],
) -> SyncThread | None:
    """The part that syncs; None when there is no bucket."""
    sync = voice_sync(config, store)
    if sync is None:
        return None
    return SyncThread(
        sync=sync,
        publish=publish,
        interval_s=config.bucket.interval_s,
        pulse=pulse("upkeep"),
        fatal=fatal,
        clock=clock,
        random=Random(),
    )


@contextmanager
def open_analyzers(config: Config) -> Iterator[Analyzers]:
    """The networks that an enrolment listens and judges with, for as long as it takes. Raises ModelError."""
    folder = quality_folder(config)
    with ExitStack() as stack:
        ear = load_engine(folder / "vad.onnx", threads=1)
        stack.callback(ear.close)
        endpoint_rules = EndpointRules(SpeechDetector(engine=ear), silence_s=config.enrolment.silence_s)
        yield Analyzers(endpoint_rules, load_quality_gate(folder, stack))


def quality_folder(config: Config) -> Path:
    """Where the networks of the quality gate are: as configured, beside the model sets, or in this checkout."""
    if config.enrolment.networks is not None:
        return Path(config.enrolment.networks)
    beside = Path(config.models.dir) / "quality"
    return beside if beside.is_dir() else Path(__file__).resolve().parents[2] / "models" / "quality"


def button_watches(config: EnrolmentConfig, press: Callable[[], None], fatal: Fatal) -> list[ButtonWatch]:
    """One watch per configured button, there or not. Raises ConfigError for a key that is not known."""
    buttons: list[tuple[str, Callable[[], Button]]] = []
    if config.gpio_line is not None:
        line, chip, low = config.gpio_line, config.gpio_chip, config.gpio_active_low
        buttons.append(("gpio-button", lambda: GpioButton(line=line, chip=chip, active_low=low)))
    if config.key_device is not None:
        device, code = config.key_device, key_code(config.key)
        buttons.append(("key-button", lambda: KeyButton(device=device, code=code)))
    return [ButtonWatch(name=name, open_button=find, press=press, fatal=fatal) for name, find in buttons]
