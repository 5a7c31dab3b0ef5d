"""The parts about voices: enrolment, sync, buttons, missing features, and their commands."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from edge_tts.audio.devices import Microphone, PortAudioMicrophone
from edge_tts.config import Config, EnrolmentConfig
from edge_tts.engine.load import load_engine
from edge_tts.enrolment.button import Button, ButtonWatch, GpioButton, KeyButton, key_code
from edge_tts.enrolment.enrolment import Analyzers, Enrolment
from edge_tts.enrolment.level_meter import Level
from edge_tts.enrolment.recorder import EndpointRules, with_released_loudspeaker
from edge_tts.enrolment.requests import EnrolmentPolicy
from edge_tts.enrolment.voice_writer import VoiceWriter
from edge_tts.errors import VoiceError
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import EnrolPayload
from edge_tts.front_doors.press_socket import PressSocket
from edge_tts.front_doors.voice_commands import EnrolCommands, VoiceCommands
from edge_tts.recordings.quality import load_quality_gate
from edge_tts.recordings.vad import SpeechDetector
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.player import Player
from edge_tts.values import ModelSet
from edge_tts.voices.local_voices import Voices, first_voice, voice_sync
from edge_tts.voices.pending_voices import PendingVoices
from edge_tts.voices.status import VoiceStatus
from edge_tts.voices.sync.sync_thread import SyncThread

log = logging.getLogger(__name__)


class VoiceServices:
    """Builds the parts; `Appliance` starts them."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        config: Config,
        model: ModelSet,
        voices: Voices,
        jobs: JobQueue,
        player: Player,
        refreshed: Callable[[], None] = lambda: None,
    ) -> None:
        """`refreshed` is called when the voices on disk were read again."""
        self._runtime, self._config, self._jobs, self._player = runtime, config, jobs, player
        self._voices, self._catalogue = voices, voices.catalogue
        self._policy = EnrolmentPolicy(
            config.enrolment,
            config.voices.owner,
            model.languages,
            sample_rate=model.sample_rate,
            words_limit=model.words_limit,
        )
        self.status = VoiceStatus(
            events=runtime.events,
            catalogue=voices.catalogue,
            first=lambda: first_voice(config, model, voices.catalogue),
            reason=lambda ref: self._pending_voices.reason(ref),
            refreshed=refreshed,
        )
        self._sync = self._sync_thread()
        self._pending_voices = PendingVoices(
            features=voices.features,
            internal_jobs=InternalJobs(runtime=runtime, jobs=jobs, sink=player, kind="encoding"),
            unready=voices.catalogue.unready,
            done=self.status.refresh,
            failed=self.status.show,
        )
        self._unfinished = ""
        """Why deletions cannot be finished."""
        self._enrolment = self._make_enrolment()
        jobs.on_stop(self._enrolment.stop)

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        enrolment = self._enrolment if self._config.enrolment.enabled else None
        enrol = EnrolCommands(runtime=self._runtime, enrolment=enrolment, policy=self._policy)
        change = VoiceCommands(runtime=self._runtime, jobs=self._jobs, voices=self._voices, changed=self._changed)
        return {**enrol.commands(), **change.commands()}

    def parts(self) -> list[Part]:
        """In starting order; they need a running worker. Raises ConfigError for an unknown key."""
        syncing = [] if self._sync is None else [self._sync]
        if not self._config.enrolment.enabled:
            return [*syncing]
        socket = PressSocket(runtime=self._runtime, folder=self._config.state_dir, press=self._press_here)
        buttons = button_watches(self._runtime, self._config.enrolment, self._enrolment.press)
        return [*syncing, self._enrolment, socket, *buttons]

    def microphone(self) -> Level | None:
        """How loud it is, while it is open."""
        return self._enrolment.meter.level()

    def poll(self) -> None:
        """Every few seconds: finish deletions, notice changes by other processes, and queue the encoding of missing
        features."""
        self._finish_deletions()
        if self._catalogue.is_stale():
            self._notice_changes()
        self._pending_voices.poll()

    def _finish_deletions(self) -> None:
        error = ""
        if any(one.until <= time.time() for one in self._catalogue.deleting()):
            try:
                self._voices.store.finish_deletions()
            except VoiceError as refused:
                error = str(refused)
        if error and error != self._unfinished:
            log.warning("a deleted voice cannot be removed, and is tried again: %s", error)
        self._unfinished = error

    def _notice_changes(self) -> None:
        """Voices on disk were changed by another process or the sync."""
        self.status.refresh()
        if not self.status.trouble and self._sync is not None and not self.status.syncing:
            self._sync.soon()

    def _changed(self) -> None:
        """A voice was enrolled, renamed or deleted here."""
        self.status.refresh()
        if self._sync is not None:
            self._sync.soon()

    def _press_here(self, payload: EnrolPayload) -> None:
        """Raises PayloadError for a language that the model set does not speak."""
        self._enrolment.press(self._policy.person(payload.name, payload.language), short=payload.short)

    def _sync_thread(self) -> SyncThread | None:
        """None without a bucket."""
        sync = voice_sync(self._config, self._voices.store)
        if sync is None:
            return None
        return SyncThread(
            runtime=self._runtime,
            sync=sync,
            publish=self.status.synced,
            interval_s=self._config.bucket.interval_s,
            random=Random(),
        )

    def _make_enrolment(self) -> Enrolment:
        config, voices = self._config, self._voices
        min_volume = config.enrolment.min_volume / 100
        return Enrolment(
            runtime=self._runtime,
            internal_jobs=InternalJobs(
                runtime=self._runtime, jobs=self._jobs, sink=self._player, min_volume=min_volume, kind="enrolment"
            ),
            open_microphone=with_released_loudspeaker(self._open_microphone, self._player.release_device),
            open_analyzers=lambda: open_analyzers(config),
            voice_writer=VoiceWriter(
                store=voices.store,
                features=voices.features,
                device=config.device,
                clock=time.time,
                changed=self._changed,
            ),
            policy=self._policy,
            references=self._catalogue.any_two,
        )

    def _open_microphone(self) -> Microphone:
        enrolment = self._config.enrolment
        return PortAudioMicrophone(device=enrolment.microphone, sample_rate=enrolment.sample_rate)


@contextmanager
def open_analyzers(config: Config) -> Iterator[Analyzers]:
    """The networks of one enrolment. Raises ModelError."""
    folder = quality_folder(config)
    with ExitStack() as stack:
        vad = load_engine(folder / "vad.onnx", threads=1)
        stack.callback(vad.close)
        endpoint_rules = EndpointRules(SpeechDetector(engine=vad), silence_s=config.enrolment.silence_s)
        yield Analyzers(endpoint_rules, load_quality_gate(folder, stack))


def quality_folder(config: Config) -> Path:
    """The networks of the quality gate: as configured, beside the model sets, or in this checkout."""
    if config.enrolment.networks is not None:
        return config.enrolment.networks
    beside = config.models.dir / "quality"
    return beside if beside.is_dir() else Path(__file__).resolve().parents[2] / "models" / "quality"


def button_watches(runtime: Runtime, config: EnrolmentConfig, press: Callable[[], None]) -> list[ButtonWatch]:
    """One watch per configured button, present or not. Raises ConfigError for an unknown key."""
    buttons: list[tuple[str, Callable[[], Button]]] = []
    if config.gpio_line is not None:
        line, chip, low = config.gpio_line, config.gpio_chip, config.gpio_active_low
        buttons.append(("gpio-button", lambda: GpioButton(line=line, chip=chip, active_low=low)))
    if config.key_device is not None:
        device, code = config.key_device, key_code(config.key)
        buttons.append(("key-button", lambda: KeyButton(device=device, code=code)))
    return [
        ButtonWatch(runtime=runtime, name=name, open_button=open_button, press=press) for name, open_button in buttons
    ]
