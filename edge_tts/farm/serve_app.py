"""What Ray Serve runs: `serve run edge_tts.farm.serve_app:build config=config.yaml`. Ray's one home.

Two deployments: `door` takes requests from the proxy, `speech` answers them; deploy/ has their sizes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from edge_tts.app.memory import limit_arenas
from edge_tts.config import Config, load_config
from edge_tts.errors import ConfigError, QueueFullError, TransportError, install_hint
from edge_tts.farm.forward import Forwarder
from edge_tts.farm.headless import Event, HeadlessAppliance, SharedAppliance
from edge_tts.front_doors.http.answers import Scope
from edge_tts.front_doors.http.http_door import check_library
from edge_tts.front_doors.http.tokens import read_tokens
from edge_tts.model_sets.manifest import installed_model_sets
from edge_tts.schema import Field, Record, check

try:
    from ray import serve
    from ray.exceptions import RayActorError, RayError
    from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
except ImportError as missing:
    raise SystemExit(f"a farm needs Ray Serve: {install_hint('farm')} ({missing})") from missing

_QUEUE = 10000  # Ray refuses before a replica does
_VOICES = 64
"""Voices that Ray knows a replica by."""


class Arguments(Record):
    """Of `build`."""

    config: str
    open: bool = False
    """Let anybody ask, without a token."""
    sets_per_replica: int = Field(default=1, ge=1, le=100)
    """Model sets that a replica keeps loaded; the least recently used gives way."""
    speech: dict[str, Any] = Field(default={})
    """Ray's options of the deployment that speaks; a Serve config has a place of its own for them."""


def build(args: dict[str, Any]) -> serve.Application:
    """The application. Raises ConfigError."""
    check_library()
    arguments = check(Arguments, args, error=ConfigError, what="farm", strict=False)
    config = load_config(Path(arguments.config))
    if read_tokens(config.http.token_file) is None and not arguments.open:
        raise ConfigError("http.token_file: a farm is reached from other machines; name a secret, or say open=true")
    limits = config.limits.model_copy(update={"queue": _QUEUE})
    config = config.model_copy(update={"limits": limits})
    options = {"name": "speech", "max_ongoing_requests": 8, "max_queued_requests": 32, **arguments.speech}
    sets = installed_model_sets(config.models.dir)
    by_voice = len(sets) <= arguments.sets_per_replica  # else voices of several sets would throw each other's sets out
    speech = serve.deployment(**options)(_speech(config, arguments.sets_per_replica, by_voice=by_voice))
    door = serve.deployment(name="door", max_ongoing_requests=1000, ray_actor_options={"num_cpus": 0})(
        serve.ingress()(_door(config, sets if by_voice else None))
    )
    return door.bind(speech.bind())


def _door(config: Config, sets: list[str] | None) -> type:
    """The class of the deployment `door`. `sets` that every replica has room for are told apart by voice; None: those
    that are installed by then, by set."""

    class DoorDeployment:
        """What Ray asks for an ASGI application."""

        def __init__(self, speech: Any) -> None:
            self._speech = speech

        def __serve_build_asgi_app__(self) -> Forwarder:
            return Forwarder(
                partial(_call, self._speech),
                sets=partial(installed_model_sets, config.models.dir) if sets is None else lambda: sets,
                default=config.models.name,
                payload_bytes=config.limits.payload_bytes,
                by_voice=sets is not None,
            )

    return DoorDeployment


async def _call(speech: Any, model: str, scope: Scope, body: bytes) -> AsyncIterator[Event]:
    try:
        answer = speech.options(stream=True, multiplexed_model_id=model).answer.remote(scope, body)
        try:
            async for event in answer:
                yield event
        finally:
            answer.cancel()
    except BackPressureError as busy:
        raise QueueFullError("all replicas are busy, and as many requests wait as may; try again") from busy
    except (RayActorError, DeploymentUnavailableError) as lost:
        raise TransportError(f"the replica that spoke has died ({type(lost).__name__})") from lost
    except RayError as error:
        raise TransportError(f"the replica cannot answer: {error}") from error


def _speech(config: Config, sets_per_replica: int, *, by_voice: bool) -> type:
    """The class of the deployment `speech`."""

    class SpeechDeployment:
        """One replica."""

        def __init__(self) -> None:
            limit_arenas()
            self._loaded: list[HeadlessAppliance] = []
            self._replica = serve.get_replica_context().replica_id.unique_id.encode()

        @serve.multiplexed(max_num_models_per_replica=_VOICES if by_voice else sets_per_replica)  # type: ignore[untyped-decorator]
        async def appliance(self, model: str) -> HeadlessAppliance | SharedAppliance:
            model_set = model.partition("/")[0]
            loaded = next((one for one in self._loaded if by_voice and one.model_set == model_set), None)
            if loaded is None:
                loaded = await asyncio.to_thread(HeadlessAppliance, config, model_set)
                self._loaded.append(loaded)
            return SharedAppliance(loaded) if by_voice else loaded

        async def answer(self, scope: Scope, body: bytes) -> AsyncIterator[Event]:
            appliance = await self.appliance(serve.get_multiplexed_model_id())
            async for event in appliance.answer(scope, body):
                if event["type"] == "http.response.start":
                    event = {**event, "headers": [*event["headers"], (b"x-replica", self._replica)]}
                yield event

        def __del__(self) -> None:
            """What Ray calls once the answers have ended."""
            for appliance in self._loaded:
                appliance.close()

        def check_health(self) -> None:
            self._loaded = [appliance for appliance in self._loaded if not appliance.closed]
            for appliance in self._loaded:
                appliance.check()

    return SpeechDeployment
