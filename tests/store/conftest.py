"""Fixtures of the store's tests: an S3 server, a flaky way to it, a fresh bucket in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from flaky_proxy import FlakyProxy
from s3 import S3, s3_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """One server for all tests; each has a bucket of its own."""
    with s3_server() as server:
        yield server


@pytest.fixture
def proxy(s3: S3) -> Iterator[FlakyProxy]:
    """A proxy in front of it that passes everything until told otherwise."""
    with FlakyProxy(upstream_port=s3.port) as flaky:
        yield flaky


@pytest.fixture
def bucket_name(s3: S3) -> str:
    """An empty bucket."""
    name = f"voices-{next(_numbers)}"
    s3.make_bucket(name)
    return name
