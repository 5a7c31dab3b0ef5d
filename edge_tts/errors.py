"""Every error that callers are expected to catch by name.

    EdgeTTSError                  something is wrong that a person can mend; the message says what and how
    ├── ConfigError               config.yaml: unknown key, wrong type, impossible value
    ├── RequestError              one request cannot be served; the daemon speaks on
    │   ├── PayloadError          the MQTT payload is not what the API takes
    │   ├── TextError             the text cannot be spoken (empty, too long, malformed SSML, no such language)
    │   ├── UnknownVoiceError     no voice of that name
    │   ├── QueueFullError        the line is full and this request may not push in
    │   ├── AbandonedError        the process died again and again while this request was in service
    │   └── InternalError         something that nobody foresaw ended this request, and no other
    ├── ModelError                a model set, graph or engine is missing, damaged or of the wrong kind
    │   ├── CheckpointError       an upstream checkpoint is corrupt, hostile or of an unsupported family
    │   └── EngineError           a loaded network refused to run
    ├── VoiceError                a stored voice is damaged or does not fit the model set
    ├── AudioError                a device or an audio file cannot be used
    └── TransportError            the broker or the bucket cannot be reached or refused us
    DeviceLostError               an engine or its memory is in doubt: only a new process helps

A named error ends one job. So does any other exception while one request is read or served: `named` turns it into
InternalError. A DeviceLostError, and whatever else a part's own loop raises, ends the process loudly, and systemd
starts it again.
"""

from __future__ import annotations

import json
import logging
import re
from unicodedata import category

log = logging.getLogger(__name__)

MOST_CHARS = 1000


def one_line(text: str, *, most: int = MOST_CHARS) -> str:
    """A text that may quote a stranger, fit for a log, a terminal and MQTT: one line of bounded length.

    What would move a cursor or turn the text around is spelled out as in JSON.
    """
    text = re.sub(r"[\t\n\v\f\r]+ *", " ", text[: 4 * most])
    text = "".join(mark if mark.isprintable() or category(mark) == "Zs" else json.dumps(mark)[1:-1] for mark in text)
    return text if len(text) <= most else text[: most - 1] + "…"


class EdgeTTSError(Exception):
    """Base of all expected errors. The message may quote what came from outside: it is made fit to be shown."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class ConfigError(EdgeTTSError):
    """The configuration is wrong; the message names the key."""


class RequestError(EdgeTTSError):
    """One request cannot be served."""


class PayloadError(RequestError):
    """A message's payload is malformed; the message names the offending key."""


class TextError(RequestError):
    """A text cannot be spoken."""


class UnknownVoiceError(RequestError):
    """The request names a voice that does not exist."""


class QueueFullError(RequestError):
    """The job queue is full."""


class AbandonedError(RequestError):
    """The request may be what the process died of."""


class InternalError(RequestError):
    """A defect of ours ended this request; the log has the traceback."""


class ModelError(EdgeTTSError):
    """A model file is missing, damaged or of the wrong kind."""


class CheckpointError(ModelError):
    """An upstream checkpoint cannot be converted."""


class EngineError(ModelError):
    """A loaded network failed to run."""


class VoiceError(EdgeTTSError):
    """A stored voice cannot be used."""


class AudioError(EdgeTTSError):
    """An audio device or file cannot be used."""


class TransportError(EdgeTTSError):
    """A network peer (broker, bucket) cannot be used."""


class DeviceLostError(RuntimeError):
    """An engine or its memory cannot be trusted any more; no `EdgeTTSError`, for it must end the process."""


def named(error: Exception, request_id: str) -> EdgeTTSError:
    """What ended one request, as an error with a name. One that has none is a defect: it becomes InternalError, and its
    traceback is logged here, once. Raises DeviceLostError again, which no single request may keep to itself.
    """
    if isinstance(error, EdgeTTSError):
        return error
    if isinstance(error, DeviceLostError):
        raise error
    log.error("request %s met a defect of this program; please report it", request_id, exc_info=error)
    return InternalError(f"a defect of this program ended the request, see its log ({type(error).__name__}: {error})")
