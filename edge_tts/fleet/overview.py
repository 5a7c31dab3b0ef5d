"""What `release status` prints: the release, a row for each device, and a chart of who speaks what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from edge_tts.errors import one_line
from edge_tts.fleet.release import Release, is_stopped
from edge_tts.fleet.reports import DeviceReport

SILENT_S = 3 * 86400.0
"""A device that has told nothing for so long is marked: reports are sent daily."""
_BAR = 40
_MOST_WHY = 100


def as_table(reports: Sequence[DeviceReport], *, now: float) -> str:
    """One row per device, in columns."""
    rows = [("device", "speaks", "release", "P95 s", "MOS", "told", "why")]
    for report in reports:
        status = report.release
        rows.append(
            (
                report.device,
                status.current or "-",
                status.stage,
                "-" if report.p95_s is None else f"{report.p95_s:.2f}",
                "-" if report.mos is None else f"{report.mos:.2f}",
                _age(now - report.at),
                one_line(status.why or report.overlay_why, most=_MOST_WHY),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_chart(reports: Sequence[DeviceReport]) -> str:
    """A bar per model set, as long as its share of the devices."""
    counts = Counter(report.release.current or "unknown" for report in reports)
    width = max(map(len, counts), default=0)
    return "\n".join(
        f"{name.ljust(width)}  {'█' * max(1, round(_BAR * count / len(reports)))} {count}"
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def as_verdict(release: Release, *, ok: int, failed: int) -> str:
    """What the outcomes mean for it."""
    stopped = is_stopped(release.terms, ok=ok, failed=failed)
    return f"installed on {ok}, failed on {failed}" + (": stopped, nobody begins any more" if stopped else "")


def _age(seconds: float) -> str:
    days = f"{max(0.0, seconds) / 86400:.1f} d ago"
    return f"{days} (!)" if seconds > SILENT_S else days
