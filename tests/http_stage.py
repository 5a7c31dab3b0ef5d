"""An HTTP server with queue, player and worker behind it, over a synthesizer that hums."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from broker import free_port
from fakes import RATE, WAIT_S, FakeSynthesizer
from rig import Rig
from toy_model_sets import write_model_set

from edge_tts.config import AccessConfig, HttpConfig, LimitsConfig, ResultsConfig
from edge_tts.enrolment.level_meter import Level
from edge_tts.errors import PayloadError, UnknownVoiceError
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.dispatcher import Dispatcher, RequestRules
from edge_tts.front_doors.http.http_server import HttpServer
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.past_requests import PastRequests
from edge_tts.front_doors.session_context import SessionContext
from edge_tts.front_doors.settings_commands import SettingsCommands
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.runtime.metrics import Metrics, ScrapeSources
from edge_tts.speaking.request_records import RequestRecords
from edge_tts.speaking.results import Results
from edge_tts.voices.builtin import VoiceCard

LIMITS = LimitsConfig(text_chars=100, payload_bytes=1000)
VOICES = [VoiceCard("buzz", "Buzz", "zh", builtin=True), VoiceCard("hum", "Hum", "en", builtin=True)]
SECRET = "a-secret-word"


def resolve(name: str) -> str:
    if name.casefold() not in ("hum", "buzz"):
        raise UnknownVoiceError(f"there is no voice '{name}'")
    return name.casefold()


class Stage(Rig):
    """A server with everything behind it; its voices hum at 8 kHz."""

    def __init__(
        self,
        folder: Path,
        synthesizer: FakeSynthesizer,
        *,
        capacity: int = 8,
        token: bool = False,
        tokens: str = "",
        access: Access | None = None,
        limits: LimitsConfig = LIMITS,
        metrics: Metrics | None = None,
        metrics_only: bool = False,
    ) -> None:
        super().__init__(synthesizer=synthesizer, capacity=capacity)
        self.level: Level | None = None
        model = replace(read_model_set(write_model_set(folder / "toy", languages=["en", "zh"])), sample_rate=RATE)
        self.port, access = free_port(), access or Access(AccessConfig())
        self.records = RequestRecords(folder / "requests.sqlite")
        self.events.subscribe(self.records)
        self.results = Results(
            ResultsConfig(dir=folder / "results"),
            address=f"http://127.0.0.1:{self.port}",
            base64_bytes=limits.payload_bytes,
        )
        past = PastRequests(runtime=self.runtime, records=self.records, results=self.results, may_ask=access.may_ask)
        rules = RequestRules(
            resolve,
            ContentRules(limits.text_chars),
            limits.payload_bytes,
            access=access,
            results=self.results,
            owned=self.records.belongs_to,
        )
        settings = SettingsCommands(
            events=self.events,
            player=self.player,
            resolve_voice=resolve,
            save=lambda: None,
            new_id=self.runtime.new_id,
        )
        self.dispatcher = Dispatcher(
            runtime=self.runtime,
            rules=rules,
            jobs=self.jobs,
            player=self.player,
            more={**settings.commands(), **past.commands(), **self._recorded()},
        )
        context = SessionContext(
            runtime=self.runtime,
            model=model,
            version="1",
            dispatcher=self.dispatcher,
            jobs=self.jobs,
            limits=limits,
            past=past,
            voices=lambda: VOICES,
            microphone=lambda: self.level,
            metrics=metrics,
        )
        if metrics is not None:
            metrics.attach(
                ScrapeSources(broker_connected=lambda: True, journal=lambda: (2, 700), set="toy 1", version="1"),
            )
            self.events.subscribe(metrics)
        self.events.retain("voices", {"voices": [asdict(voice) for voice in VOICES], "default": "hum"})
        secret = folder / "token"
        secret.write_text(tokens or f"{SECRET}\n")
        secret_file = secret if token or tokens else None
        config = HttpConfig(port=self.port, token_file=secret_file, metrics_only=metrics_only)
        self.server = HttpServer(device="toy", config=config, context=context)

    def _recorded(self) -> dict[str, Callable[[Message], None]]:
        """Commands that are only written down, in `heard`; `lexicon/set` refuses the word `refuse`."""
        self.heard: list[tuple[str, bytes]] = []

        def hear(message: Message) -> None:
            if b'"refuse"' in message.payload:
                raise PayloadError("lexicon/set: this cannot be read")
            self.heard.append((message.command, message.payload))

        changes = [f"voices/{what}" for what in ("rename", "delete", "undelete")]
        return dict.fromkeys([*changes, "enroll", "lexicon/set", "lexicon/remove", "models/activate"], hear)

    def ask(self, method: str, path: str, body: Any = None, **fields: str) -> tuple[http.client.HTTPResponse, bytes]:
        """`body`: bytes, or a value that is sent as JSON."""
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {"content-type": "application/json", **headers}
        wire.request(method, path, body, headers)
        answer = wire.getresponse()
        try:
            return answer, answer.read()
        finally:
            wire.close()

    def refused(self, method: str, path: str, body: Any = None, **fields: str) -> tuple[int, str, str]:
        """Status, name and sentence of an error in OpenAI's form."""
        answer, data = self.ask(method, path, body, **fields)
        error = json.loads(data)["error"]
        assert answer.getheader("content-type") == "application/json"
        assert set(error) == {"message", "type", "param", "code"}
        return answer.status, error["code"], error["message"]

    def stages(self) -> list[str]:
        return [report.stage for report in self.notes.reports]


@contextmanager
def stage(folder: Path, synthesizer: FakeSynthesizer | None = None, **how: Any) -> Iterator[Stage]:
    running = Stage(folder, synthesizer or FakeSynthesizer(), **how)
    with running.running(), running.server:
        assert running.events.state.health["http"].status == "ok"
        yield running
