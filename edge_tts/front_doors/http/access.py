"""Who may ask: whoever has the token; without one, programs on this machine, and no web page of another site."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from edge_tts.config import is_loopback
from edge_tts.errors import ConfigError
from edge_tts.front_doors.http.answers import HttpRefusedError


def read_token(path: Path | None) -> str | None:
    """Raises ConfigError."""
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8-sig").strip()
    except OSError as unreadable:
        raise ConfigError(f"http.token_file: {path} cannot be read ({unreadable.strerror})") from unreadable
    except UnicodeDecodeError as binary:
        raise ConfigError(f"http.token_file: {path} is not UTF-8 text") from binary
    if not token:
        raise ConfigError(f"http.token_file: {path} is empty; put a secret into it, as by `openssl rand -hex 16`")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigError(f"http.token_file: {path} must hold one word of letters, digits and signs, as a header does")
    return token


class Access:
    def __init__(self, token: str | None) -> None:
        self.token = token

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises HttpRefusedError. `headers`: by their names in lower case."""
        if self.token is None:
            _check_place(headers)
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.casefold() == "bearer" else ""
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise HttpRefusedError(401, "send the token of http.token_file as `Authorization: Bearer TOKEN`")


def _check_place(headers: Mapping[str, str]) -> None:
    """A browser here also sends what pages of others want: by their names (DNS rebinding), or across sites."""
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        origin = urlsplit(headers.get("origin", f"//{host}")).netloc
    except ValueError:
        name, origin = "", ""
    if not is_loopback(name):
        raise HttpRefusedError(403, "without http.token_file, ask for 127.0.0.1 or localhost")
    if origin != host or headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise HttpRefusedError(403, "web pages of other sites may not ask")
