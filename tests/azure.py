"""Azurite, Microsoft's emulator of Azure Blob Storage, for tests: where somebody has installed it (npm, not PyPI)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, the same everywhere; no secret."""

MISSING = "AZURITE IS NOT INSTALLED (npm install -g azurite): what Azure answers was not tested"
_VERSION = "2021-08-06"


class Azure:
    """An Azure storage account on this machine. Containers are made and dropped by name."""

    def __init__(self, port: int) -> None:
        self.port = port

    def make_container(self, name: str) -> None:
        """An empty container."""
        self._call("PUT", name)

    def drop_container(self, name: str) -> None:
        """Take it away with all that is in it."""
        self._call("DELETE", name)

    def _call(self, method: str, container: str) -> None:
        fields = [ACCOUNT, "cd", "b", "c", "", "2099-01-01", "", "", _VERSION, "", ""]
        query = {"sv": _VERSION, "ss": "b", "srt": "c", "sp": "cd", "se": "2099-01-01", "sig": _signed(fields)}
        url = f"http://127.0.0.1:{self.port}/{ACCOUNT}/{container}?restype=container&{urlencode(query)}"
        with urllib.request.urlopen(urllib.request.Request(url, method=method, data=b"")) as answer:
            answer.read()


def sas_token(container: str, *, rights: str = "rwdl", until: str = "2099-01-01") -> str:
    """A SAS token for that container alone, as the portal makes them."""
    resource = f"/blob/{ACCOUNT}/{container}"
    fields = [rights, "", until, resource, "", "", "", _VERSION, "c", *[""] * 7]
    return urlencode({"sv": _VERSION, "sr": "c", "sp": rights, "se": until, "sig": _signed(fields)})


@contextmanager
def azure_server(folder: Path) -> Iterator[Azure | None]:
    """The emulator, running in `folder`, its data in memory; None where it is not installed."""
    azurite = shutil.which("azurite-blob")
    if azurite is None:
        yield None
        return
    options = ["--inMemoryPersistence", "--blobPort", "0", "--disableTelemetry", "--silent"]
    with subprocess.Popen([azurite, *options], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = next(line for line in process.stdout if "listens on" in line)
            yield Azure(int(told.rpartition(":")[2]))
        finally:
            process.terminate()


def _signed(fields: list[str]) -> str:
    return base64.b64encode(
        hmac.new(base64.b64decode(KEY), "\n".join(fields).encode(), hashlib.sha256).digest()
    ).decode()
