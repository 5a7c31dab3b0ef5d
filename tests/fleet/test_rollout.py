"""A device and a bucket that nobody can trust: what is installed was signed, is new, and is good; all else leaves the
set that speaks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fleet_keys import Keys
from power_cut import PowerCutError, power
from s3 import folder_bucket
from toy_model_sets import write_manifest, write_model_set

from edge_tts.buckets.bucket import Bucket
from edge_tts.errors import FleetError, TransportError
from edge_tts.fleet import download
from edge_tts.fleet.layout import CURRENT, FILES, history_path
from edge_tts.fleet.publishing import Publisher
from edge_tts.fleet.release import RELEASE, Release, Terms, payload_of
from edge_tts.fleet.reports import ReleaseStatus, count_outcomes, read_reports
from edge_tts.fleet.signing import sign
from tools.fleet.device import FIRST, SimulatedDevice

DAY = 86400.0


class Scene:
    """A bucket, an operator and devices, with one clock."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self.folder, self.keys, self.trust = folder, keys, keys.trust()
        self.now = 1_800_000_000.0
        self.bucket = folder_bucket(folder / "bucket")

    @property
    def publisher(self) -> Publisher:
        return Publisher(bucket=self.bucket, trust=self.trust, keys=self.keys.files[:1], clock=lambda: self.now)

    def terms(self, **changes: Any) -> Terms:
        return Terms(**{"share": 100.0, "not_before": self.now, "expires": self.now + 30 * DAY, **changes})

    def release(self, name: str, *, mos: float = 3.0, no_way_back: bool = False, **changes: Any) -> Release:
        """A new toy set, given out."""
        quality = {"mos": mos, **{key: changes.pop(key) for key in ("guard", "starts") if key in changes}}
        folder = write_model_set(self.folder / "made" / name, quality=quality)
        (folder / "wave.onnx").write_bytes(name.encode() * 1000)
        write_manifest(folder, quality=quality)
        self.now += 1
        return self.publisher.create(folder, self.terms(**changes), no_way_back=no_way_back).release

    def device(self, name: str = "kitchen", **options: Any) -> SimulatedDevice:
        """As it is after a restart; a new one has the set FIRST."""
        folder = self.folder / "devices" / name
        if not folder.exists():
            write_model_set(folder / "models" / FIRST, quality={"mos": 3.0})
        trust = options.pop("trust", self.trust)
        return SimulatedDevice(folder, trust=trust, clock=options.pop("clock", lambda: self.now), **options)


@pytest.fixture
def scene(tmp_path: Path, keys: Keys) -> Iterator[Scene]:
    made = Scene(tmp_path, keys)
    yield made
    made.bucket.close()


def test_a_release_is_installed_and_told(scene: Scene) -> None:
    """Downloaded, tried beside the set that speaks, changed to, and reported with its figures."""
    release, device = scene.release("new", mos=3.1), scene.device()
    assert device.round(scene.bucket).stage == "installed"
    assert device.sets.current() == release.folder
    device.check()
    [report], unreadable = read_reports(scene.bucket)
    assert (report.device, report.release.current, report.mos, unreadable) == ("kitchen", release.folder, 3.1, [])
    assert count_outcomes(scene.bucket, release.number) == (1, 0)
    assert scene.device().round(scene.bucket).stage == "installed"
    assert device.sets.spoken == [release.folder, FIRST]


def test_what_speaks_is_told_before_the_first_look(scene: Scene) -> None:
    """Home Assistant takes no update without a version that is installed."""
    shown: list[ReleaseStatus] = []
    scene.device(show=shown.append).member.begin()
    assert [(status.stage, status.current) for status in shown] == [("none", FIRST)]


def test_what_is_here_is_not_downloaded(scene: Scene) -> None:
    """A file that another set of the device has is copied."""
    device = scene.device()
    release = scene.release("new")
    shared = release.files["voices/hum/features.npz"].sha256
    scene.bucket.delete(f"{FILES}{shared}")
    assert device.round(scene.bucket).stage == "installed"


@pytest.mark.parametrize(
    ("quality", "why"),
    [({"mos": 2.8}, "DNSMOS 2.80"), ({"guard": 3}, "the guard acted 3 times"), ({"starts": 0}, "does not start")],
)
def test_a_worse_set_is_refused_for_good(scene: Scene, quality: dict[str, Any], why: str) -> None:
    """The old set speaks, the new one is removed and not tried again, and the bucket counts the failure."""
    release, device = scene.release("bad", **quality), scene.device()
    status = device.round(scene.bucket)
    assert (status.stage, why in status.why) == ("failed", True)
    assert device.sets.current() == FIRST
    assert [path.name for path in device.models.iterdir() if path.name != ".fleet"] == [FIRST]
    assert count_outcomes(scene.bucket, release.number) == (0, 1)
    tried = len(device.sets.spoken)
    again = scene.device()
    assert again.round(scene.bucket).stage == "failed"
    assert (len(device.sets.spoken), again.sets.spoken) == (tried, [])


def test_a_damaged_set_is_replaced(scene: Scene) -> None:
    """There is nothing to compare with, so the new one has only to speak."""
    release, device = scene.release("new", mos=1.5), scene.device()
    (device.models / FIRST / "wave.onnx").write_bytes(b"Not a graph")
    assert device.round(scene.bucket).stage == "installed"
    assert device.sets.current() == release.folder


def test_only_its_share_takes_part(scene: Scene) -> None:
    """The others are told so, and join when it is promoted."""
    scene.release("new", share=0.0)
    device = scene.device()
    assert device.round(scene.bucket).stage == "outside"
    scene.publisher.promote(lambda terms: terms.model_copy(update={"share": 100.0}))
    assert device.round(scene.bucket).stage == "installed"


def test_failures_elsewhere_stop_it_here(scene: Scene) -> None:
    """Two of five are more than a fifth: who has not begun does not begin."""
    scene.release("bad", mos=1.0)
    for name in ("a", "b"):
        assert scene.device(name).round(scene.bucket).stage == "failed"
    status = scene.device("c").round(scene.bucket)
    assert (status.stage, status.why) == ("stopped", "it failed on 2 of 2 devices")
    assert scene.device("c").sets.spoken == []


def test_a_rollback_goes_back_without_a_download(scene: Scene) -> None:
    """To the set that was there before, which stayed."""
    first = scene.release("one")
    device = scene.device()
    device.round(scene.bucket)
    scene.release("two")
    device.round(scene.bucket)
    scene.now += 1
    scene.publisher.roll_back(lambda terms: terms)
    for path in list(scene.bucket.list(FILES)):
        scene.bucket.delete(path)
    assert device.round(scene.bucket).stage == "installed"
    assert device.sets.current() == first.folder


def replayed(scene: Scene, release: Release) -> None:
    """What a thief of the bucket can do: give out an old document, signatures and all."""
    blob = scene.bucket.get(history_path(release.counter), most=1 << 20)
    assert blob is not None
    scene.bucket.replace(CURRENT, blob.data)


def test_a_replayed_release_downgrades_nobody(scene: Scene) -> None:
    """A lower counter than was seen is refused, also after a restart, and told."""
    old = scene.release("old")
    new = scene.release("new")
    scene.device().round(scene.bucket)
    replayed(scene, old)
    device = scene.device()
    device.round(scene.bucket)
    assert "replays an old release" in device.refused
    assert device.sets.current() == new.folder
    assert "replays" in read_reports(scene.bucket)[0][0].release.why


def test_a_frozen_bucket_is_noticed(scene: Scene) -> None:
    """What is withheld cannot be known; but an expired document installs nothing, and a vanished one is told."""
    scene.release("new", expires=scene.now + 2)
    scene.now += 10
    device = scene.device()
    assert device.round(scene.bucket).stage == "expired"
    scene.bucket.delete(CURRENT)
    device.round(scene.bucket)
    assert "no release any more" in device.refused
    assert device.sets.current() == FIRST


def test_two_documents_of_one_counter_are_a_forgery(scene: Scene) -> None:
    """Even with valid signatures: somebody shows different devices different things."""
    release = scene.release("new", share=0.0)
    device = scene.device()
    device.round(scene.bucket)
    other = release.model_copy(update={"terms": scene.terms()})
    scene.bucket.replace(CURRENT, sign(payload_of(other), RELEASE, scene.keys.files[:1]))
    device.round(scene.bucket)
    assert "two documents" in device.refused
    assert device.sets.current() == FIRST


def test_nothing_goes_below_the_signed_minimum(scene: Scene) -> None:
    """A later document of an earlier release is refused, though it is signed and has a higher counter."""
    old = scene.release("old")
    final = scene.release("final", no_way_back=True)
    device = scene.device()
    device.round(scene.bucket)
    back = old.model_copy(update={"counter": final.counter + 5, "minimum": 1})
    scene.bucket.replace(CURRENT, sign(payload_of(back), RELEASE, scene.keys.files[:1]))
    device.round(scene.bucket)
    assert "the lowest that is allowed" in device.refused
    assert device.sets.current() == final.folder


@pytest.mark.parametrize("offset", [-365 * DAY, -DAY, 365 * DAY])
def test_a_wrong_clock_installs_nothing(scene: Scene, offset: float) -> None:
    """Behind the signature it waits, past the end it is expired, and tells its clock; set right, it goes on."""
    scene.release("new")
    device = scene.device(clock=lambda: scene.now + offset)
    status = device.round(scene.bucket)
    assert status.stage == ("waiting" if offset < 0 else "expired")
    assert "clock" in status.why
    assert device.sets.current() == FIRST
    assert scene.device().round(scene.bucket).stage == "installed"


def test_it_waits_for_its_time(scene: Scene) -> None:
    """Not before, and not after."""
    scene.release("new", not_before=scene.now + DAY)
    device = scene.device()
    assert "begins at" in device.round(scene.bucket).why
    scene.now += DAY
    assert device.round(scene.bucket).stage == "installed"


def test_a_person_installs_what_is_only_offered(scene: Scene) -> None:
    """With `fleet.auto` off."""
    release = scene.release("new")
    device = scene.device(auto=False)
    assert device.round(scene.bucket).stage == "offered"
    assert device.sets.current() == FIRST
    assert device.round(scene.bucket, asked=True).stage == "installed"
    assert device.sets.current() == release.folder


def test_two_signers_are_both_needed(scene: Scene, keys: Keys) -> None:
    """A document of one of them is refused, a stolen key alone installs nothing."""
    scene.release("new")
    device = scene.device(trust=keys.trust(2, signers=2))
    device.round(scene.bucket)
    assert "needs 2" in device.refused
    assert device.sets.current() == FIRST


def spoil(path: Path, how: str) -> None:
    """What a bucket can do to an object."""
    data = path.read_bytes()
    changed = {
        "flipped": bytes([data[0] ^ 1]) + data[1:],
        "cut": data[:-1],
        "longer": data + b"x",
        "empty": b"",
        "exchanged": bytes(len(data)),
    }
    path.write_bytes(changed[how])


@pytest.mark.parametrize("how", ["flipped", "cut", "longer", "empty", "exchanged"])
@pytest.mark.parametrize("kind", ["manifest.json", "wave.onnx", "voices/hum/features.npz", "voices/hum/voice.json"])
def test_no_file_that_was_not_signed_is_installed(scene: Scene, kind: str, how: str) -> None:
    """Whichever file is another one, in whichever way: it is not installed, not even heard, and told as the bucket's
    fault and not the release's. A longer one is read to its signed length. Once mended, it goes on."""
    release = scene.release("new")
    device = scene.device()
    shutil.rmtree(device.models / FIRST / "voices")
    write_manifest(device.models / FIRST, voices=(), quality={"mos": 3.0})
    path = scene.folder / "bucket" / FILES / release.files[kind].sha256
    whole = path.read_bytes()
    spoil(path, how)
    with suppress(TransportError):
        device.round(scene.bucket)
    if how != "longer":
        assert (device.sets.current(), device.sets.spoken) == (FIRST, [])
        assert count_outcomes(scene.bucket, release.number) == (0, 0)
        path.write_bytes(whole)
        scene.now += DAY
        device.round(scene.bucket)
    assert device.sets.current() == release.folder
    device.check()


def test_a_lying_bucket_is_asked_ever_more_rarely(scene: Scene) -> None:
    """Or it would cost the whole set at every look."""
    release, device = scene.release("new"), scene.device()
    path = scene.folder / "bucket" / FILES / release.files["wave.onnx"].sha256
    spoil(path, "exchanged")
    reads = []
    for _ in range(48):
        scene.now += 3600
        device.round(scene.bucket)
        reads.append(device.rollout.status.why.startswith("tried again"))
    assert reads.count(False) <= 9


def test_the_disk_keeps_room(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that does not fit is not begun, and that is no failure of it."""
    release, device = scene.release("new"), scene.device()
    monkeypatch.setattr(download, "SPARE_BYTES", 1 << 60)
    status = device.round(scene.bucket)
    assert (status.stage, "make room" in status.why) == ("waiting", True)
    assert count_outcomes(scene.bucket, release.number) == (0, 0)


class CutBucket:
    """A bucket whose connection breaks after so many ranges."""

    def __init__(self, bucket: Bucket, after: int) -> None:
        self._bucket, self.left = bucket, after
        self.starts: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bucket, name)

    def get_range(self, path: str, *, start: int, length: int) -> bytes | None:
        if not self.left:
            raise TransportError("cut")
        self.left -= 1
        self.starts.append(start)
        return self._bucket.get_range(path, start=start, length=length)


def test_a_cut_download_goes_on_where_it_was(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every cut and restart only what is missing is asked for."""
    monkeypatch.setattr(download, "BLOCK", 1000)
    release = scene.release("new")
    asked = 0
    for _ in range(100):
        bucket: Any = CutBucket(scene.bucket, after=1)
        device = scene.device()
        try:
            stage = device.round(bucket).stage
        except TransportError:
            stage = "waiting"
        asked += len(bucket.starts)
        if stage == "installed":
            break
    size = sum(-(-file.bytes // 1000) for file in release.files.values())
    assert stage == "installed"
    assert asked <= size


def test_a_kill_or_power_cut_at_any_moment_leaves_the_set_that_speaks(scene: Scene, tmp_path: Path) -> None:
    """Whatever change of the disk comes last: a whole set is chosen, no old document passes for new afterwards, and the
    next start goes on to the end."""
    release = scene.release("new")
    old = release.model_copy(update={"counter": 1, "number": 1})
    for cut_at in range(500):
        for lossy in (False, True):
            name = f"d{cut_at}-{'lossy' if lossy else 'killed'}"
            device = scene.device(name)
            with power(device.models.parent, cut_at=cut_at) as disk:
                device.round(scene.bucket)
            if lossy:
                disk.lose()
            after = scene.device(name)
            assert after.sets.current() in (FIRST, release.folder)
            after.check()
            if after.file.read().counter:
                with pytest.raises(FleetError):
                    after.file.accept(old, payload_of(old))
            assert after.round(scene.bucket).stage == "installed"
            after.check()
        if not disk.dead:
            return
    raise AssertionError("it never came to its end")


def test_a_damaged_memory_installs_nothing(scene: Scene) -> None:
    """Without it a replay could not be told: it says what to do, and the set that speaks goes on."""
    device = scene.device()
    scene.release("new")
    (device.models.parent / "fleet.json").write_bytes(b"{")
    device.round(scene.bucket)
    assert "remove it to begin anew" in device.refused
    assert device.sets.current() == FIRST


def test_a_set_that_kills_the_process_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """After three deaths during its trial."""
    scene.release("deadly")

    def die(*_: object) -> None:
        raise PowerCutError

    for _ in range(3):
        device = scene.device()
        monkeypatch.setattr(device.sets, "hear", die)
        with pytest.raises(PowerCutError):
            device.round(scene.bucket)
    status = scene.device().round(scene.bucket)
    assert (status.stage, "died 3 times" in status.why) == ("failed", True)


def test_reports_of_strangers_are_read_with_care(scene: Scene) -> None:
    """One that is no report, or tells another device's name, is counted and not believed."""
    scene.device().round(scene.bucket)
    scene.bucket.replace("fleet/evil.json", b'{"device": "kitchen"}' + b"x" * 10)
    blob = scene.bucket.get("fleet/kitchen.json", most=1 << 20)
    assert blob is not None
    scene.bucket.replace("fleet/other.json", blob.data)
    reports, unreadable = read_reports(scene.bucket)
    assert ([report.device for report in reports], unreadable) == (["kitchen"], ["fleet/evil.json", "fleet/other.json"])
