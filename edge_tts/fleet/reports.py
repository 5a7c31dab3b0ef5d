"""What devices tell of releases: a report each, and outcomes that can be counted with one request.

Nobody signs them. Whoever can write to the bucket can stop a release with false ones, but never start one.
"""

from __future__ import annotations

from typing import Literal

from edge_tts.buckets.bucket import Bucket
from edge_tts.config import Name
from edge_tts.errors import FleetError
from edge_tts.fleet.layout import OUTCOMES, REPORTS, outcome_path, report_path
from edge_tts.schema import ConfigDict, Field, Record, check_json

ReleaseStage = Literal[
    "none",
    "outside",
    "waiting",
    "offered",
    "downloading",
    "trying",
    "activating",
    "installed",
    "failed",
    "stopped",
    "expired",
]
"""none: nothing was released. outside: for other devices. waiting: for its time, the clock, room or the
bucket, see `why`. offered: for a person. failed: this device does not take it."""
Outcome = Literal["ok", "failed"]
_MOST_BYTES = 1 << 16


class _Told(Record):
    """Read from devices of other versions, too."""

    model_config = ConfigDict(extra="ignore")


class ReleaseStatus(_Told):
    """The retained topic `release`, and a part of the report."""

    stage: ReleaseStage = "none"
    set: str | None = Field(default=None, max_length=100)
    """The model set's folder."""
    version: str | None = Field(default=None, max_length=100)
    number: int = 0
    why: str = Field(default="", max_length=1000)
    percent: int | None = None
    """Of the download."""
    ok: int = 0
    """Devices that have installed it, as the bucket counts them."""
    failed: int = 0
    current: str | None = Field(default=None, max_length=200)
    """The set that speaks."""


class DeviceReport(_Told):
    """fleet/DEVICE.json"""

    device: Name
    at: float
    """Seconds since 1970, by the device's clock."""
    release: ReleaseStatus
    mos: float | None = None
    """DNSMOS of the release, when it was tried here."""
    guard: int | None = None
    p95_s: float | None = None
    """Until the first sound: of the last day's requests, else when it was tried."""
    overlay: int = 0
    """Document of the configuration that the device runs."""
    overlay_why: str = Field(default="", max_length=1000)
    """Why it does not run a later one."""
    version: str = Field(default="", max_length=50)
    """Of the program."""


def send_report(bucket: Bucket, report: DeviceReport) -> None:
    """Raises TransportError."""
    bucket.replace(report_path(report.device), report.model_dump_json().encode())


def read_reports(bucket: Bucket) -> tuple[list[DeviceReport], list[str]]:
    """Those that can be read, by name, and the paths of those that cannot. Raises TransportError."""
    reports, unreadable = list[DeviceReport](), list[str]()
    for path in sorted(bucket.list(REPORTS)):
        blob = bucket.get(path, most=_MOST_BYTES)
        try:
            report = check_json(DeviceReport, blob.data if blob else b"", error=FleetError, what=path)
            if report_path(report.device) != path:
                raise FleetError(f"{path}: names another device")
        except FleetError:
            unreadable.append(path)
        else:
            reports.append(report)
    return reports, unreadable


def tell_outcome(bucket: Bucket, number: int, outcome: Outcome, device: str) -> None:
    """Raises TransportError."""
    bucket.replace(outcome_path(number, outcome, device), b"\n")
    bucket.delete(outcome_path(number, "failed" if outcome == "ok" else "ok", device))


def count_outcomes(bucket: Bucket, number: int) -> tuple[int, int]:
    """Devices that installed a release, and those where it failed. Raises TransportError."""
    paths = [path.removeprefix(f"{OUTCOMES}{number}/") for path in bucket.list(f"{OUTCOMES}{number}/")]
    failed = {path.removeprefix("failed/") for path in paths if path.startswith("failed/")}
    ok = {path.removeprefix("ok/") for path in paths if path.startswith("ok/")}
    return len(ok - failed), len(failed)
