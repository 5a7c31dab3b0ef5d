"""The one name of it that Home Assistant's core uses."""

from __future__ import annotations

from contextvars import ContextVar

is_cloud_request: ContextVar[bool] = ContextVar("is_cloud_request", default=False)
