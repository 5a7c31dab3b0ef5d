"""Sound that was asked for by `deliver`: kept on disk for its caller, behind links that expire with it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_tts.audio.sound_stream import available_formats
from edge_tts.config import ResultsConfig
from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.errors import PayloadError, QueueFullError
from edge_tts.request import SpeakMessage, SpeakRequest
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.bucket_results import BucketResults, Result
from edge_tts.speaking.job import Reply, Sink
from edge_tts.speaking.result_sink import ResultFile, ResultSink
from edge_tts.values import Report

PATH = "/v1/results/"
"""Where the HTTP server has them."""
_NAME = re.compile(r"(?P<key>[0-9a-f]{32})\.(?P<voice>[0-9a-f]{32})\.(?P<way>link|base64)\.(?P<form>[a-z0-9]+)")
_SECRET = ".secret"
_ABANDONED_S = 3600.0
"""After so long an unfinished file, whose name begins with a dot, is nobody's any more."""


class Results:
    """Owns a folder. Any thread."""

    def __init__(
        self,
        config: ResultsConfig,
        *,
        address: str | None = None,
        base64_bytes: int = 262144,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`address`: of the HTTP server, None without one. `base64_bytes`: a larger result is not sent in base64."""
        self._config, self._base64_bytes, self._wall = config, base64_bytes, wall
        self._address = config.url or address
        self._bucket: BucketResults | None = None
        self._lock = threading.Lock()
        """Held while the secret is made."""

    def attach(self, bucket: BucketResults) -> None:
        """Links are the bucket's from now on, where it has the result."""
        self._bucket = bucket

    def linked_ones(self) -> list[Result]:
        """Those that have a link."""
        return [result for result in self._all() if not self._fits_base64(result)]

    def check(self, say: SpeakMessage) -> None:
        """Raises PayloadError for what cannot be delivered here, QueueFullError while there is no room."""
        if say.deliver is None:
            return
        if self._config.max_mb == 0:
            raise PayloadError("say: key 'deliver': nothing is kept on this device (results.max_mb is 0)")
        if say.deliver == "link" and self._address is None and self._bucket is None:
            raise PayloadError(
                "say: key 'deliver': a link needs the HTTP server (http.port) or results.place: bucket; ask for base64"
            )
        if say.format not in available_formats():
            raise PayloadError(f"say: key 'format': this machine's libsndfile writes no {say.format}; ask for flac")
        self.check_room(0)

    def sink(self, request: SpeakRequest, owner: str, loudspeaker: Sink, runtime: Runtime) -> Sink:
        """Where the sound of a request of `owner` goes."""
        if request.deliver is None:
            return loudspeaker
        path = self._config.dir / f"{_key(owner, request.id)}.{_key(request.voice)}.{request.deliver}.{request.format}"
        file = ResultFile(path, check_room=self.check_room)
        return ResultSink(file, runtime, loudspeaker if request.play else None)

    def reply(self, reply: Reply, owner: str) -> Reply:
        """A reply that tells of the result as well; of one that goes to the bucket once it is there."""

        def told(report: Report) -> None:
            result = self.find(report.id, owner) if report.stage == "done" else None
            if result is None:
                reply(report)
            elif self._bucket is None or self._fits_base64(result):
                tell(report, result)
            else:
                self._bucket.when_there(result, lambda: tell(report, result))

        def tell(report: Report, result: Result) -> None:
            reply(replace(report, details={**report.details, "result": self.offer(result)}))

        return told

    def find(self, request_id: str, owner: str) -> Result | None:
        """None where there is none, or no longer."""
        return self._find(_key(owner, request_id))

    def linked(self, name: str, *, expires: str, signature: str) -> Result | None:
        """Of a link; None where it has expired. Raises PayloadError for one that was not made here."""
        if not hmac.compare_digest(signature.encode(), self._sign(name, expires).encode()):
            raise PayloadError("this link was not made here, or is not complete")
        result = self._find(name[:32])
        return None if result is None or float(expires) <= self._wall() else result

    def offer(self, result: Result, *, address: str | None = None) -> dict[str, Any]:
        """For a report: the sound in base64 where that was asked for and fits, else a link. `address`: by which the
        caller reaches the HTTP server."""
        told: dict[str, Any] = {"format": result.form, "bytes": result.size, "expires_at": int(result.expires_at)}
        if self._fits_base64(result):
            with suppress(OSError):
                return {**told, "audio": base64.b64encode(result.path.read_bytes()).decode()}
        if self._bucket is not None:
            link = self._bucket.link(result)
            if link is not None:
                return {**told, "link": link}
            told["why"] = self._bucket.why
        address = self._config.url or address or self._address
        if address is None:
            return {"why": "too large for base64 (limits.payload_bytes), and no link without http.port", **told}
        try:
            return {**told, "link": f"{address.rstrip('/')}{PATH}{self._link(result)}"}
        except OSError as error:
            return {**told, "why": f"no link can be signed ({error.strerror})"}

    def sweep(self, voices: Collection[str]) -> None:
        """Remove what has expired, or was said by a voice that is gone. Call it every few seconds."""
        now, known = self._wall(), {_key(voice) for voice in voices}
        for path in self._paths():
            result, status = self._result(path), _status(path)
            if result is not None:
                is_over = result.expires_at <= now or result.voice not in known
            else:
                is_part = path.name.startswith(".") and path.name != _SECRET
                is_over = is_part and status is not None and status.st_mtime + _ABANDONED_S <= now
            if is_over:
                with suppress(OSError):
                    path.unlink()

    def check_room(self, size: int) -> None:
        """Whether so many bytes more may be kept: what was promised does not give way. Raises QueueFullError."""
        kept = sum(status.st_size for path in self._paths() if (status := _status(path)) is not None)
        if kept + size >= self._config.max_mb << 20:
            raise QueueFullError(
                f"results take {kept >> 20} MB already (results.max_mb is {self._config.max_mb}); "
                f"each expires after {self._config.keep_s:g} s"
            )

    def _fits_base64(self, result: Result) -> bool:
        return result.way == "base64" and result.size <= self._base64_bytes * 3 // 4

    def _find(self, key: str) -> Result | None:
        return next((one for one in self._all(f"{key}.*") if one.expires_at > self._wall()), None)

    def _all(self, pattern: str = "*") -> list[Result]:
        return [result for path in self._paths(pattern) if (result := self._result(path)) is not None]

    def _paths(self, pattern: str = "*") -> list[Path]:
        try:
            return [path for path in self._config.dir.glob(pattern) if path.is_file()]
        except OSError:
            return []

    def _result(self, path: Path) -> Result | None:
        name, status = _NAME.fullmatch(path.name), _status(path)
        if name is None or status is None:
            return None
        until = status.st_mtime + self._config.keep_s
        return Result(path, name["voice"], name["way"], name["form"], status.st_size, until)

    def _link(self, result: Result) -> str:
        """Raises OSError."""
        expires = str(int(result.expires_at))
        return f"{result.name}?expires={expires}&signature={self._sign(result.name, expires)}"

    def _sign(self, name: str, expires: str) -> str:
        return hmac.new(self._secret(), f"{name}\n{expires}".encode(), hashlib.sha256).hexdigest()

    def _secret(self) -> bytes:
        """Made when it is needed first; links outlast a restart with it."""
        path = self._config.dir / _SECRET
        with self._lock:
            try:
                return path.read_bytes()
            except FileNotFoundError:
                make_folder(path.parent)
                write_atomic(path, secrets.token_bytes(32))
                return path.read_bytes()


def _status(path: Path) -> os.stat_result | None:
    """None for a file that is gone meanwhile."""
    try:
        return path.stat()
    except OSError:
        return None


def _key(*names: str) -> str:
    """32 hex digits: ids and voices may be called anything; and an id is another one for each owner."""
    return hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:32]
