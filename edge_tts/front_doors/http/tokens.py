"""Who asks: whoever has a token; without one, programs on this machine, and no web page of another site."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from edge_tts.config import CALLER_NAME, is_loopback, read_secrets
from edge_tts.errors import ConfigError
from edge_tts.front_doors.http.answers import HttpRefusedError
from edge_tts.values import Caller


def read_tokens(path: Path | None) -> dict[str, str] | None:
    """Token -> the name of who has it. A file of one word is a token without a name, else each line is a name and its
    token. None without a file. Raises ConfigError."""
    if path is None:
        return None
    text = read_secrets(path, key="http.token_file")
    if len(text.split()) == 1:
        return {_token(text, path): ""}
    return _named_tokens(text, path)


def _named_tokens(text: str, path: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"http.token_file: line {number} of {path}"
        if len(words) != 2 or not re.fullmatch(CALLER_NAME, words[0]):
            raise ConfigError(f"{where} is no name, in lower case, and a token behind it, as in `kitchen 5f3a...`")
        if words[1] in names or words[0] in names.values():
            raise ConfigError(f"{where} has a name or a token that an earlier line has")
        names[_token(words[1], path)] = words[0]
    if not names:
        raise ConfigError(f"http.token_file: {path} has comments alone; put a token into it")
    return names


def _token(word: str, path: Path) -> str:
    if not (word.isascii() and word.isprintable()):
        raise ConfigError(f"http.token_file: {path} must hold words of letters, digits and signs, as a header does")
    return word


class Tokens:
    def __init__(self, names: Mapping[str, str] | None) -> None:
        """As `read_tokens`."""
        self._names = names

    @property
    def are_needed(self) -> bool:
        return self._names is not None

    def caller(self, headers: Mapping[str, str], address: str) -> Caller:
        """Raises HttpRefusedError. `headers`: by their names in lower case."""
        if self._names is None:
            _check_place(headers)
            return Caller("http", address=address)
        scheme, _, given = headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.casefold() == "bearer" else ""
        # All are compared: how long it takes must not tell which is near.
        found = [name for token, name in self._names.items() if hmac.compare_digest(given.encode(), token.encode())]
        if not found:
            raise HttpRefusedError(401, "send a token of http.token_file as `Authorization: Bearer TOKEN`")
        return Caller("http", found[0], address)


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
