"""The real Triton server out of NVIDIA's PyTriton wheel, and a client that hears what it streams."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from fakes import until

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 120.0


@contextmanager
def serving(repository: Path, folder: Path) -> Iterator[dict[str, int]]:
    """Run tritonserver on a repository; yields its ports. The server lies in `folder`, beside its log."""
    import pytriton  # type: ignore[import-not-found, unused-ignore]

    wheel, home = Path(pytriton.__file__).parent, folder / "server"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(wheel / "tritonserver", home)
    stub = home / "python_backend_stubs" / version / "triton_python_backend_stub"
    shutil.copy(stub, home / "backends" / "python")
    ports = dict(zip(("http", "grpc", "metrics"), _free_ports(3), strict=True))
    libraries = [sysconfig.get_config_var("LIBDIR"), str(wheel.parent / "nvidia_pytriton.libs")]
    places = [str(ROOT), str(wheel.parent)]
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(libraries),
        "PYTHONPATH": ":".join(places),
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
    }
    command = [
        home / "bin" / "tritonserver",
        f"--model-repository={repository}",
        f"--backend-directory={home}/backends",
    ]
    for name, port in ports.items():
        command += [f"--{name}-port={port}", f"--{name}-address=127.0.0.1"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            until(lambda: process.poll() is not None or _answers(ports["http"]))
            assert process.poll() is None, (folder / "log").read_text()[-4000:]
            yield ports
        finally:
            process.terminate()


def say(port: int, request: str) -> tuple[np.ndarray[Any, Any], int, int]:
    """The samples of a request, their rate, and the number of chunks. Raises what the server answers."""
    from tritonclient import grpc  # type: ignore[import-not-found, import-untyped, unused-ignore]

    answers: queue.Queue[Any] = queue.Queue()
    with grpc.InferenceServerClient(f"127.0.0.1:{port}") as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        text = grpc.InferInput("request", [1], "BYTES")
        text.set_data_from_numpy(np.array([request.encode()], object))
        client.async_stream_infer("edge_tts", [text], enable_empty_final_response=True)
        parts, rate = [], 0
        while True:
            result, error = answers.get(timeout=START_S)
            if error is not None:
                raise error
            if result.get_response().parameters["triton_final_response"].bool_param:
                return np.concatenate(parts), rate, len(parts)
            parts.append(result.as_numpy("samples"))
            rate = int(result.as_numpy("sample_rate")[0])


def counted(port: int, name: str) -> dict[str, int]:
    """Model -> value of one of the server's counters."""
    text = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    return {line.split('model="')[1].split('"')[0]: int(float(line.split()[-1])) for line in lines}


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=1):
            return True
    except (URLError, OSError):
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
