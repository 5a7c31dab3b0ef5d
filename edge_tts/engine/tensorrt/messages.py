"""TensorRT's messages: calls return only success or not, so the reason of a refusal is what was logged meanwhile."""

from __future__ import annotations

import logging
import re
from typing import Any

log = logging.getLogger(__name__)

EXPECTED = {
    r"Make sure input \S+ has Int64 binding": "int64 inputs are bound as int64",
}
"""Warnings that need nothing done (a pattern), and why."""

# 34: the driver is a stub; 35: there is none, or an old one; 100: there is no device.
_NO_GPU = re.compile(
    r"driver version is insufficient|no CUDA-capable device|driver is a stub library|no CUDA (driver|runtime) detected"
    r"|failed to query CUDA driver|(cuda ?(error|failure)|failure with error)\W{0,3}(34|35|100)\b",
    re.IGNORECASE,
)
_BROKEN_PROMISE = re.compile(r"\bk(MIN|OPT|MAX) values\b")
_KEPT = 10


def expected(message: str) -> str:
    """Why a warning needs nothing done; empty for one that nobody has explained."""
    return next((why for pattern, why in EXPECTED.items() if re.search(pattern, message)), "")


def make_logger(trt: Any, label: str) -> Any:
    """A `trt.ILogger` that keeps what a refusal is explained with: `reason()`, and `promises` that a profile breaks.

    What says only that there is no GPU is no error by itself: a builder works without one and mentions it after
    everything else that it reports.
    """

    class Logger(trt.ILogger):  # type: ignore[misc]  # the base comes from a module without types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.no_gpu = ""
            self.promises: list[str] = []
            """Shapes that the profile admits and the network does not."""

        def log(self, severity: Any, msg: str) -> None:
            severities = trt.ILogger.Severity
            loud = severity in (severities.ERROR, severities.INTERNAL_ERROR)
            if (loud or severity == severities.WARNING) and _BROKEN_PROMISE.search(msg):
                self.promises.append(msg)
            if (loud or severity == severities.WARNING) and _NO_GPU.search(msg):
                self.no_gpu = msg
                log.info("%s: %s", label, msg)
            elif loud:
                self.errors = [*self.errors[1 - _KEPT :], msg]
                log.error("%s: %s", label, msg)
            elif severity == severities.WARNING and not expected(msg):
                log.warning("%s: %s", label, msg)
            else:
                log.debug("%s: %s", label, msg)

        def reason(self) -> str:
            """The latest errors, or that there is no GPU."""
            return "; ".join(self.errors[-3:]) or self.no_gpu or "no reason given"

    return Logger()
