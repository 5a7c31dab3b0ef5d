"""Shared fixtures: a real mosquitto on a free port, and a check that no test leaves a thread behind."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from broker import Broker
from fakes import WAIT_S
from hypothesis import settings
from recordings.quality_networks import QUALITY

import edge_tts.engine.onnxruntime  # noqa: F401 - before any test imports onnxruntime by itself: it switches its telemetry off
from edge_tts.recordings.quality import QualityGate, load_quality_gate

settings.register_profile("patient", deadline=None)  # disks and busy machines take their time
settings.load_profile("patient")

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""mallopt(3)."""
with suppress(OSError, AttributeError):  # elsewhere than on glibc
    for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        ctypes.CDLL(None).mallopt(parameter, 1 << 28)  # every page given back is one to clear when networks run again


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with `pytestmark = pytest.mark.long` go first: so no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no garbage collection looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_leftover_threads() -> Iterator[None]:
    """Every thread that a test starts has ended with it: a leftover thread is a bug."""
    before = set(threading.enumerate())
    yield
    leftover = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    for thread in leftover:
        thread.join(WAIT_S)  # an executor's thread may be on its way out
    assert not [thread.name for thread in leftover if thread.is_alive()]


@pytest.fixture(scope="session")
def gate() -> Iterator[QualityGate]:
    """The quality gate with the shipped networks, DNSMOS among them: loaded once."""
    with ExitStack() as stack:
        yield load_quality_gate(QUALITY, stack)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One mosquitto for all tests that do not stop it; each uses a device name of its own."""
    with Broker(tmp_path_factory.mktemp("mosquitto")) as running:
        yield running


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A mosquitto that the test may stop and start, with its sessions kept on disk."""
    with Broker(tmp_path) as running:
        yield running
