"""Every error that callers are expected to catch by name.

    EdgeTTSError                  a person can mend it; the message says what and how
    ├── ConfigError               config.yaml: unknown key, wrong type, impossible value
    ├── RequestError              one request cannot be served
    │   ├── PayloadError          malformed MQTT payload
    │   ├── TextError             empty, too long, malformed SSML, no such language
    │   ├── UnknownVoiceError     no voice of that name
    │   ├── UnknownRequestError   no request of that id, or none of this caller's
    │   ├── QueueFullError        no place in the queue
    │   ├── AccessError           this caller may not do this
    │   │   ├── QuotaError        this caller has had its share for now
    │   │   └── QuietHoursError   the device does not speak at this hour
    │   ├── ContentError          a rule or a command of the owner's refuses the text
    │   ├── AbandonedError        the process died repeatedly with this request in service
    │   └── InternalError         an unexpected exception ended this request
    ├── ModelError                model set, graph or engine: missing, damaged, of the wrong kind
    │   ├── CheckpointError       upstream checkpoint: corrupt, hostile, of an unsupported family
    │   └── EngineError           a loaded network failed to run
    ├── VoiceError                a stored voice is damaged or does not fit the model set
    ├── FleetError                a release or an overlay: not signed, replayed, expired, or it does not fit
    ├── AudioError                an audio device or file cannot be used
    └── TransportError            broker or bucket cannot be reached, or refused us
    DeviceLostError               an engine or its memory is in doubt: only a new process helps

An EdgeTTSError ends one job, and so does any other exception while one request is read or served (`named`).
DeviceLostError, and whatever a part's own loop raises, ends the process, and systemd restarts it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any
from unicodedata import category

log = logging.getLogger(__name__)

MOST_CHARS = 1000


def one_line(text: str, *, most: int = MOST_CHARS) -> str:
    """An untrusted text as one line of bounded length; control and direction characters are escaped as in JSON."""
    text = re.sub(r"[\t\n\v\f\r]+ *", " ", text[: 4 * most])
    text = "".join(mark if mark.isprintable() or category(mark) == "Zs" else json.dumps(mark)[1:-1] for mark in text)
    return text if len(text) <= most else text[: most - 1] + "…"


class EdgeTTSError(Exception):
    """Its message may quote untrusted text."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))

    @property
    def details(self) -> Mapping[str, Any]:
        """What a report says besides name and message."""
        return {}


class ConfigError(EdgeTTSError):
    """The message names the key."""


class RequestError(EdgeTTSError): ...


class PayloadError(RequestError):
    """The message names the offending key."""


class TextError(RequestError): ...


class UnknownVoiceError(RequestError): ...


class UnknownRequestError(RequestError): ...


class QueueFullError(RequestError): ...


class AccessError(RequestError):
    """`rule` is the key of the configuration that refuses, or `voices share`; `retry_after_s` when it will no longer,
    None: not before somebody changes it."""

    def __init__(self, message: str = "", *, rule: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.rule, self.retry_after_s = rule, retry_after_s

    @property
    def details(self) -> Mapping[str, Any]:
        later = {} if self.retry_after_s is None else {"retry_after_s": self.retry_after_s}
        return {"rule": self.rule, **later}


class QuotaError(AccessError): ...


class QuietHoursError(AccessError): ...


class ContentError(RequestError):
    """`rule`: the name of the rule, or `content.command`."""

    def __init__(self, message: str = "", *, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule

    @property
    def details(self) -> Mapping[str, Any]:
        return {"rule": self.rule}


class AbandonedError(RequestError): ...


class InternalError(RequestError):
    """The log has the traceback."""


class ModelError(EdgeTTSError): ...


class CheckpointError(ModelError): ...


class EngineError(ModelError): ...


class VoiceError(EdgeTTSError): ...


class FleetError(EdgeTTSError): ...


class AudioError(EdgeTTSError):
    """`stuck`: a call into the device's driver does not return."""

    def __init__(self, message: str = "", *, stuck: bool = False) -> None:
        super().__init__(message)
        self.stuck = stuck


class TransportError(EdgeTTSError): ...


class DeviceLostError(RuntimeError):
    """No `EdgeTTSError`, for it must end the process."""


def named(error: Exception, request_id: str) -> EdgeTTSError:
    """What ended one request, as an EdgeTTSError: any other becomes InternalError, and its traceback is logged here.
    Raises a DeviceLostError again.
    """
    if isinstance(error, EdgeTTSError):
        return error
    if isinstance(error, DeviceLostError):
        raise error
    what = "request %s met a defect of this program; please report it"
    log.error(what, request_id, exc_info=error, extra={"quotes": True})
    return InternalError(f"a defect of this program ended the request, see its log ({type(error).__name__}: {error})")


def install_hint(extra: str) -> str:
    """How to get an optional dependency: from the checkout, since on PyPI the name edge-ttsd may be anybody's."""
    return f"in the checkout: pip install '.[{extra}]' (a service: sudo tools/install --extra {extra})"
