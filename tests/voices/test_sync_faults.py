"""Two devices and a bucket: after any fault both end with the same voices."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path

import pytest
from enrolled import contents, new_voice, open_store
from flaky_proxy import Fault, FlakyProxy
from s3 import S3, folder_bucket, s3_bucket

from edge_tts.buckets.bucket import Bucket
from edge_tts.voices.format import Tombstone, VoiceRef, sha256, to_bytes, voice_id
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.executor import SyncExecutor
from edge_tts.voices.sync.notes import MOST_PROBLEMS, SyncReport


class Device:
    """A store that syncs with a bucket."""

    def __init__(self, folder: Path, bucket: Bucket, *, now: float = 1.7e9, owners: list[str] | None = None) -> None:
        self.store: VoiceStore = open_store(folder, device=folder.name, now=now)
        self.bucket = bucket
        self.reports: list[SyncReport] = []
        self.executor = SyncExecutor(
            store=self.store,
            bucket=bucket,
            name="test",
            clock=lambda: now,
            owners=owners,
        )

    def sync(self, *, thorough: bool = False) -> SyncReport:
        """One sync."""
        return self.executor.run(publish=self.reports.append, thorough=thorough)


@pytest.fixture
def kitchen(tmp_path: Path, proxy: FlakyProxy, bucket_name: str) -> Device:
    """A device that uses the bucket through the flaky proxy."""
    return Device(tmp_path / "kitchen", s3_bucket(proxy, bucket_name))


@pytest.fixture
def bedroom(tmp_path: Path, proxy: FlakyProxy, bucket_name: str) -> Device:
    """Another such device."""
    return Device(tmp_path / "bedroom", s3_bucket(proxy, bucket_name))


def settle(*devices: Device) -> None:
    """Sync until nothing is left to do, in a few rounds."""
    for _ in range(4):
        reports = [device.sync() for device in devices]
    assert [(report.status, report.problems, report.error) for report in reports] == [("done", (), "")] * len(devices)
    assert {report.planned for report in reports} == {0}


def test_voices_renames_and_deletions_travel_both_ways(kitchen: Device, bedroom: Device) -> None:
    """Voices, renames and deletions are synced both ways, and the bucket keeps nothing of a deleted voice."""
    mine, yours = kitchen.store.add(new_voice(1)), bedroom.store.add(new_voice(2, owner="bert", name="Bert"))
    kitchen.sync()
    report = bedroom.sync()
    assert (report.status, report.fetched, report.sent) == ("done", 1, 5 - 1)
    bedroom.store.rename(mine.ref, "Mum")
    settle(kitchen, bedroom)
    assert contents(kitchen.store) == contents(bedroom.store) == {
        ("anna", mine.ref.id): "Mum",
        ("bert", yours.ref.id): "Bert",
    }  # fmt: skip
    kitchen.store.delete(yours.ref)
    settle(kitchen, bedroom)
    assert contents(bedroom.store) == {("anna", mine.ref.id): "Mum"}
    assert not list(bedroom.store.directory.rglob(f"{yours.ref.id}/*"))
    (left,) = bedroom.bucket.list("v1/bert")
    assert "/tombstones/" in left
    assert b"Bert" not in bedroom.store.tombstones()[yours.ref]


def test_a_sync_without_changes_only_lists(kitchen: Device, proxy: FlakyProxy) -> None:
    """A sync without changes is one listing."""
    kitchen.store.add(new_voice())
    settle(kitchen)
    proxy.requests.clear()
    kitchen.sync()
    assert [(request.method, "list-type" in request.path) for request in proxy.requests] == [("GET", True)]


def test_a_rename_that_came_later_holds_whatever_the_clocks_say(
    tmp_path: Path, proxy: FlakyProxy, bucket_name: str
) -> None:
    """The later rename wins although the clocks are decades apart."""
    past = Device(tmp_path / "past", s3_bucket(proxy, bucket_name), now=5.0)
    future = Device(tmp_path / "future", s3_bucket(proxy, bucket_name), now=4.1e9)
    voice = future.store.add(new_voice())
    settle(future, past)
    future.store.rename(voice.ref, "From the future")
    settle(future, past)
    past.store.rename(voice.ref, "From the past")
    settle(past, future)
    assert set(contents(past.store).values()) == set(contents(future.store).values()) == {"From the past"}
    future.store.delete(voice.ref)
    settle(past, future)
    assert contents(past.store) == {}


FAULTS: list[Fault] = ["drop", "reset", "half", "cut", "error", "skew", "spoil", "spoil_upload"]


@pytest.mark.parametrize("fault", FAULTS)
def test_any_request_may_go_wrong(tmp_path: Path, s3: S3, proxy: FlakyProxy, fault: Fault) -> None:
    """After a fault at any request of a two-way sync the next syncs resume and lose nothing."""
    for number in itertools.count(FAULTS.index(fault), len(FAULTS)):
        name = f"any-{fault.replace('_', '-')}-{number}"
        s3.make_bucket(name)
        devices = [Device(tmp_path / name / room, s3_bucket(proxy, name)) for room in ("kitchen", "bedroom")]
        voice = devices[0].store.add(new_voice(1))
        devices[1].store.rename(devices[1].store.add(new_voice(2)).ref, "Mum")
        at = len(proxy.requests) + number
        proxy.fault = lambda request, at=at: fault if request.number == at else None
        devices[0].sync()
        devices[1].sync()
        devices[0].store.delete(voice.ref)
        devices[0].sync()
        struck = len(proxy.requests) > at
        proxy.fault = lambda request: None
        settle(*devices)
        assert contents(devices[0].store) == contents(devices[1].store)
        assert list(contents(devices[0].store).values()) == ["Mum"]
        if not struck:
            break
    assert number > 15


def test_a_fetch_resumes_where_it_broke_off(kitchen: Device, bedroom: Device, proxy: FlakyProxy) -> None:
    """A resumed fetch does not repeat files, and the voice appears only when complete."""
    voice = kitchen.store.add(new_voice(takes=3))
    kitchen.sync()
    begin = len(proxy.requests)
    proxy.fault = lambda request: "drop" if request.number >= begin + 4 else None
    assert bedroom.sync().status == "failed"
    assert contents(bedroom.store) == {}
    fetched = {request.path for request in proxy.requests[begin:] if "/files/" in request.path}
    proxy.requests.clear()
    proxy.fault = lambda request: None
    open_store(bedroom.store.directory, device="bedroom")
    assert bedroom.sync().fetched == 1
    again = {request.path for request in proxy.requests if "/files/" in request.path}
    assert len(fetched) == 3
    assert len(again & fetched) == 1  # the one that broke off
    assert bedroom.store.files(voice)
    assert not list(bedroom.store.directory.glob(".incoming/*/*"))


def test_what_an_earlier_fetch_left_is_hashed(kitchen: Device, bedroom: Device) -> None:
    """A torn or changed file of an unfinished fetch is fetched again, not taken for the recording."""
    voice = kitchen.store.add(new_voice())
    kitchen.sync()
    folder = bedroom.store.incoming(voice.ref)
    folder.mkdir(parents=True)
    for entry in voice.card.files.values():
        (folder / entry.sha256).write_bytes(b"x" * entry.bytes)
    assert bedroom.sync().fetched == 1
    assert bedroom.store.files(voice) == kitchen.store.files(voice)


@pytest.mark.parametrize("what", ["/card", "/files/"])
def test_an_object_that_is_refused_costs_its_voice_only(
    kitchen: Device, bedroom: Device, proxy: FlakyProxy, what: str
) -> None:
    """An object that is refused (S3 Glacier) fails its own voice; a refused listing fails the sync."""
    voices = [kitchen.store.add(new_voice(number, name=f"V{number}")) for number in range(4)]
    first = min(voice.ref for voice in voices)
    settle(kitchen)
    proxy.fault = lambda request: "glacier" if first.id in request.path and what in request.path else None
    for fetched in (3, 0):
        report = bedroom.sync()
        assert (report.status, report.fetched, report.error, len(report.problems)) == ("incomplete", fetched, "", 1)
        assert "InvalidObjectState" in report.problems[0]
        assert first.id in report.problems[0]
    proxy.fault = lambda request: "glacier"
    assert bedroom.sync().status == "failed"
    proxy.fault = lambda request: None
    settle(bedroom, kitchen)
    assert len(contents(bedroom.store)) == 4


def test_a_tombstone_that_is_refused_keeps_its_voice_where_it_is(
    kitchen: Device, bedroom: Device, proxy: FlakyProxy
) -> None:
    """While its tombstone is refused a voice is neither sent nor fetched; once it is readable, deleted."""
    dead, alive = kitchen.store.add(new_voice(1)), kitchen.store.add(new_voice(2, name="Alive"))
    settle(kitchen)
    kitchen.store.delete(dead.ref)
    kitchen.store.rename(alive.ref, "Mum")
    settle(kitchen)
    proxy.fault = lambda request: "glacier" if "/tombstones/" in request.path else None
    assert bedroom.sync().status == "incomplete"
    proxy.fault = lambda request: None
    settle(bedroom, kitchen)
    assert list(contents(bedroom.store).values()) == ["Mum"]
    assert bedroom.store.tombstones().keys() == {dead.ref}


def test_wrong_bytes_are_never_used_and_are_repaired(kitchen: Device, bedroom: Device) -> None:
    """A changed recording in the bucket is not stored, and is repaired by the device with the right one."""
    voice = kitchen.store.add(new_voice())
    settle(kitchen)
    data = bytearray(kitchen.store.read(voice, "reference.flac"))
    data[-1] ^= 1
    sha256 = voice.card.files["reference.flac"].sha256
    kitchen.bucket.replace(f"v1/anna/{voice.ref.id}/files/{sha256}", bytes(data))
    report = bedroom.sync()
    assert report.status == "incomplete"
    assert "wrong bytes" in report.problems[0]
    assert contents(bedroom.store) == {}
    settle(kitchen, bedroom)
    assert contents(bedroom.store) == contents(kitchen.store) != {}


def test_a_rotten_recording_is_taken_from_the_bucket_again(kitchen: Device, bedroom: Device) -> None:
    """A thorough sync repairs bit rot on the local disk and keeps the current name."""
    voice = kitchen.store.add(new_voice())
    settle(kitchen, bedroom)
    bedroom.store.rename(voice.ref, "Mum")
    path = bedroom.store.folder(voice.ref) / "reference.flac"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert bedroom.sync(thorough=True).fetched == 1
    assert contents(bedroom.store) == {("anna", voice.ref.id): "Mum"}
    settle(bedroom, kitchen)
    assert contents(kitchen.store) == {("anna", voice.ref.id): "Mum"}


def test_a_rotten_tombstone_brings_nobody_back(kitchen: Device, bedroom: Device) -> None:
    """A voice with an unreadable tombstone is neither deleted nor sent until its author repairs it."""
    voice = kitchen.store.add(new_voice())
    settle(kitchen, bedroom)
    kitchen.store.delete(voice.ref)
    settle(kitchen)
    (stone,) = kitchen.bucket.list("v1")
    kitchen.bucket.replace(stone, b"{}")
    assert bedroom.sync().status == "incomplete"
    assert list(kitchen.bucket.list("v1")) == [stone]
    settle(kitchen, bedroom)
    assert contents(bedroom.store) == {}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("how", ["rotten", "forged"])
def test_one_good_tombstone_is_enough(kitchen: Device, bedroom: Device, how: str, first: bool) -> None:
    """A bad tombstone beside a good one prevents no deletion and is reported once at most."""
    voice = kitchen.store.add(new_voice())
    settle(kitchen, bedroom)
    kitchen.store.delete(voice.ref)
    (good,) = (sha256(stone) for stone in kitchen.store.tombstones().values())
    tries = (to_bytes(Tombstone(owner="bert", voice=voice.ref.id, time=n, device="x")) for n in itertools.count())
    data = next(data for data in tries if (sha256(data) < good) == first)
    name = f"v1/anna/{voice.ref.id}/tombstones/{sha256(data)}"
    kitchen.bucket.create(name, data if how == "forged" else data + b"?")
    assert kitchen.sync().status == "done"
    report = bedroom.sync()
    assert contents(bedroom.store) == {}
    assert (report.deleted, len(report.problems)) == (1, first)
    settle(kitchen, bedroom)
    assert set(kitchen.bucket.list("v1")) == {name, f"v1/anna/{voice.ref.id}/tombstones/{good}"}


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_tombstone_damaged_here_is_repaired_and_not_sent(kitchen: Device, bedroom: Device, when: str) -> None:
    """A tombstone damaged on the local disk, before or during a sync, is repaired and never sent."""
    voice = kitchen.store.add(new_voice())
    settle(kitchen, bedroom)
    kitchen.store.delete(voice.ref)

    def rot(report: SyncReport | None = None) -> None:
        if report is None or (report.planned == 1 and report.done == 0):
            (path,) = kitchen.store.directory.glob(".deleted/*/*.json")
            path.write_bytes(path.read_bytes().replace(b"{", b"\xfb"))

    if when == "before":
        rot()
        assert kitchen.sync().status == "done"
    else:
        executor = SyncExecutor(store=kitchen.store, bucket=kitchen.bucket, name="test", clock=lambda: 0.0)
        assert "tombstone" in executor.run(publish=rot).problems[0]
        assert not any("/tombstones/" in path for path in kitchen.bucket.list("v1"))
    settle(kitchen, bedroom)
    assert contents(bedroom.store) == {}
    (stone,) = kitchen.bucket.list("v1")
    assert stone.endswith(sha256(bedroom.store.tombstones()[voice.ref]))


@pytest.mark.parametrize("how", ["wrong owner", "wrong voice", "huge", "not JSON"])
def test_a_forged_tombstone_deletes_nothing(kitchen: Device, how: str) -> None:
    """A tombstone of another voice or owner, or a malformed one, deletes nothing."""
    voice = kitchen.store.add(new_voice())
    settle(kitchen)
    owner = "bert" if how == "wrong owner" else "anna"
    other = "0" * 32 if how == "wrong voice" else voice.ref.id
    data = to_bytes(Tombstone(owner=owner, voice=other, time=0, device="x"))
    data = {"huge": b" " * 70000 + data, "not JSON": b"\0"}.get(how, data)
    kitchen.bucket.create(f"v1/anna/{voice.ref.id}/tombstones/{sha256(data)}", data)
    assert kitchen.sync().status == "incomplete"
    assert len(contents(kitchen.store)) == 1


def test_strange_objects_are_left_alone(kitchen: Device, bedroom: Device) -> None:
    """Foreign objects are neither read nor removed; a card that is none is reported and not used."""
    for path in ("v1/readme.txt", "v1/Anna/x/card", "other/thing"):
        kitchen.bucket.create(path, b"x")
    kitchen.bucket.create(f"v1/anna/{'0' * 32}/card", b"{}")
    good = kitchen.store.add(new_voice())
    assert kitchen.sync().problems == (f"v1/anna/{'0' * 32}/card: wrong bytes in the bucket",)
    bedroom.sync()
    assert list(contents(bedroom.store)) == [("anna", good.ref.id)]
    assert "v1/readme.txt" in kitchen.bucket.list("v1")


def test_a_report_of_strange_objects_stays_small_and_plain(kitchen: Device) -> None:
    """Foreign objects cannot inject control characters into the report nor make it large."""
    for number in range(MOST_PROBLEMS + 5):
        card = json.dumps({f"{number}\n\x1b[2J\x9b\u202e" + "A" * 60000: 1}, ensure_ascii=number % 2 == 0).encode()
        kitchen.bucket.create(f"v1/anna/{voice_id(card)}/card", card)
    report = kitchen.sync()
    assert (len(report.problems), report.more_problems) == (MOST_PROBLEMS, 5)
    assert all(problem.isprintable() for problem in report.problems)
    assert max(len(to_bytes(report)) for report in kitchen.reports) < 10000


def test_an_emptied_bucket_is_filled_again(kitchen: Device, bedroom: Device) -> None:
    """An emptied bucket gets voices and tombstones again."""
    dead, alive = kitchen.store.add(new_voice(1)), kitchen.store.add(new_voice(2, name="Alive"))
    settle(kitchen, bedroom)
    kitchen.store.delete(dead.ref)
    settle(kitchen)
    for path in kitchen.bucket.list("v1"):
        kitchen.bucket.delete(path)
    settle(bedroom, kitchen)
    assert list(contents(kitchen.store)) == list(contents(bedroom.store)) == [("anna", alive.ref.id)]


def test_wrong_credentials_cost_nothing_but_the_sync(kitchen: Device, s3: S3) -> None:
    """Wrong credentials fail the sync, and with the right ones it resumes."""
    kitchen.store.add(new_voice())
    s3.require_login(True)
    try:
        report = kitchen.sync()
    finally:
        s3.require_login(False)
    assert report.status == "failed"
    assert "does not know these credentials" in report.error
    assert report.last_success is None
    settle(kitchen)
    assert kitchen.reports[-1].last_success is not None


def test_owners_not_asked_for_are_neither_sent_nor_fetched(tmp_path: Path, proxy: FlakyProxy, bucket_name: str) -> None:
    """A device limited to one owner lists that prefix alone and touches no other voice."""
    guest = Device(tmp_path / "guest", s3_bucket(proxy, bucket_name), owners=["anna"])
    home = Device(tmp_path / "home", s3_bucket(proxy, bucket_name))
    anna, bert = home.store.add(new_voice(1)), home.store.add(new_voice(2, owner="bert"))
    private = guest.store.add(new_voice(3, owner="carl"))
    home.sync()
    proxy.requests.clear()
    settle(guest)
    assert not any("bert" in request.path or "carl" in request.path for request in proxy.requests)
    assert set(contents(guest.store)) == {("anna", anna.ref.id), ("carl", private.ref.id)}
    home.store.delete(bert.ref)
    settle(home, guest)
    assert set(contents(home.store)) == {("anna", anna.ref.id)}


def test_a_voice_without_consent_is_not_taken(tmp_path: Path, proxy: FlakyProxy, bucket_name: str) -> None:
    """A voice without consent is not fetched, unless configured otherwise."""
    lax = Device(tmp_path / "lax", s3_bucket(proxy, bucket_name))
    lax.store.require_consent = False
    lax.store.add(new_voice(consent=False))
    lax.sync()
    strict = Device(tmp_path / "strict", s3_bucket(proxy, bucket_name))
    proxy.requests.clear()
    assert "without a consent record" in strict.sync().problems[0]
    assert contents(strict.store) == {}
    assert not any("/files/" in request.path for request in proxy.requests)


def test_writers_at_the_same_time(tmp_path: Path, proxy: FlakyProxy, bucket_name: str) -> None:
    """Four devices that sync the same voice at once do not disturb each other."""
    devices = [Device(tmp_path / f"room{n}", s3_bucket(proxy, bucket_name)) for n in range(4)]
    shared = devices[0].store.add(new_voice(0))
    for number, device in enumerate(devices):
        files = devices[0].store.files(shared)
        device.store.accept(shared.ref, devices[0].store.card_bytes(shared), files, event="imported")
        device.store.add(new_voice(number + 1, name=f"V{number}"))
        device.store.rename(shared.ref, f"By {number}")
    threads = [threading.Thread(target=device.sync) for device in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle(*devices)
    everything = contents(devices[0].store)
    assert len(everything) == 5
    assert all(contents(device.store) == everything for device in devices)
    assert everything["anna", shared.ref.id] == "By 3"  # the same counter: the greater device name decides


def test_progress_is_published_step_by_step(kitchen: Device) -> None:
    """Reports show the running sync, its progress and its end, which is kept for other processes."""
    kitchen.store.add(new_voice())
    last = kitchen.sync()
    assert kitchen.reports[0].status == "running"
    assert [report.done for report in kitchen.reports] == sorted(report.done for report in kitchen.reports)
    assert last == kitchen.reports[-1]
    assert (last.done, last.planned, last.sent, last.status) == (4, 4, 4, "done")


def test_a_folder_serves_as_a_bucket(tmp_path: Path) -> None:
    """Two devices sync over a folder, and keep their voices when its disk is unplugged."""
    with folder_bucket(tmp_path / "stick") as first, folder_bucket(tmp_path / "stick") as second:
        devices = [Device(tmp_path / "kitchen", first), Device(tmp_path / "bedroom", second)]
        devices[0].store.add(new_voice())
        settle(*devices)
        (tmp_path / "stick").rename(tmp_path / "pocket")
        report = devices[1].sync()
        assert (report.status, "vanished" in report.error) == ("failed", True)
        assert len(contents(devices[1].store)) == 1
        assert not (tmp_path / "stick").exists()
        (tmp_path / "pocket").rename(tmp_path / "stick")
        settle(*devices)


def test_a_voice_deleted_in_the_middle_of_a_sync_stays_deleted(kitchen: Device, bedroom: Device) -> None:
    """A voice deleted during its upload is erased from the bucket and stays on no device."""
    voice = kitchen.store.add(new_voice())
    seen: list[VoiceRef] = []

    def delete_at_first_send(report: SyncReport) -> None:
        if report.sent == 1 and not seen:
            seen.append(voice.ref)
            kitchen.store.delete(voice.ref)

    executor = SyncExecutor(store=kitchen.store, bucket=kitchen.bucket, name="test", clock=lambda: 0.0)
    assert executor.run(publish=delete_at_first_send).status == "done"
    bedroom.sync()
    settle(kitchen, bedroom)
    assert seen
    assert contents(kitchen.store) == contents(bedroom.store) == {}
    assert len(kitchen.bucket.list("v1")) == 1
