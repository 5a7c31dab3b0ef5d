"""Objects in a bucket (S3, GCS, Azure, a local folder): obstore's one home. Knows no voices; tells no secrets."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError
from obstore.store import LocalStore, from_url

from edge_tts.errors import TransportError
from edge_tts.voices.sync.abandonable import run_abandonable
from edge_tts.voices.sync.credentials import Secrets
from edge_tts.voices.sync.folder_bucket import MARKER, open_folder, vanished

T = TypeVar("T")

_Errors = tuple[type[Exception], ...]

_TICK_S = 0.5
_THERE = (AlreadyExistsError, PreconditionError)
_NOT_SUPPORTED = (NotSupportedError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Place:
    """Which bucket, as the configuration says, which lets no address pass that may hold credentials."""

    url: str
    """s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, or the path of a folder."""
    region: str | None = None
    endpoint: str | None = None
    """Of a service that is not the original (MinIO, Garage, R2, ..., an emulator)."""
    timeout_s: float = 60.0
    """For one request from its beginning to its end."""
    retry_s: float = 10.0
    """How long a failed request is tried again; 0 for not at all."""

    @property
    def kind(self) -> str:
        """s3, gs, az, or file."""
        return urlsplit(self.url).scheme if "://" in self.url else "file"

    @property
    def folder(self) -> Path:
        """The folder that serves as a bucket."""
        return Path(self.url.removeprefix("file://"))


@dataclass(frozen=True, slots=True)
class Found:
    """An object as the listing shows it."""

    mark: str
    """Changes whenever the bytes may have: the ETag, or what comes nearest."""
    size: int


@dataclass(frozen=True, slots=True)
class Blob:
    """An object's bytes, not yet checked."""

    data: bytes
    mark: str


class Bucket:
    """One bucket, used by one thread at a time. Every failure is a TransportError whose text holds no secret.

    `abandon` is asked twice a second while a request is under way; True gives the request up. `used_before` tells a
    local folder that has vanished (a stick that was pulled out) from one that is yet to be made.
    """

    def __init__(
        self,
        *,
        place: Place,
        secrets: Secrets,
        abandon: Callable[[], bool] = lambda: False,
        used_before: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._place = place
        self._secrets = secrets
        self._abandon = abandon
        self._is_folder = place.kind == "file"
        self._marked = False
        self._loop = asyncio.new_event_loop()
        try:
            self._store = self._open_folder(used_before, clock()) if self._is_folder else self._open_service()
        except BaseException:
            self.close()
            raise

    def list(self, prefix: str) -> dict[str, Found]:
        """Every object below `prefix`, path -> what it looks like."""
        self._require_disk()
        metas = self._do(lambda: obstore.list(self._store, prefix, chunk_size=1000).collect_async())
        return {meta["path"]: Found(_mark(meta), meta["size"]) for meta in metas}

    def get(self, path: str, *, most: int) -> Blob | None:
        """The object, None if there is none. One of more than `most` bytes is not read and comes empty."""

        async def fetch() -> Blob:
            result = await obstore.get_async(self._store, path)
            if result.meta["size"] > most:
                return Blob(b"", _mark(result.meta))
            return Blob(bytes(await result.bytes_async()), _mark(result.meta))

        try:
            return self._do(fetch, but=(FileNotFoundError,))
        except FileNotFoundError:
            return None

    def create(self, path: str, data: bytes) -> str | None:
        """Put a new object; its mark, or None if another was there before (a conditional put: it stays as it is)."""
        try:
            return self._put(path, data, "create", but=_THERE + _NOT_SUPPORTED)
        except _THERE:
            self._require(path)
            return None
        except _NOT_SUPPORTED:  # an old S3 server; objects of one name have the same bytes
            return self.replace(path, data)

    def replace(self, path: str, data: bytes) -> str | None:
        """Put an object, whatever is there; its mark."""
        return self._put(path, data, "overwrite")

    def delete(self, path: str) -> None:
        """Remove an object; fine if there is none."""
        try:
            self._do(lambda: obstore.delete_async(self._store, path), but=(FileNotFoundError,))
        except FileNotFoundError:
            return

    def close(self) -> None:
        """Give the connections back."""
        self._loop.close()

    def __enter__(self) -> Bucket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, path: str, data: bytes, mode: Any, *, but: _Errors = ()) -> str | None:
        self._require_disk()
        try:
            result = self._do(
                lambda: obstore.put_async(self._store, path, data, mode=mode, use_multipart=False),
                but=(FileNotFoundError, *but),
            )
        except FileNotFoundError:
            raise TransportError(f"{self._place.url}: there is no such bucket") from None
        return _bare(result["e_tag"])

    def _require(self, path: str) -> None:
        """It was refused as being there already: see that it is, or a bucket that refuses all would pass for full."""
        try:
            self._do(lambda: obstore.head_async(self._store, path), but=(FileNotFoundError,))
        except FileNotFoundError:
            raise TransportError(f"{self._place.url}: {path} can neither be made nor found") from None

    def _open_folder(self, used_before: bool, now: float) -> Any:
        def work() -> Any:
            self._marked = open_folder(self._place.folder, used_before=used_before, now=now)
            return LocalStore(self._place.folder, automatic_cleanup=True)

        return self._do(lambda: run_abandonable(work, name=f"opens {self._place.folder}"))

    def _open_service(self) -> Any:
        config: Any = dict(self._secrets.values)
        if self._place.kind == "s3":
            config["region"] = self._place.region or "us-east-1"
        if self._place.endpoint:
            config["base_url" if self._place.kind == "gs" else "endpoint"] = self._place.endpoint
        plain = (self._place.endpoint or "").startswith("http://")
        limit = timedelta(seconds=self._place.timeout_s)
        retries = 3 if self._place.retry_s else 0
        retry: Any = {"max_retries": retries, "retry_timeout": timedelta(seconds=self._place.retry_s)}
        client: Any = {"timeout": limit, "connect_timeout": min(limit, timedelta(seconds=10)), "allow_http": plain}
        return self._translated(
            lambda: from_url(self._place.url, config=config, client_options=client, retry_config=retry)
        )

    def _require_disk(self) -> None:
        """A disk may be pulled out at any time, and nothing may be written to where it was mounted."""
        if self._marked:
            try:
                self._do(lambda: obstore.head_async(self._store, MARKER), but=(FileNotFoundError,))
            except FileNotFoundError:
                raise vanished(self._place.folder) from None

    def _do(self, start: Callable[[], Awaitable[T]], *, but: _Errors = ()) -> T:
        """Wait for one request; the errors `but` are answers that the caller understands."""
        return self._translated(lambda: self._loop.run_until_complete(self._patiently(start)), but=but)

    async def _patiently(self, start: Callable[[], Awaitable[T]]) -> T:
        """Wait, asking now and then whether to give up. The library limits a service's time, but not a disk's."""
        task = asyncio.ensure_future(start())
        ends = self._loop.time() + (self._place.timeout_s if self._is_folder else math.inf)
        while True:
            stopping, left_s = self._abandon(), ends - self._loop.time()
            if stopping or left_s <= 0:
                task.cancel()
                await asyncio.wait({task})
                reason = "given up, because the daemon stops" if stopping else "the disk does not answer"
                raise TransportError(f"{self._place.url}: {reason}")
            await asyncio.wait({task}, timeout=min(_TICK_S, left_s))
            if task.done():
                return task.result()

    def _translated(self, work: Callable[[], T], *, but: _Errors = ()) -> T:
        """The result of `work`; obstore's errors without secrets: `from None`, as the originals quote requests."""
        named: _Errors = (TransportError, *but)
        try:
            return work()
        except named:
            raise
        except Exception as trouble:  # noqa: BLE001 - whatever a server makes the library raise, panics (RustPanic) too
            raise TransportError(f"{self._place.url}: {self._secrets.explain(str(trouble))}") from None


def _mark(meta: Any) -> str:
    return _bare(meta["e_tag"]) or f"{meta['size']} {meta['last_modified'].isoformat()}"


def _bare(e_tag: str | None) -> str | None:
    """An ETag without its quotes: Azure has them where it shows an object, and none where it lists it."""
    return e_tag and e_tag.strip('"')
