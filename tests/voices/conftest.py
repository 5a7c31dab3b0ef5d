"""Fixtures: a server for each kind of bucket, a flaky proxy to S3, and fresh buckets."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from azure import ACCOUNT, MISSING, Azure, azure_server, sas_token
from azure import KEY as AZURE_KEY
from clouds import SERVICES, Cloud
from flaky_proxy import FlakyProxy
from gcs import ServiceAccount, google_proxy
from s3 import KEY, S3, SECRET, s3_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """One S3 server for all tests; each test has its own bucket."""
    with s3_server() as server:
        yield server


@pytest.fixture
def proxy(s3: S3) -> Iterator[FlakyProxy]:
    """A proxy in front of it, transparent until a fault is set."""
    with FlakyProxy(upstream_port=s3.port) as flaky:
        yield flaky


@pytest.fixture
def bucket_name(s3: S3) -> str:
    """An empty bucket."""
    name = f"voices-{next(_numbers)}"
    s3.make_bucket(name)
    return name


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """One Azure emulator for all tests; without it they are skipped."""
    with azure_server(tmp_path_factory.mktemp("azurite")) as server:
        if server is None:
            pytest.skip(MISSING)
        yield server


@pytest.fixture(scope="session")
def google() -> ServiceAccount:
    """A service-account key for the Google emulator."""
    return ServiceAccount()


@pytest.fixture
def make_cloud(request: pytest.FixtureRequest, s3: S3, bucket_name: str) -> Iterator[Callable[[str], Cloud]]:
    """Makes an empty bucket of a kind of service from a configuration."""
    with ExitStack() as stack:

        def make(kind: str) -> Cloud:
            url = f"{kind[:2]}://{bucket_name}/home"
            if kind.startswith("az"):
                azure: Azure = request.getfixturevalue("azure")
                azure.make_container(bucket_name)
                login = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY}
                if kind == "az with a SAS":
                    login = {"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_SAS_TOKEN": sas_token(bucket_name)}
                proxy = stack.enter_context(FlakyProxy(upstream_port=azure.port))
                return Cloud(url, f"{proxy.url}/{ACCOUNT}", login, proxy, lambda: azure.drop_container(bucket_name))
            if kind == "gs":
                account: ServiceAccount = request.getfixturevalue("google")
                login = {"GOOGLE_SERVICE_ACCOUNT_KEY": account.file()}
                proxy = stack.enter_context(google_proxy(account, s3_port=s3.port))
            else:
                login = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
                proxy = stack.enter_context(FlakyProxy(upstream_port=s3.port))
            return Cloud(url, proxy.url, login, proxy, lambda: s3.drop_bucket(bucket_name))

        yield make


@pytest.fixture(params=SERVICES)
def cloud(request: pytest.FixtureRequest, make_cloud: Callable[[str], Cloud]) -> Cloud:
    """An empty bucket of each kind of service."""
    return make_cloud(request.param)
