"""Objects in a bucket (S3, GCS, Azure, a local folder), by obstore."""

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

from edge_tts.buckets.abandonable import run_abandonable
from edge_tts.buckets.credentials import Secrets
from edge_tts.buckets.folder_bucket import MARKER, open_folder, vanished
from edge_tts.errors import TransportError

T = TypeVar("T")

_Errors = tuple[type[Exception], ...]

_TICK_S = 0.5
_EXISTS = (AlreadyExistsError, PreconditionError)
_NOT_SUPPORTED = (NotSupportedError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Place:
    """The address of a bucket, as configured: without credentials."""

    url: str
    """s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, or the path of a folder."""
    region: str | None = None
    endpoint: str | None = None
    """Of a compatible service (MinIO, R2)."""
    timeout_s: float = 60.0
    """Of one request."""
    retry_s: float = 10.0
    """How long a failed request is retried; 0: never."""

    @property
    def kind(self) -> str:
        """s3, gs, az or file."""
        return urlsplit(self.url).scheme if "://" in self.url else "file"

    @property
    def folder(self) -> Path:
        return Path(self.url.removeprefix("file://"))


@dataclass(frozen=True, slots=True)
class ListedObject:
    mark: str
    """The ETag, or size and time: changes whenever the bytes may have."""
    size: int


@dataclass(frozen=True, slots=True)
class Blob:
    """An object's unverified bytes."""

    data: bytes
    mark: str


class Bucket:
    """One bucket. Not thread-safe. Raises TransportError, its text without secrets.

    `abandon` is polled twice a second during a request; True cancels it. `used_before` tells a folder whose disk is
    unplugged from a new one.
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

    def list(self, prefix: str) -> dict[str, ListedObject]:
        """Path -> object, of all below `prefix`."""
        self._require_disk()
        metas = self._do(lambda: obstore.list(self._store, prefix, chunk_size=1000).collect_async())
        return {meta["path"]: ListedObject(_mark(meta), meta["size"]) for meta in metas}

    def get(self, path: str, *, most: int) -> Blob | None:
        """The object, None if there is none; empty, unread, if it has more than `most` bytes."""

        async def fetch() -> Blob:
            result = await obstore.get_async(self._store, path)
            if result.meta["size"] > most:
                return Blob(b"", _mark(result.meta))
            return Blob(bytes(await result.bytes_async()), _mark(result.meta))

        try:
            return self._do(fetch, expected=(FileNotFoundError,))
        except FileNotFoundError:
            return None

    def get_range(self, path: str, *, start: int, length: int) -> bytes | None:
        """At most `length` unverified bytes of the object from `start` on; None if there is no such object."""

        async def fetch() -> bytes:
            return bytes(await obstore.get_range_async(self._store, path, start=start, length=length))[:length]

        try:
            return self._do(fetch, expected=(FileNotFoundError,))
        except FileNotFoundError:
            return None

    def upload(self, path: str, file: Path, *, kind: str | None = None) -> None:
        """Put a file that may be larger than memory. `kind`: its media type, for a bucket that gives links."""
        self._require_disk()
        attributes: Any = None if kind is None else {"Content-Type": kind}
        self._do(lambda: obstore.put_async(self._store, path, file, attributes=attributes))

    def sign(self, path: str, *, seconds: float) -> str:
        """A link by which anybody can read the object for so long, at most a week. A folder gives none."""
        return self._do(lambda: obstore.sign_async(self._store, "GET", path, timedelta(seconds=seconds)))

    def keeps_versions(self, path: str) -> bool:
        """Whether the service keeps what was replaced or deleted, by what it says of an object. Google's does not say:
        there every object has a generation."""
        if self._place.kind == "gs":
            return False
        try:
            meta = self._do(lambda: obstore.head_async(self._store, path), expected=(FileNotFoundError,))
        except FileNotFoundError:
            return False
        return meta["version"] not in (None, "null")

    def create(self, path: str, data: bytes) -> str | None:
        """Conditional put: the new object's mark, or None if there was one already."""
        try:
            return self._put(path, data, "create", expected=_EXISTS + _NOT_SUPPORTED)
        except _EXISTS:
            self._require_object(path)
            return None
        except _NOT_SUPPORTED:  # an old S3 server; objects of one name have the same bytes
            return self.replace(path, data)

    def replace(self, path: str, data: bytes) -> str | None:
        """Unconditional put; returns the mark."""
        return self._put(path, data, "overwrite")

    def delete(self, path: str) -> None:
        try:
            self._do(lambda: obstore.delete_async(self._store, path), expected=(FileNotFoundError,))
        except FileNotFoundError:
            return

    def close(self) -> None:
        self._loop.close()

    def __enter__(self) -> Bucket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, path: str, data: bytes, mode: Any, *, expected: _Errors = ()) -> str | None:
        self._require_disk()
        try:
            result = self._do(
                lambda: obstore.put_async(self._store, path, data, mode=mode, use_multipart=False),
                expected=(FileNotFoundError, *expected),
            )
        except FileNotFoundError:
            raise TransportError(f"{self._place.url}: there is no such bucket") from None
        return _bare(result["e_tag"])

    def _require_object(self, path: str) -> None:
        """A bucket that answers "exists" to every put must not pass for a full one."""
        try:
            self._do(lambda: obstore.head_async(self._store, path), expected=(FileNotFoundError,))
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
        timeout = timedelta(seconds=self._place.timeout_s)
        retries = 3 if self._place.retry_s else 0
        retry: Any = {"max_retries": retries, "retry_timeout": timedelta(seconds=self._place.retry_s)}
        client: Any = {"timeout": timeout, "connect_timeout": min(timeout, timedelta(seconds=10)), "allow_http": plain}
        return self._translated(
            lambda: from_url(self._place.url, config=config, client_options=client, retry_config=retry)
        )

    def _require_disk(self) -> None:
        """Nothing may be written to the mount point of an unplugged disk."""
        if self._marked:
            try:
                self._do(lambda: obstore.head_async(self._store, MARKER), expected=(FileNotFoundError,))
            except FileNotFoundError:
                raise vanished(self._place.folder) from None

    def _do(self, start: Callable[[], Awaitable[T]], *, expected: _Errors = ()) -> T:
        """Run one request; errors of `expected` are passed on as they are."""
        return self._translated(lambda: self._loop.run_until_complete(self._wait(start)), expected=expected)

    async def _wait(self, start: Callable[[], Awaitable[T]]) -> T:
        """Wait, polling `abandon`. The time-out is for folders: obstore limits only network requests."""
        task = asyncio.ensure_future(start())
        deadline = self._loop.time() + (self._place.timeout_s if self._is_folder else math.inf)
        while True:
            stopping, left_s = self._abandon(), deadline - self._loop.time()
            if stopping or left_s <= 0:
                task.cancel()
                await asyncio.wait({task})
                reason = "given up, because the daemon stops" if stopping else "the disk does not answer"
                raise TransportError(f"{self._place.url}: {reason}")
            await asyncio.wait({task}, timeout=min(_TICK_S, left_s))
            if task.done():
                return task.result()

    def _translated(self, work: Callable[[], T], *, expected: _Errors = ()) -> T:
        """Errors of `work` as TransportError, `from None`: obstore's own quote requests with secrets."""
        passed: _Errors = (TransportError, *expected)
        try:
            return work()
        except passed:
            raise
        except Exception as error:  # noqa: BLE001 - a server can make obstore raise anything, panics (RustPanic) too
            raise TransportError(f"{self._place.url}: {self._secrets.explain(str(error))}") from None


def _mark(meta: Any) -> str:
    return _bare(meta["e_tag"]) or f"{meta['size']} {meta['last_modified'].isoformat()}"


def _bare(e_tag: str | None) -> str | None:
    """An ETag without quotes: Azure sends them for one object, but not in a listing."""
    return e_tag and e_tag.strip('"')
