"""The appliance: builds every part, starts them in order, stops them in reverse."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import edge_tts
from edge_tts.app.configured import note_configuration
from edge_tts.app.fleet_services import fleet_agent
from edge_tts.app.voice_services import VoiceServices
from edge_tts.audio.chime import chimes
from edge_tts.audio.devices import Loudspeaker, OpenLoudspeaker, PortAudioLoudspeaker
from edge_tts.audio.pipe import PipeLoudspeaker
from edge_tts.audio.provenance import RecentContents
from edge_tts.audio.wave import WavFile
from edge_tts.config import AudioConfig, Config, HttpConfig
from edge_tts.durable.audit_log import open_audit
from edge_tts.engine.load import Placement
from edge_tts.fleet.agent import FleetAgent
from edge_tts.fleet.device_overlay import DeviceOverlay
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.audit_trail import AuditTrail
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.dispatcher import Dispatcher, RequestRules
from edge_tts.front_doors.hermes import Hermes
from edge_tts.front_doors.home_assistant.discovery import HomeAssistant
from edge_tts.front_doors.home_assistant.payload import Device
from edge_tts.front_doors.http.http_server import HttpServer
from edge_tts.front_doors.lexicon_commands import LexiconCommands
from edge_tts.front_doors.model_commands import ModelCommands
from edge_tts.front_doors.mqtt.groups import listen_to_groups
from edge_tts.front_doors.mqtt.link import MqttLink
from edge_tts.front_doors.mqtt.render_group import RenderGroup
from edge_tts.front_doors.mqtt.session import ClashNote, session_config
from edge_tts.front_doors.past_requests import PastRequests
from edge_tts.front_doors.quiet_hours import QuietHours
from edge_tts.front_doors.release_commands import ReleaseCommands
from edge_tts.front_doors.session_context import SessionContext
from edge_tts.front_doors.settings_commands import SettingsCommands
from edge_tts.front_doors.usage_ledger import UsageLedger
from edge_tts.front_doors.wyoming.server import WyomingServer
from edge_tts.model_sets.change import ModelChange, ModelSets
from edge_tts.model_sets.loading import generator_for, open_lexicon
from edge_tts.request import SpeakMessage
from edge_tts.runtime.event_bus import EventBus, State
from edge_tts.runtime.health import Health
from edge_tts.runtime.log_lines import ReportLog
from edge_tts.runtime.metrics import Metrics, ScrapeSources
from edge_tts.runtime.runtime import Fatal, Runtime, random_id
from edge_tts.runtime.service_level import ServiceLevel
from edge_tts.runtime.telemetry import TelemetryReader, TelemetryWatch
from edge_tts.speaking.bucket_results import BucketResults
from edge_tts.speaking.content_command import ContentCommand
from edge_tts.speaking.cue import Cue
from edge_tts.speaking.ducking import Ducking
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job import Reply
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Journal, ReplyTo
from edge_tts.speaking.on_demand import OnDemandNetworks, Speaker
from edge_tts.speaking.phrase_cache import PhraseCache, open_phrase_cache, remove_phrases
from edge_tts.speaking.player import Player
from edge_tts.speaking.request_records import RequestRecords
from edge_tts.speaking.results import Results
from edge_tts.speaking.settings import SettingsFile
from edge_tts.speaking.worker import Worker
from edge_tts.values import ModelSet
from edge_tts.voices.local_voices import bucket_opener, first_voice, open_voices

log = logging.getLogger(__name__)

HOME_ASSISTANT = "home-assistant"
"""A caller of that name in `access.callers` is its notify entity."""
LISTENING_S = 2.0
"""How long a start waits for the broker to take the subscription."""
CLOSING_S = 3.0
"""How long a stop waits for the job in service to fade out."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Of the whole process: a change of the model set does not begin them anew."""

    service_level: ServiceLevel
    metrics: Metrics | None
    """None without an HTTP server, which shows them."""

    @classmethod
    def of(cls, config: Config) -> Observers:
        """Raises ConfigError where a library is missing."""
        level = ServiceLevel(config.service_level, clock=time.monotonic)
        return cls(level, None if config.http.port is None else Metrics())


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an appliance needs besides its configuration."""

    load: Callable[[], AbstractContextManager[Speaker]]
    """Opens the networks, in the worker's thread."""
    unloaded: Callable[[], None] = lambda: None
    """Called in the worker's thread when idle networks were closed."""
    open_loudspeaker: OpenLoudspeaker
    fatal: Fatal
    contents: RecentContents = field(default_factory=RecentContents)
    """What was played, for the metadata of a file."""
    clock: Callable[[], float] = time.monotonic
    new_id: Callable[[], str] = random_id
    loaded: Callable[[], None] = lambda: None
    """Called in the starting thread once the networks are loaded, before anything is served."""
    placements: Callable[[], Iterable[Placement]] = tuple
    """What runs the graphs; called once they are loaded."""
    telemetry: TelemetryReader | None = None
    observers: Observers | None = None
    """None: of this appliance alone."""
    sets: ModelSets | None = None
    """The model sets to change to; None: no such commands."""
    overlay: DeviceOverlay | None = None
    """None: the device is in no group of a fleet."""


class Appliance:
    """Serves inside its `with` block. Raises the EdgeTTSError of a part that cannot start."""

    def __init__(self, config: Config, model: ModelSet, surroundings: Surroundings) -> None:
        self._config, self._model, self._surroundings = config, model, surroundings
        self._running = ExitStack()
        self._session = session_config(config, keep=True)  # before anything else is in the state folder
        self.audit = open_audit(config, clock=time.time)
        note_configuration(config, self.audit)
        self.voices = open_voices(config, model, recover=True)
        self.settings = SettingsFile(config.state_dir / "settings.json")
        self.runtime = Runtime(
            clock=surroundings.clock,
            new_id=surroundings.new_id,
            fatal=surroundings.fatal,
            events=EventBus(state=self._first_state()),
            health=Health(stall_s=config.health.stall_s, clock=surroundings.clock),
            generator=generator_for(config, model),
        )
        self.runtime.events.subscribe(self.settings)
        self.lexicon_file = open_lexicon(config)
        self.phrases = self._open_phrases()
        self.observers = surroundings.observers or Observers.of(config)
        self.runtime.events.subscribe(self.observers.service_level)
        self._publish_level()
        self.runtime.events.subscribe(ReportLog(texts=config.log.texts))
        self._make_records()
        self._make_speaking()
        self._make_front_doors()
        self._attach_metrics()

    def __enter__(self) -> Appliance:
        with ExitStack() as parts:
            start = parts.enter_context
            parts.callback(self.settings.save)
            parts.callback(self.access.save)
            parts.callback(self._save_records)
            start(self.player)
            start(self.worker)
            self._networks_loaded()
            self._resume_requests()
            parts.callback(self._sweep_journal)
            parts.callback(self._sweep_journal)  # twice: nothing comes any more
            for server in self.servers:
                start(server)  # before the link: whoever reads `online` finds every door open
            if self._config.mqtt.enabled:
                start(self.link)
            if self.bucket_results is not None:
                start(self.bucket_results)  # after the link, which sends its last reports
            if self.ducking is not None:
                start(self.ducking)  # after the link, which sends its last message
            for part in self.voice_services.parts():  # after the link, which sends their last reports
                start(part)
            if self.model_change is not None:
                start(self.model_change)
            if self.fleet is not None:
                start(self.fleet)
            if self._surroundings.telemetry is not None:
                start(TelemetryWatch(runtime=self.runtime, reader=self._surroundings.telemetry))
            self.home_assistant.start()
            if self._config.mqtt.enabled and not self.link.wait_listening(LISTENING_S):
                log.warning("the broker has not answered yet: what is published before it does may be lost")
            parts.callback(self.player.give_up)  # or the worker would wait for a loudspeaker that does not answer
            parts.callback(self.jobs.close, CLOSING_S)
            parts.callback(self.link.stopping.set)  # the broker keeps what comes now
            if self.render_group is not None:
                start(self.render_group)  # last, and stopped first: others render what comes now
            self._running = parts.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._running.__exit__(*exception)

    def poll(self) -> list[str]:
        """Housekeeping, every few seconds in the main thread; the names of the stuck parts."""
        self.settings.save()
        self.access.save()
        self.records.save()
        self.results.sweep(self.voices.catalogue.existing())
        self._sweep_journal()
        self.voice_services.poll()
        self.home_assistant.poll()
        self.lexicon.refresh()
        return self._publish_level()

    def _publish_level(self) -> list[str]:
        stuck = self.runtime.health.stuck()
        self.runtime.events.update(stuck=tuple(stuck), **self.observers.service_level.as_state())
        return stuck

    def _attach_metrics(self) -> None:
        metrics, model = self.observers.metrics, self._model
        if metrics is None:
            return
        sources = ScrapeSources(
            broker_connected=self.link.is_connected,
            journal=self.journal.size,
            set=f"{model.name} {model.version}",
            version=edge_tts.__version__,
        )
        metrics.attach(sources)
        self.runtime.events.subscribe(metrics)

    def _sweep_journal(self) -> None:
        if self.link.is_idle():
            self.journal.sweep()

    def _save_records(self) -> None:
        self.records.save()
        self.records.close()

    def _make_records(self) -> None:
        config = self._config
        self.records = RequestRecords(config.state_dir / "requests.sqlite", texts=config.log.texts)
        self.runtime.events.subscribe(self.records)
        address = http_address(config.http)
        self.results = Results(config.results, address=address, base64_bytes=config.limits.payload_bytes)
        self.bucket_results: BucketResults | None = None
        open_bucket = bucket_opener(config)
        if config.results.place == "bucket" and open_bucket is not None:
            self.bucket_results = BucketResults(
                runtime=self.runtime, device=config.device, open_bucket=open_bucket, listed=self.results.linked_ones
            )
            self.results.attach(self.bucket_results)

    def _make_speaking(self) -> None:
        config, runtime = self._config, self.runtime
        self.journal = Journal(config.state_dir / "jobs", clock=runtime.clock)
        self.jobs = JobQueue(runtime=runtime, capacity=config.limits.queue, journal=self.journal)
        ducking = config.ducking
        self.ducking: Ducking | None = None
        if ducking.before or ducking.after or ducking.topic:
            mark = config.state_dir / "ducked"
            self.ducking = Ducking(runtime=runtime, config=ducking, mark=mark, publish=self._publish)
        self.player = Player(
            runtime=runtime,
            open_loudspeaker=self._surroundings.open_loudspeaker,
            audio=config.audio,
            chimes=chimes(config.audio, self._model.sample_rate),
            contents=self._surroundings.contents,
            ducking=self.ducking,
        )
        networks = OnDemandNetworks(
            runtime=runtime,
            load=self._surroundings.load,
            unload_after_s=config.engine.unload_after_s,
            unloaded=self._surroundings.unloaded,
        )
        self.worker = Worker(
            runtime=runtime,
            networks=networks,
            voice=self.voices.catalogue.load,
            jobs=self.jobs,
            phrases=self.phrases,
            cue=Cue(config.marking),
            command=ContentCommand(config.content, text_chars=config.limits.text_chars),
            side_by_side=config.engine.rows,
        )

    def _sweep_phrases(self) -> None:
        if self.phrases is not None:
            self.phrases.sweep()

    def _open_phrases(self) -> PhraseCache | None:
        """None where none is configured; then nothing stays of an earlier one."""
        phrases = open_phrase_cache(
            self._config,
            self._model,
            lexicon=self.lexicon_file.lexicon,
            voices=self.voices.catalogue.existing,
        )
        if phrases is None:
            remove_phrases(self._config.cache.dir)
        return phrases

    def _make_front_doors(self) -> None:
        config, runtime = self._config, self.runtime
        self.voice_services = VoiceServices(
            runtime=runtime,
            config=config,
            model=self._model,
            voices=self.voices,
            jobs=self.jobs,
            player=self.player,
            refreshed=self._sweep_phrases,
        )
        settings = SettingsCommands(
            events=runtime.events,
            player=self.player,
            resolve_voice=self.voices.catalogue.resolve_default,
            save=self.settings.save,
            new_id=runtime.new_id,
        )
        self.access = Access(
            config.access,
            ledger=UsageLedger(config.state_dir / "usage.json"),
            resolve=self.voices.catalogue.resolve,
            shared=self.voices.catalogue.is_shared,
        )
        self.lexicon = LexiconCommands(
            runtime=runtime,
            lexicon=self.lexicon_file,
            jobs=self.jobs,
            player=self.player,
            access=self.access,
            languages=self._model.languages,
        )
        commands = {**settings.commands(), **self.lexicon.commands(), **self.voice_services.commands()}
        self.model_change: ModelChange | None = None
        self.fleet: FleetAgent | None = None
        if self._surroundings.sets is not None:
            internal_jobs = InternalJobs(runtime=runtime, jobs=self.jobs, sink=self.player, kind="model")
            self.model_change = ModelChange(runtime=runtime, sets=self._surroundings.sets, internal_jobs=internal_jobs)
            commands |= ModelCommands(change=self.model_change, new_id=runtime.new_id).commands()
            overlay = self._surroundings.overlay
            self.fleet = fleet_agent(config, runtime, self._surroundings.sets.choice, self.model_change, overlay)
        if self.fleet is not None:
            commands |= ReleaseCommands(install=self.fleet.install, apply_overlay=self.fleet.apply_overlay).commands()
        self.past = PastRequests(
            runtime=runtime, records=self.records, results=self.results, may_ask=self.access.may_ask
        )
        commands |= self.past.commands()
        limits = config.limits
        content = ContentRules.of(config, self.lexicon_file.lexicon)
        rules = RequestRules(
            self.voices.catalogue.resolve,
            content,
            limits.payload_bytes,
            limits.dedupe_s,
            quiet=QuietHours(config.content),
            access=self.access,
            results=self.results,
            owned=self.records.belongs_to,
            audit=AuditTrail(self.audit, speech=config.audit.speech, default_voice=lambda: runtime.events.state.voice),
        )
        self.dispatcher = Dispatcher(runtime=runtime, rules=rules, jobs=self.jobs, player=self.player, more=commands)
        self.link = MqttLink(
            runtime=runtime,
            config=self._session,
            device=config.device,
            dispatcher=self.dispatcher,
            clash=ClashNote(config.state_dir).set,
        )
        listen_to_groups(self.link.listen, config.mqtt, self.dispatcher.handle)
        self.render_group: RenderGroup | None = None
        if config.mqtt.enabled and config.mqtt.render_group is not None:
            self.render_group = RenderGroup(
                runtime=runtime,
                config=self._session,
                group=config.mqtt.render_group,
                link=self.link,
                carry_out=self.dispatcher.handle,
            )
        self.hermes = Hermes(runtime=runtime, link=self.link, config=config.hermes, dispatcher=self.dispatcher)
        self.home_assistant = HomeAssistant(
            runtime=runtime, link=self.link, config=config.home_assistant, device=self._as_device()
        )
        self.servers = self._make_servers()
        self.voice_services.status.refresh()
        self.lexicon.refresh()
        runtime.events.retain("capabilities", capabilities(config, self._model, self.dispatcher.commands))

    def session_context(self) -> SessionContext:
        """For a front door whose clients are sent their sound."""
        return SessionContext(
            runtime=self.runtime,
            model=self._model,
            version=edge_tts.__version__,
            dispatcher=self.dispatcher,
            jobs=self.jobs,
            limits=self._config.limits,
            past=self.past,
            voices=self.voices.catalogue.cards,
            microphone=self.voice_services.microphone,
            metrics=self.observers.metrics,
        )

    def _make_servers(self) -> list[WyomingServer | HttpServer]:
        """Those that are configured."""
        config, context = self._config, self.session_context()
        servers: list[WyomingServer | HttpServer] = []
        if config.wyoming.port is not None:
            servers.append(WyomingServer(device=config.device, config=config.wyoming, context=context))
        if config.http.port is not None:
            servers.append(HttpServer(device=config.device, config=config.http, context=context))
        return servers

    def _as_device(self) -> Device:
        config, model = self._config, f"{self._model.name} {self._model.version}"
        base = f"{config.mqtt.base_topic}/{config.device}"
        say = f"say/{HOME_ASSISTANT}" if HOME_ASSISTANT in config.access.callers else "say"
        return Device(name=config.device, base=base, model=model, version=edge_tts.__version__, say=say)

    def _networks_loaded(self) -> None:
        self._surroundings.loaded()
        placements = [asdict(placement) for placement in self._surroundings.placements()]
        self.runtime.events.retain("engines", {"engines": placements})

    def _resume_requests(self) -> None:
        self.dispatcher.resume(self.journal, oldest_s=self._config.limits.resume_s, reply=self._reply_to)

    def _publish(self, topic: str, payload: str) -> None:
        self.link.publish(topic, payload)

    def _reply_to(self, address: ReplyTo) -> Reply:
        return self.hermes.reply(address) or self.link.reply(address)

    def _first_state(self) -> State:
        """Voice and volume as set last, else as configured. Raises ConfigError for an unknown voice."""
        saved, catalogue = self.settings.settings, self.voices.catalogue
        exists = saved.voice in catalogue.own_ids()
        return State(
            voice=saved.voice if exists and saved.voice else first_voice(self._config, self._model, catalogue),
            volume=self._config.audio.volume if saved.volume is None else saved.volume,
        )


def loudspeaker_for(audio: AudioConfig, contents: RecentContents | None = None) -> OpenLoudspeaker:
    """Opens the configured loudspeaker, pipe or file, with `contents` in its metadata."""

    def open_loudspeaker(sample_rate: int) -> Loudspeaker:
        if audio.output == "pipe":
            return PipeLoudspeaker(path=audio.pipe, sample_rate=sample_rate, pipe_rate=audio.pipe_rate)
        if audio.output == "file":
            return WavFile(path=audio.file, sample_rate=sample_rate, contents=contents)
        return PortAudioLoudspeaker(sample_rate=sample_rate, device=audio.device)

    return open_loudspeaker


def http_address(config: HttpConfig) -> str | None:
    """By which other machines reach the HTTP server, as far as can be known here; None without one."""
    if config.port is None:
        return None
    host = socket.gethostname() if config.host in ("0.0.0.0", "::", "") else config.host
    return f"http://[{host}]:{config.port}" if ":" in host else f"http://{host}:{config.port}"


def capabilities(config: Config, model: ModelSet, commands: tuple[str, ...]) -> dict[str, Any]:
    """The retained topic `capabilities`."""
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
        "say": SpeakMessage.model_json_schema(),
    }
