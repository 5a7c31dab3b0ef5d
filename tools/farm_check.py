"""Try the farm for real: Ray Serve with two replicas on this machine. docs/farm.md has what it printed.

pip install '.[farm,http]'      # Ray is large
python -m tools.farm_check
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "farm-check"
VOICES = ("clara", "oscar", "irene", "simon")
_LONG = "The kettle is on the stove and the lamp is on the table. " * 6


class Farm:
    """Two replicas behind one address."""

    def __init__(self, port: int) -> None:
        self._port = port

    def replica(self, text: str, voice: str) -> str:
        """Who answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        body = json.dumps({"input": text, "response_format": "pcm", "voice": voice})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        with closing(connection):
            connection.request("POST", "/v1/audio/speech", body, headers)
            response = connection.getresponse()
            response.read()
            return response.headers.get("x-replica", f"{response.status}")

    def ask(self, text: str, *, path: str = "/v1/audio/speech", **more: Any) -> tuple[int, bytes, str]:
        """Status, body, and what became of it: `whole`, or how it was cut. `/tts` sends a WAV when it is complete."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        keys = {"text": text} if path == "/tts" else {"input": text, "response_format": "pcm"}
        body = json.dumps({**keys, "voice": VOICES[0], **more})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            try:
                return response.status, response.read(), "whole"
            except http.client.IncompleteRead as cut:
                return response.status, cut.partial, "cut"
        except (OSError, http.client.HTTPException) as error:
            return 0, b"", type(error).__name__
        finally:
            connection.close()


@contextmanager
def farm(port: int, *, replicas: dict[str, Any]) -> Iterator[Farm]:
    """Start Ray and the application; `replicas` are options of the deployment `speech`."""
    import ray
    from ray import serve

    from edge_tts.farm.serve_app import build

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "token").write_text(TOKEN)
        config = folder / "config.yaml"
        config.write_text(
            f"state_dir: {folder}/state\nmodels: {{dir: {ROOT}/models, name: starter}}\n"
            f"bucket: {{url: null}}\nengine: {{threads: 1}}\nhttp: {{token_file: {folder}/token}}\n"
        )
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", _node_ip_address="127.0.0.1")
        try:
            serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"log_level": "ERROR"})
            serve.run(build({"config": str(config), "speech": replicas}), name="farm", route_prefix="/")
            yield Farm(port)
        finally:
            serve.shutdown()
            ray.shutdown()


def replica_pids() -> list[int]:
    """The processes that speak."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if b"ServeReplica:farm:speech" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return sorted(found)


def seconds_to_none(most_s: float = 180.0) -> float:
    """How long it takes until no replica is left, or `most_s`."""
    began = time.monotonic()
    while replica_pids() and time.monotonic() - began < most_s:
        time.sleep(1.0)
    return time.monotonic() - began


def check_throughput(asked: Farm, voices: Sequence[str]) -> None:
    """One voice stays on one replica while that has room."""
    for at_once in (1, 2, 4, 8):
        spoken = list(itertools.islice(itertools.cycle(voices), 2 * at_once))
        with ThreadPoolExecutor(at_once) as pool:
            began = time.monotonic()
            answers = list(pool.map(lambda voice: asked.ask(_LONG, voice=voice), spoken))
            took = time.monotonic() - began
        seconds = sum(len(body) for _, body, _ in answers) / 2 / 24000
        each = f"{seconds:.0f} s of sound in {took:.1f} s, {seconds / took:.1f} s per second"
        print(f"{len(voices)} voices, {at_once} at once: {each}", flush=True)


def check_voices(asked: Farm) -> None:
    """A voice stays where it has spoken; more of it than a replica takes goes to another one."""
    for voice in VOICES:
        print(f"{voice}, 10 in a row: {dict(Counter(asked.replica('Hello.', voice) for _ in range(10)))}", flush=True)
    with ThreadPoolExecutor(14) as pool:
        replicas = Counter(pool.map(lambda _: asked.replica(_LONG, VOICES[0]), range(14)))
    print(f"{VOICES[0]}, 14 at once: {dict(replicas)}", flush=True)


def check_crowd(asked: Farm, count: int) -> None:
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda _: asked.ask("Dinner is ready."), range(count)))
    outcomes = Counter(f"{status} {end}" for status, _, end in answers)
    whole = {len(body) > 10000 for status, body, _ in answers if status == 200}
    refused = next((body for status, body, _ in answers if status not in (0, 200)), b"")
    print(
        f"{count} at once: {dict(outcomes)}; every 200 has its sound: {whole <= {True}}; {refused.decode()}", flush=True
    )


def check_kill(asked: Farm, *, after_s: float, **more: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(asked.ask, _LONG * 3, **more)
        time.sleep(after_s)
        for pid in replica_pids():
            os.kill(pid, signal.SIGKILL)
        status, body, end = asking.result()
    last = body[-200:] if more.get("stream_format") == "sse" else b""
    print(f"killed after {after_s} s, {more}: {status} {end}, {len(body)} bytes {last!r}", flush=True)


def main() -> int:
    arguments = _arguments()
    with farm(arguments.port, replicas={"num_replicas": 2}) as asked:
        print(f"first answer: {asked.ask('Hello.')[0]}", flush=True)
        check_voices(asked)
        check_throughput(asked, VOICES[:1])
        check_throughput(asked, VOICES)
        check_crowd(asked, arguments.crowd)
        check_kill(asked, after_s=0.5, path="/tts")
        time.sleep(arguments.recover_s)
        check_kill(asked, after_s=1.0)
        time.sleep(arguments.recover_s)
        check_kill(asked, after_s=1.0, stream_format="sse")
    scaling = {"min_replicas": 0, "max_replicas": 2, "target_ongoing_requests": 1, "downscale_delay_s": 5}
    with farm(arguments.port, replicas={"autoscaling_config": scaling}) as asked:
        for _ in range(2):
            idle_s = seconds_to_none()
            began, before = time.monotonic(), len(replica_pids())
            status, body, end = asked.ask("Good morning.")
            took = time.monotonic() - began
            print(
                f"{before} replicas after {idle_s:.0f} s of rest: {status} {end}, {len(body)} bytes after {took:.1f} s",
                flush=True,
            )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="farm_check", description=__doc__)
    parser.add_argument("--port", type=int, default=18777)
    parser.add_argument("--crowd", type=int, default=200, metavar="N", help="requests at once (default: %(default)s)")
    parser.add_argument("--recover-s", type=float, default=30.0, help="wait for new replicas (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
