"""Asks the machine that speaks for this one which voices it has."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from edge_tts.config import Config, read_secret
from edge_tts.doctor.findings import Finding

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
