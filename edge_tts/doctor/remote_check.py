"""Asks the machine that speaks for this one which voices it has, or its group for a word."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from edge_tts.config import Config, read_secret
from edge_tts.doctor.findings import Finding
from edge_tts.errors import TransportError
from edge_tts.front_doors.mqtt.group_voices import GroupVoices
from edge_tts.front_doors.mqtt.session import session_config
from edge_tts.model_sets.manifest import find_model_set
from edge_tts.synthesis.remote import RemoteLine
from edge_tts.values import Sampling

CHECK = "remote"
_TIMEOUT_S = 5.0
_MOST_BYTES = 1 << 20


def check_remote(config: Config) -> Iterator[Finding]:
    """Whether it answers, and has the configured voice. Raises ConfigError for a token that cannot be read."""
    url, token = urlsplit(config.remote.url or ""), read_secret(config.remote.token_file, key="remote.token_file")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=_TIMEOUT_S)
    advice = "this device speaks by itself meanwhile; correct remote.url, or start the other machine (its http section)"
    try:
        fields = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection.request("GET", f"{url.path.rstrip('/')}/v1/voices", headers=fields)
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES)
        if answer.status in (401, 403):
            yield Finding(CHECK, "broken", f"{url.netloc} refuses our token", "put its secret into remote.token_file")
            return
        voices = [str(voice["id"]) for voice in json.loads(body)["voices"]]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        yield Finding(CHECK, "broken", f"{url.netloc} does not answer as an appliance: {error!r}", advice)
        return
    finally:
        connection.close()
    if config.voice is not None and config.voice not in voices:
        text = f"{url.netloc} has no voice {config.voice}"
        yield Finding(CHECK, "broken", text, "give both machines the same model set and bucket")
    else:
        yield Finding(CHECK, "ok", f"{url.netloc} answers, with {len(voices)} voices")


def check_group(config: Config) -> Iterator[Finding]:
    """Whether a member renders a word for this device, with its model set and voice. Raises ModelError for a set that
    is not there, TransportError for what is wrong in `mqtt`."""
    group, own = config.remote.group or "", session_config(config, keep=False)
    mqtt = own.model_copy(update={"client_id": f"{own.client_id}-doctor"})  # the daemon keeps its connection
    model = find_model_set(config.models.dir, config.models.name)
    voice = config.voice or model.default_voice
    first_audio_s = config.remote.first_audio_ms / 1000
    with GroupVoices(mqtt, model, group=group, device=config.device, first_audio_s=first_audio_s) as voices:
        if voice is None or not voices.is_connected(_TIMEOUT_S):
            return  # which other checks tell
        try:
            said = list(voices.speak(_hello(voice), lambda: False))
        except TransportError as error:
            advice = "this device speaks by itself meanwhile; members have mqtt.render_group, the same set and voices"
            yield Finding(CHECK, "broken", str(error), advice)
        else:
            yield Finding(
                CHECK, "ok", f"the group {group} has rendered {len(said[0]) / model.sample_rate:.1f} s for us"
            )


def _hello(voice: str) -> RemoteLine:
    return RemoteLine(text="Hello.", voice=voice, language="en", sampling=Sampling(), speed=1.0, priority="normal")
