"""What the devices of a simulation share: a bucket behind a proxy that fails and lies, a broker, and the time."""

from __future__ import annotations

import hashlib
import importlib
import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge_tts.buckets.bucket import Bucket, Place
from edge_tts.buckets.credentials import Secrets
from edge_tts.durable.hashes import sha256_of
from edge_tts.fleet.layout import CURRENT, history_path
from edge_tts.fleet.publishing import Publisher
from edge_tts.fleet.release import Release, Terms
from edge_tts.fleet.reports import ReleaseStatus
from edge_tts.fleet.signing import Trust, make_key
from tools.environment import ROOT
from tools.fleet.device import FIRST, SimulatedDevice

HOUR, DAY = 3600.0, 86400.0
BEGIN = 1_800_000_000.0
"""The first moment of every simulation, in seconds since 1970."""
_FAULTS = ("drop", "error", "busy", "cut", "spoil", "reset")
_BASE = "edge-tts"
_LANGUAGE_BYTES = 200_000
"""Of the largest file of a set: small, so that the figures are of requests."""


def helpers(module: str) -> Any:
    """A module of tests/, where the S3 server and the proxy are."""
    tests = str(ROOT / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    return importlib.import_module(module)


class House:
    """A device, its voices, and its client at the broker, whose messages only count when it looks."""

    def __init__(self, device: SimulatedDevice, bucket: Bucket, port: int) -> None:
        self.device, self.bucket = device, bucket
        self.offset = 0.0
        """By so much its clock is wrong, in seconds."""
        self.online = True
        self.asked = False
        self.store = helpers("enrolled").open_store(device.models.parent / "voices", device=device.name)
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device.name)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda client, *_: client.subscribe(f"{_BASE}/{device.name}/release/install", 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def show(self, status: ReleaseStatus) -> None:
        self.client.publish(f"{_BASE}/{self.device.name}/release", status.model_dump_json(), qos=1, retain=True)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.bucket.close()

    def _on_message(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        self.asked = True


class World:
    """One bucket, one operator, many houses."""

    def __init__(self, folder: Path, *, port: int, s3: Any, proxy: Any, seed: int) -> None:
        """`port`: of the broker."""
        self.folder, self.proxy, self.random = folder, proxy, random.Random(seed)
        self.now = BEGIN
        self.faults = 0.0
        """Share of the requests that something befalls."""
        self.befell: Counter[str] = Counter()
        self.released: list[Release] = []
        self.houses: dict[str, House] = {}
        self._port, self._s3 = port, s3
        make_key(folder / "thief.pem")
        self.trust = Trust((make_key(folder / "key.pem"),), 1)
        s3.make_bucket("fleet")
        self.direct = self._opened(f"http://127.0.0.1:{s3.port}")
        proxy.fault = self._befall

    def close(self) -> None:
        for house in self.houses.values():
            house.close()
        self.direct.close()

    def move_in(self, name: str, *, auto: bool = True) -> House:
        """A new device with the set FIRST."""
        folder = self.folder / "devices" / name
        self._write_set(folder / "models" / FIRST, mos=3.0)
        shown: list[House] = []
        device = SimulatedDevice(
            folder,
            trust=self.trust,
            clock=lambda: self.now + shown[0].offset,
            auto=auto,
            show=lambda status: shown[0].show(status),
        )
        house = House(device, self._opened(self.proxy.url), self._port)
        shown.append(house)
        self.houses[name] = house
        return house

    def publisher(self) -> Publisher:
        return Publisher(bucket=self.direct, trust=self.trust, keys=[self.folder / "key.pem"], clock=lambda: self.now)

    def terms(self, share: float) -> Terms:
        return Terms(share=share, not_before=self.now, expires=self.now + 14 * DAY)

    def release(self, name: str, *, share: float, mos: float = 3.0, **quality: float) -> Release:
        folder = self.folder / "made" / name
        self._write_set(folder, mos=mos, **quality)
        release = self.publisher().create(folder, self.terms(share)).release
        self.released.append(release)
        return release

    def promote(self, share: float) -> None:
        self.publisher().promote(lambda terms: terms.model_copy(update={"share": share}))

    def roll_back(self) -> Release:
        return self.publisher().roll_back(lambda terms: self.terms(100.0)).release

    def give_out(self, data: bytes) -> None:
        """What a thief of the bucket does."""
        self.direct.replace(CURRENT, data)

    def document(self, release: Release) -> bytes:
        """As it was published."""
        blob = self.direct.get(history_path(release.counter), most=1 << 20)
        assert blob is not None
        return blob.data

    def unsigned(self) -> list[str]:
        """Model sets on any device that nobody has signed."""
        signed = {FIRST, *(release.folder for release in self.released)}
        hashes = {release.folder: release.files["manifest.json"].sha256 for release in self.released}
        wrong = []
        for house in self.houses.values():
            house.device.check()
            for path in house.device.models.glob("*/manifest.json"):
                name = path.parent.name
                if name not in signed or (name in hashes and sha256_of(path) != hashes[name]):
                    wrong.append(f"{house.device.name}: {name}")
        return wrong

    def _befall(self, request: Any) -> str | None:
        if self.random.random() >= self.faults:
            return None
        fault = self.random.choice(_FAULTS)
        self.befell[fault] += 1
        return fault

    def _opened(self, endpoint: str) -> Bucket:
        s3 = helpers("s3")
        place = Place("s3://fleet/home", endpoint=endpoint, timeout_s=60.0, retry_s=0.0)
        return Bucket(place=place, secrets=Secrets({"access_key_id": s3.KEY, "secret_access_key": s3.SECRET}))

    def _write_set(self, folder: Path, **quality: float) -> None:
        """A set of files that are no graphs; a large one is its own, a second one is in all sets."""
        toys = helpers("toy_model_sets")
        shutil.rmtree(folder, ignore_errors=True)
        toys.write_model_set(folder)
        (folder / "wave.onnx").write_bytes(hashlib.shake_128(folder.name.encode()).digest(_LANGUAGE_BYTES))
        (folder / "bert.onnx").write_bytes(bytes(_LANGUAGE_BYTES))
        toys.write_manifest(folder, quality=quality)


@contextmanager
def world(folder: Path, *, port: int, seed: int) -> Iterator[World]:
    """With a running S3 server and proxy; `port`: of the broker."""
    with ExitStack() as stack:
        s3 = stack.enter_context(helpers("s3").s3_server())
        proxy = stack.enter_context(helpers("flaky_proxy").FlakyProxy(upstream_port=s3.port))
        made = World(folder, port=port, s3=s3, proxy=proxy, seed=seed)
        stack.callback(made.close)
        yield made


class Watcher:
    """Whoever looks after the devices, at the broker: what each said last, and a press on *install*."""

    def __init__(self, port: int) -> None:
        self.said: dict[str, dict[str, Any]] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="watcher")
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(f"{_BASE}/+/release", 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def press(self, name: str) -> None:
        self._client.publish(f"{_BASE}/{name}/release/install", b"", qos=1).wait_for_publish(60.0)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        self.said[message.topic.split("/")[1]] = json.loads(message.payload)
