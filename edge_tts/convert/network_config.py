"""The numbers of a checkpoint's config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_tts.convert.contents import shown
from edge_tts.errors import CheckpointError

_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Keys and values; `label` begins every message. Each method raises CheckpointError for what it does not return."""

    label: str
    values: Mapping[str, Any]

    def section(self, key: str) -> NetworkConfig:
        value = self.values.get(key)
        if not isinstance(value, Mapping):
            raise CheckpointError(f"{self.label} has no section '{key}'")
        return NetworkConfig(f"{self.label}.{key}", value)

    def whole(self, key: str) -> int:
        """From 1 on."""
        return self._whole(key, self.values.get(key))

    def wholes(self, key: str) -> tuple[int, ...]:
        """A list of them, not empty."""
        return self._list(key, self.values.get(key))

    def lists(self, key: str) -> tuple[tuple[int, ...], ...]:
        """A list of such lists, not empty."""
        values = self.values.get(key)
        if not isinstance(values, list) or not values:
            raise self._unusable(key)
        return tuple(self._list(key, value) for value in values)

    def share(self, key: str, default: float) -> float:
        """Between 0 and 1."""
        value = self.values.get(key, default)
        if not isinstance(value, float) or not 0 < value < 1:
            raise self._unusable(key)
        return value

    def _list(self, key: str, values: Any) -> tuple[int, ...]:
        if not isinstance(values, list) or not values:
            raise self._unusable(key)
        return tuple(self._whole(key, value) for value in values)

    def _whole(self, key: str, value: Any) -> int:
        if type(value) is not int or not 1 <= value <= _LARGEST:
            raise self._unusable(key)
        return value

    def _unusable(self, key: str) -> CheckpointError:
        return CheckpointError(f"{self.label}.{key} is {shown(self.values.get(key))}, no usable value")
