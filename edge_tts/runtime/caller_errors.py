"""Reports on requests that their callers got wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_tts.errors import (
    AccessError,
    ContentError,
    InternalError,
    PayloadError,
    QuietHoursError,
    QuotaError,
    TextError,
    UnknownRequestError,
    UnknownVoiceError,
)

_MISTAKES = (
    AccessError,
    ContentError,
    PayloadError,
    QuietHoursError,
    QuotaError,
    TextError,
    UnknownRequestError,
    UnknownVoiceError,
)
_CALLERS = frozenset({"Refused", *(kind.__name__ for kind in _MISTAKES)})
"""`Refused`: a recording that is not good enough."""
_QUOTING = frozenset(kind.__name__ for kind in (ContentError, PayloadError, TextError, InternalError))
"""Their messages may quote the text."""


def is_callers(details: Mapping[str, Any]) -> bool:
    """Whether the `details` of a `failed` name an error of the caller's."""
    return details.get("error") in _CALLERS


def without_texts(details: Mapping[str, Any]) -> dict[str, Any]:
    """`details` of a report without a message that may quote the text of the request."""
    hidden = {"message"} if details.get("error") in _QUOTING else set()
    return {name: value for name, value in details.items() if name not in hidden and name != "warnings"}
