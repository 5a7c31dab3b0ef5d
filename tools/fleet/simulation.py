"""Days of a fleet in minutes: releases good and bad, a bucket that fails and lies, wrong clocks, devices that are away.

The devices run the shipped store, sync and rollout against a real S3 server (moto) behind a proxy that spoils some of
the requests, and say at a real broker (mosquitto) how they do. Time is simulated: each device looks once in `step_h`
hours. After each step every device is searched for model sets that nobody has signed.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edge_tts.errors import TransportError
from edge_tts.fleet.release import RELEASE, Release, payload_of
from edge_tts.fleet.signing import sign
from edge_tts.voices.sync.executor import SyncExecutor
from tools.demonstration import broker, free_port
from tools.fleet.device import FIRST
from tools.fleet.world import DAY, HOUR, House, Watcher, World, helpers, world

_SYNC_EVERY = 6
"""Steps between two syncs of the voices."""
_FAULTS = 0.02


@dataclass
class Figures:
    """What came of it."""

    devices: int
    hours_to_converge: dict[str, float] = field(default_factory=dict)
    """From the promotion to all, or the rollback, until every device that could had followed."""
    requests_per_device_and_day: dict[str, float] = field(default_factory=dict)
    kilobytes_per_device_and_day: float = 0.0
    """Of answers, downloads included."""
    befell: dict[str, int] = field(default_factory=dict)
    """Faults of the proxy."""
    bad_set: dict[str, int] = field(default_factory=dict)
    """Devices that tried it, after a day at its share, and half a day after its promotion to all; at the end those
    where it failed, that were told that it has stopped, and that speak it."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Why devices refused what a lying bucket gave out -> looks."""
    unsigned: list[str] = field(default_factory=list)
    """Sets that nobody signed, on any device after any step."""
    looks: int = 0
    away: int = 0
    """Looks that ended because the bucket could not be reached."""
    wrong_clocks_installed: int = 0
    voices_everywhere: bool = False
    heard_at_the_broker: bool = False
    """Whether each device's last word there is how it is."""


class Simulation:
    """One run; `run` goes through the days."""

    def __init__(self, world: World, watcher: Watcher, *, devices: int, step_h: float) -> None:
        self._world, self._watcher, self._step_h = world, watcher, step_h
        self.figures = Figures(devices=devices)
        self._steps = 0
        self._sync_requests = 0
        names = [f"device-{number:02d}" for number in range(devices)]
        self.by_hand = names[0]
        """Installs nothing by itself."""
        for name in names:
            world.move_in(name, auto=name != self.by_hand)
        away = max(1, devices // 5)
        self._travellers = names[1 : 1 + away]
        self._wrong = names[1 + away : 1 + away + max(2, devices // 16)]
        voice = helpers("enrolled").new_voice
        for number, name in enumerate(names[: max(2, devices // 10)]):
            world.houses[name].store.add(voice(number, name=name))
        self._voices = max(2, devices // 10)

    def run(self) -> Figures:
        world = self._world
        first = world.release("good-1", share=10.0)
        world.faults = _FAULTS
        self._for_hours(24)
        world.promote(50.0)
        self._set_clocks()
        self._stay_away(True)
        self._for_hours(24)
        self._stay_away(False)
        world.promote(100.0)
        self._until("a release", lambda house: house.device.sets.current() == first.folder)
        self._bad_release()
        self._lies(first)
        second = world.release("good-2", share=100.0)
        self._until("a second release", lambda house: house.device.sets.current() == second.folder)
        self._for_hours(2 * self._step_h)
        world.now += 60
        assert world.roll_back().folder == first.folder  # and not the bad one, which came between
        self._until("a rollback", lambda house: house.device.sets.current() == first.folder)
        self._mend_clocks()
        self._until("clocks set right", lambda house: house.device.sets.current() == first.folder, everybody=True)
        world.faults = 0.0
        self._for_hours(_SYNC_EVERY * self._step_h)
        return self._finished()

    def _bad_release(self) -> None:
        """To a share; whoever is in it refuses, and then nobody begins."""
        world = self._world
        bad = world.release("bad", share=30.0 if self.figures.devices < 20 else 10.0, mos=1.2)
        self._for_hours(24)
        self.figures.bad_set["tried at its share"] = self._tried(bad)
        world.promote(100.0)
        self._for_hours(12)
        self.figures.bad_set["tried when promoted"] = self._tried(bad)
        stages = Counter(house.device.rollout.status.stage for house in world.houses.values())
        self.figures.bad_set |= {stage: stages[stage] for stage in ("failed", "stopped")}
        self.figures.bad_set["speaks"] = sum(
            house.device.sets.current() == bad.folder for house in world.houses.values()
        )

    def _tried(self, release: Release) -> int:
        return sum(release.folder in house.device.sets.spoken for house in self._world.houses.values())

    def _lies(self, first: Release) -> None:
        """An old document, one of a stranger, none, and one with another share, each for some hours."""
        world = self._world
        current = world.publisher().current()
        assert current is not None
        document = json.loads(world.document(current))
        stranger = sign(payload_of(current), RELEASE, [world.folder / "thief.pem"])
        changed = payload_of(current.model_copy(update={"terms": world.terms(99.0)}))
        mixed = {**document, "payload": base64.b64encode(changed).decode()}
        for data in (world.document(first), stranger, json.dumps(mixed).encode(), b"", b"\0" * 1000):
            world.give_out(data)
            self._for_hours(2 * self._step_h)
        world.give_out(json.dumps(document).encode())

    def _set_clocks(self) -> None:
        for number, name in enumerate(self._wrong):
            self._world.houses[name].offset = (-self._world.now, -30 * DAY, 3650 * DAY)[number % 3]

    def _mend_clocks(self) -> None:
        right = [self._world.houses[name].device.sets.current() for name in self._wrong]
        self.figures.wrong_clocks_installed = sum(current != FIRST for current in right)
        for name in self._wrong:
            self._world.houses[name].offset = 0.0

    def _stay_away(self, away: bool) -> None:
        for name in self._travellers:
            self._world.houses[name].online = not away

    def _until(self, what: str, holds: Callable[[House], bool], *, everybody: bool = False) -> None:
        """Go on until it holds for all, but for devices with a wrong clock."""
        began = self._world.now
        asked = [house for name, house in self._world.houses.items() if everybody or name not in self._wrong]
        for _ in range(200):
            self._step()
            if all(holds(house) for house in asked):
                self.figures.hours_to_converge[what] = round((self._world.now - began) / HOUR, 1)
                return
        late = [house.device.name for house in asked if not holds(house)]
        raise AssertionError(f"{what}: {late} never followed")

    def _for_hours(self, hours: float) -> None:
        for _ in range(max(1, round(hours / self._step_h))):
            self._step()

    def _step(self) -> None:
        """Every device looks once, in another order each time."""
        world = self._world
        houses = list(world.houses.values())
        world.random.shuffle(houses)
        self._steps += 1
        for house in houses:
            world.now += self._step_h * HOUR / len(houses)
            if house.online:
                self._look(house)
        self.figures.unsigned += world.unsigned()

    def _look(self, house: House) -> None:
        self.figures.looks += 1
        if house.device.rollout.status.stage == "offered" and not house.asked:
            self._watcher.press(house.device.name)
        asked, house.asked = house.asked, False
        try:
            house.device.round(house.bucket, asked=asked)
        except TransportError:
            self.figures.away += 1
        if house.device.refused:
            self._count_refusal(house.device.refused)
        if self._steps % _SYNC_EVERY == 0:
            before = len(self._world.proxy.requests)
            with suppress(TransportError):
                self._sync(house)
            self._sync_requests += len(self._world.proxy.requests) - before

    def _sync(self, house: House) -> None:
        SyncExecutor(store=house.store, bucket=house.bucket, name="fleet", clock=lambda: self._world.now).run()

    def _count_refusal(self, why: str) -> None:
        kinds = {
            "replays": "an old document",
            "0 valid": "no valid signature",
            "no signed document": "no document",
            "two documents": "two documents of one counter",
        }
        kind = next((name for words, name in kinds.items() if words in why), why)
        self.figures.refusals[kind] = self.figures.refusals.get(kind, 0) + 1

    def _finished(self) -> Figures:
        world, figures = self._world, self.figures
        device_days = figures.looks * self._step_h / 24
        kinds = Counter(_kind(request.method, request.path) for request in world.proxy.requests)
        kinds["voices"] = self._sync_requests
        total = len(world.proxy.requests)
        figures.requests_per_device_and_day = {
            kind: round(count / device_days, 2) for kind, count in sorted(kinds.items())
        }
        figures.requests_per_device_and_day["all"] = round(total / device_days, 2)
        figures.kilobytes_per_device_and_day = round(world.proxy.answered / 1000 / device_days, 1)
        figures.befell = dict(sorted(world.befell.items()))
        figures.voices_everywhere = all(
            len(house.store.stored().voices) == self._voices for house in world.houses.values()
        )
        figures.heard_at_the_broker = self._heard()
        return figures

    def _heard(self) -> bool:
        deadline = time.monotonic() + 60
        houses = self._world.houses.values()
        while time.monotonic() < deadline:
            said = {name: shown.get("current") for name, shown in self._watcher.said.items()}
            if said == {house.device.name: house.device.sets.current() for house in houses}:
                return True
            time.sleep(0.05)
        return False


def _kind(method: str, path: str) -> str:
    """Of a request, by what it is for."""
    for words, kind in (
        ("/releases/files/", "files"),
        ("releases%2Foutcomes", "outcomes, counted"),
        ("/releases/outcomes/", "outcomes, told"),
        ("/releases/release.json", "document"),
        ("/fleet/home/fleet/", "reports"),
    ):
        if words in path:
            return kind
    return "voices"


def simulate(folder: Path, *, port: int, devices: int, step_h: float, seed: int) -> Figures:
    """`port`: of a broker that runs."""
    with world(folder, port=port, seed=seed) as made:
        watcher = Watcher(port)
        try:
            return Simulation(made, watcher, devices=devices, step_h=step_h).run()
        finally:
            watcher.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/fleet_sim", description=__doc__)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--step", type=float, default=1.0, metavar="HOURS", help="between two looks (default: 1)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        port = free_port()
        stack.enter_context(broker(port))
        figures = simulate(folder, port=port, devices=arguments.devices, step_h=arguments.step, seed=arguments.seed)
    print(json.dumps(asdict(figures), indent=2))
    print(f"in {time.monotonic() - began:.0f} s")
    return 1 if figures.unsigned else 0


if __name__ == "__main__":
    raise SystemExit(main())
