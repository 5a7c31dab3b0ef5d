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
from edge_tts.engine import load_engine
from edge_tts.errors import ConfigError, PayloadError, VoiceError
from edge_tts.service.board import Board
from edge_tts.service.button import Button, ButtonWatch, GpioButton, KeyButton, key_code
from edge_tts.service.catalogue import Catalogue
from edge_tts.service.desk import Message
from edge_tts.service.enrolment import Ears, Enrolment, Person
from edge_tts.service.errands import Errands
from edge_tts.service.jobs import JobQueue
from edge_tts.service.keeper import VoiceKeeper
from edge_tts.service.part import Fatal, Part
from edge_tts.service.payloads import EnrolPayload
from edge_tts.service.press_socket import PressSocket
from edge_tts.service.readying import Readying
from edge_tts.service.taking import Listening, with_room
from edge_tts.service.upkeep import Upkeep
from edge_tts.service.voice_desk import VoiceDesk
from edge_tts.speech.quality import load_quality_gate
from edge_tts.speech.vad import SpeechDetector
from edge_tts.store.bucket import Place
from edge_tts.store.sync_state import SyncReport
from edge_tts.store.voice_features import FeatureShelf
from edge_tts.store.voice_format import VoiceRef
from edge_tts.store.voice_store import VoiceStore
from edge_tts.store.voice_sync import VoiceSync
from edge_tts.store.voices import BuiltinVoices
from edge_tts.values import ModelSet

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Voices:
    """Every voice of this device for one model set."""

    store: VoiceStore
    features: FeatureShelf
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
    features = FeatureShelf(store=store, model=model)
    catalogue = Catalogue(builtin=BuiltinVoices(model), store=store, shelf=features)
    if not recover:
        catalogue.refresh()
        return Voices(store, features, catalogue)
    for step in (store.recover, catalogue.refresh):
        try:
            step()
        except VoiceError as trouble:
            log.warning("the folder of the voices is in trouble: %s", trouble)
    return Voices(store, features, catalogue)


class VoicesFact:
    """The standing fact `voices`: who can speak, who cannot (yet) and why, how the last sync went. Any thread's."""

    def __init__(
        self,
        *,
        board: Board,
        catalogue: Catalogue,
        first: Callable[[], str],
        reason: Callable[[VoiceRef], str | None] = lambda ref: None,
    ) -> None:
        """`first`: the voice that speaks where none is chosen; may raise ConfigError. `reason`: why a voice could not
        be encoded, if somebody has tried."""
        self._board, self._catalogue, self._first, self._reason = board, catalogue, first, reason
        self._default = board.state.voice
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
            if self._board.state.voice not in self._catalogue.ids():
                with suppress(ConfigError):  # a configured voice that never was
                    self._default = self._first()
                self._board.update(voice=self._default)
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
            self._board.put("voices", {**fact, "sync": self._sync})


class VoiceRoom:
    """All that concerns voices while the appliance runs: its commands, its parts, its standing fact."""

    def __init__(
        self,
        *,
        config: Config,
        model: ModelSet,
        voices: Voices,
        jobs: JobQueue,
        board: Board,
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
        self.fact = VoicesFact(
            board=board,
            catalogue=voices.catalogue,
            first=first,
            reason=lambda ref: self._readying.reason(ref),
        )
        self._upkeep = open_upkeep(config, voices.store, self.fact.synced, pulse, fatal, clock)
        self._readying = Readying(
            store=voices.store,
            shelf=voices.features,
            errands=Errands(jobs=jobs, board=board, new_id=new_id),
            unready=voices.catalogue.unready,
            done=self.fact.refresh,
            failed=self.fact.show,
        )
        keeper = VoiceKeeper(
            store=voices.store, shelf=voices.features, device=config.device, clock=time.time, changed=self._changed
        )
        self._enrolment = Enrolment(
            errands=Errands(
                jobs=jobs, board=board, new_id=new_id, min_volume=config.enrolment.min_volume / 100
            ),
            board=board,
            open_microphone=with_room(self._open_microphone, let_go),
            open_ears=lambda: open_ears(config),
            keeper=keeper,
            default=self._default_person(),
            remote=config.enrolment.remote,
            sample_rate=model.sample_rate,
            fatal=fatal,
            clock=clock,
            new_id=new_id,
        )
        jobs.on_stop(self._enrolment.stop)
        self._desk = VoiceDesk(
            catalogue=voices.catalogue,
            store=voices.store,
            jobs=jobs,
            board=board,
            enrolment=self._enrolment if self._config.enabled else None,
            person=self._person,
            changed=self._changed,
            new_id=new_id,
        )

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        """What the desk serves besides speech."""
        return self._desk.commands()

    def parts(self) -> list[Part]:
        """The threads, in the order in which they start; they need a running worker. Raises ConfigError (key)."""
        syncing = [] if self._upkeep is None else [self._upkeep]
        if not self._config.enabled:
            return [*syncing]
        socket = PressSocket(folder=self._state_dir, press=self._press_here, fatal=self._fatal)
        return [*syncing, self._enrolment, socket, *button_watches(self._config, self._enrolment.press, self._fatal)]

    def look(self) -> None:
        """Housekeeping, every few seconds: notice what another process has changed; have a voice encoded that cannot
        speak yet."""
        if self._catalogue.is_stale():
            self._notice()
        self._readying.look()

    def _notice(self) -> None:
        """The voices on the disk have changed: by the command line, or by a part of ours that will tell so itself."""
        self.fact.refresh()
        if not self.fact.trouble and self._upkeep is not None and not self.fact.syncing:
            self._upkeep.sync_soon()

    def _changed(self) -> None:
        """A voice was enrolled, renamed or deleted here: everybody shall know, the bucket too."""
        self.fact.refresh()
        if self._upkeep is not None:
            self._upkeep.sync_soon()

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


def open_upkeep(
    config: Config,
    store: VoiceStore,
    publish: Callable[[SyncReport], None],
    pulse: Callable[[str], Callable[[], None]],
    fatal: Fatal,
    clock: Callable[[], float],
) -> Upkeep | None:
    """The part that syncs; None when there is no bucket."""
    sync = voice_sync(config, store)
    if sync is None:
        return None
    return Upkeep(
        sync=sync,
        publish=publish,
        interval_s=config.bucket.interval_s,
        pulse=pulse("upkeep"),
        fatal=fatal,
        clock=clock,
        random=Random(),
    )


@contextmanager
def open_ears(config: Config) -> Iterator[Ears]:
    """The networks that an enrolment listens and judges with, for as long as it takes. Raises ModelError."""
    folder = quality_folder(config)
    with ExitStack() as stack:
        ear = load_engine(folder / "vad.onnx", threads=1)
        stack.callback(ear.close)
        listening = Listening(SpeechDetector(engine=ear), silence_s=config.enrolment.silence_s)
        yield Ears(listening, load_quality_gate(folder, stack))


def quality_folder(config: Config) -> Path:
    """Where the networks of the quality gate are: as configured, beside the model sets, or in this checkout."""
    if config.enrolment.networks is not None:
        return Path(config.enrolment.networks)
    beside = Path(config.models.dir) / "quality"
    return beside if beside.is_dir() else Path(__file__).resolve().parent.parent / "models" / "quality"


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
