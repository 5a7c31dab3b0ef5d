"""Results in the bucket: a mirror of those on the disk, behind links of the bucket that expire with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge_tts.audio.sound_stream import KINDS
from edge_tts.buckets.bucket import Bucket
from edge_tts.errors import TransportError
from edge_tts.runtime.part import OptionalPart
from edge_tts.runtime.part_status import reason
from edge_tts.runtime.runtime import Runtime

FOLDER = "results"
"""In the bucket, with a folder for each device."""
OpenBucket = Callable[[Callable[[], bool]], Bucket]
"""Opens the bucket; the argument is polled during requests, True gives them up. Raises TransportError."""
WAIT_S = 10.0
"""How long a caller's report waits for the upload."""
RETRY_S = 30.0
_TICK_S = 2.0
"""Between two looks at the disk."""
_RELIST_S = 3600.0
"""Between two looks at the whole bucket."""
_NOT_YET = "not in the bucket yet"


@dataclass(frozen=True, slots=True)
class Result:
    """One kept sound."""

    path: Path
    voice: str
    """Hash of its id."""
    way: str
    """As `deliver`."""
    form: str
    """As `format`."""
    size: int
    """Bytes."""
    expires_at: float
    """Seconds since 1970."""

    @property
    def name(self) -> str:
        """In a link."""
        return f"{self.path.name[:32]}.{self.form}"


@dataclass(frozen=True, slots=True)
class _Waiting:
    path: str
    until: float
    tell: Callable[[], None]


class BucketResults(OptionalPart):
    """Uploads what `listed` has, and removes what it has no longer: so the bucket needs no accounts of its own, and
    holds what the disk may hold. One thread owns the bucket; the other methods are for any thread."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        device: str,
        open_bucket: OpenBucket,
        listed: Callable[[], Iterable[Result]],
        retry_s: float = RETRY_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        advice = "results.place is bucket; meanwhile callers get links of this device"
        super().__init__(name="results-bucket", runtime=runtime, advice=advice, retry_s=retry_s)
        self._folder, self._open_bucket, self._listed, self._wall = f"{FOLDER}/{device}", open_bucket, listed, wall
        self._wake = threading.Event()
        self._lock = threading.Lock()
        """Held for what waits."""
        self._waiting: list[_Waiting] = []
        self._links: dict[str, str] = {}
        self.why = _NOT_YET
        """Why a result has no link of the bucket."""

    def link(self, result: Result) -> str | None:
        """None until it is in the bucket."""
        return self._links.get(self._path(result))

    def when_there(self, result: Result, tell: Callable[[], None]) -> None:
        """Call `tell` once the result has its link, or when that takes longer than WAIT_S or cannot be had now."""
        until = self.runtime.clock() + WAIT_S if self.status.is_ok else 0.0
        with self._lock:
            self._waiting.append(_Waiting(self._path(result), until, tell))
        self._wake.set()
        if not self.status.is_ok or self.stopping.is_set():
            self._tell(all_of_them=True)

    def wake(self) -> None:
        self._wake.set()

    def work(self) -> None:
        self.ready()
        try:
            with self._open_bucket(self._is_abandoned) as bucket:
                there = set(bucket.list(self._folder))
                until = self.runtime.clock() + _RELIST_S
                while not self.stopping.is_set() and self.runtime.clock() < until:
                    self._wake.clear()
                    self._mirror(bucket, there)
                    self.why = _NOT_YET
                    self.status.ok()
                    self._tell()
                    self._wake.wait(_TICK_S)
        except Exception as error:
            self.why = f"not in the bucket: {reason(error)}"
            raise
        finally:
            self._tell(all_of_them=True)

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._tell(all_of_them=True)

    def _mirror(self, bucket: Bucket, there: set[str]) -> None:
        wanted = {self._path(result): result for result in self._listed()}
        for path in there - wanted.keys():
            self._links.pop(path, None)
            bucket.delete(path)
            there.discard(path)
        for path, result in wanted.items():
            left_s = result.expires_at - self._wall()
            if path not in self._links and left_s >= 1 and (path in there or self._upload(bucket, path, result)):
                there.add(path)
                self._links[path] = bucket.sign(path, seconds=left_s)
                self._tell()

    def _upload(self, bucket: Bucket, path: str, result: Result) -> bool:
        """False where it is gone from the disk meanwhile."""
        try:
            bucket.upload(path, result.path, kind=KINDS[result.form])
        except TransportError:
            if result.path.exists():
                raise
            return False
        return True

    def _is_abandoned(self) -> bool:
        self._tell()
        return self.stopping.is_set()

    def _tell(self, *, all_of_them: bool = False) -> None:
        now = self.runtime.clock()
        with self._lock:
            due = [one for one in self._waiting if all_of_them or one.path in self._links or one.until <= now]
            self._waiting = [one for one in self._waiting if one not in due]
        for one in due:
            one.tell()

    def _path(self, result: Result) -> str:
        return f"{self._folder}/{result.path.name}"
