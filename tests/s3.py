"""A real S3 server (moto's) for tests, with a flaky proxy in front of it."""

from __future__ import annotations

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakes import WAIT_S
from flaky_proxy import FlakyProxy

from edge_tts.buckets.bucket import Bucket, Place
from edge_tts.buckets.credentials import Secrets

KEY, SECRET = "AKIDEXAMPLEEXAMPLE", "wJalrXUtnFEMIexamplesecretkey"


_PLAIN = {"Content-Type": "application/octet-stream"}


class S3:
    """An S3 server in this process. Buckets are made by name."""

    def __init__(self, port: int) -> None:
        self.port = port

    def make_bucket(self, name: str) -> None:
        """An empty bucket."""
        self._call("PUT", f"/{name}")

    def drop_bucket(self, name: str) -> None:
        """Take an empty bucket away."""
        self._call("DELETE", f"/{name}")

    def require_login(self, required: bool) -> None:
        """Whether credentials are looked at; there are no right ones."""
        self._call("POST", "/moto-api/reset-auth", b"0" if required else b"inf")

    def forget_everything(self) -> None:
        """Drop all buckets: their objects complain when the interpreter has to do it at its very end."""
        self._call("POST", "/moto-api/reset")

    def _call(self, method: str, path: str, data: bytes = b"") -> None:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, method=method, data=data, headers=_PLAIN)
        with urllib.request.urlopen(request) as answer:
            answer.read()


@contextmanager
def s3_server() -> Iterator[S3]:
    """The server, running."""
    from moto.server import ThreadedMotoServer  # takes a second to import: only where it is used

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    running = S3(int(server.get_host_and_port()[1]))
    try:
        yield running
    finally:
        running.forget_everything()
        server.stop()


def s3_place(proxy: FlakyProxy, bucket: str, *, timeout_s: float = WAIT_S, retry_s: float = 0.0) -> Place:
    """That bucket through the proxy, without the library's own retries unless asked for."""
    return Place(f"s3://{bucket}/home", endpoint=proxy.url, timeout_s=timeout_s, retry_s=retry_s)


def s3_bucket(proxy: FlakyProxy, bucket: str, *, retry_s: float = 0.0) -> Bucket:
    """That bucket, opened."""
    secrets = Secrets({"access_key_id": KEY, "secret_access_key": SECRET})
    return Bucket(place=s3_place(proxy, bucket, retry_s=retry_s), secrets=secrets)


def folder_bucket(folder: Path) -> Bucket:
    """A local folder as a bucket."""
    return Bucket(place=Place(str(folder)), secrets=Secrets({}))
