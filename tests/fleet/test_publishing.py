"""The operator's commands: what lies in the bucket afterwards, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from fleet_keys import Keys
from s3 import folder_bucket
from toy_model_sets import write_model_set

from edge_tts.cli.main import main
from edge_tts.errors import FleetError
from edge_tts.fleet.layout import CURRENT, FILES
from edge_tts.fleet.publishing import Publisher
from edge_tts.fleet.release import FEWEST, Release, Terms, is_stopped, parse_release, takes_part
from edge_tts.fleet.reports import DeviceReport, ReleaseStatus, send_report, tell_outcome


class Office:
    """A folder as bucket, model sets, and a configuration with public keys."""

    def __init__(self, folder: Path, keys: Keys, *, signers: int = 1) -> None:
        self.folder, self.keys, self.bucket = folder, keys, folder / "bucket"
        self.trust = keys.trust(2, signers=signers)
        config = {
            "bucket": {"url": str(self.bucket)},
            "models": {"dir": "models"},
            "fleet": {"public_keys": list(self.trust.keys), "signers": signers},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))

    def release(self, command: str, *arguments: str, key: int | None = 0) -> int:
        """`edge-ttsd release ...`"""
        signed = () if key is None else ("--key", str(self.keys.files[key]))
        return main(["release", command, "-c", str(self.folder / "config.yaml"), *arguments, *signed])

    def model(self, name: str, version: str = "1") -> Path:
        """A toy set."""
        return write_model_set(self.folder / "models" / name, version=version)

    def models(self, *names: str) -> None:
        """Several."""
        for name in names:
            self.model(name)

    def current(self) -> Release:
        with folder_bucket(self.bucket) as bucket:
            current = Publisher(bucket=bucket, trust=self.trust).current()
        assert current is not None
        return current


@pytest.fixture
def office(tmp_path: Path, keys: Keys) -> Office:
    return Office(tmp_path, keys)


def test_a_release_names_every_file_by_its_hash(office: Office) -> None:
    """The bucket has release.json and each file under its hash, the manifest too."""
    office.model("mine", "1.2")
    assert office.release("create", "mine", "--share", "10", "--expires", "14d") == 0
    current = office.current()
    assert (current.name, current.version, current.terms.share) == ("mine", "1.2", 10)
    assert current.number == current.counter
    assert round((current.terms.expires - current.signed_at) / 86400) == 14
    assert {file.sha256 for file in current.files.values()} == {path.name for path in (office.bucket / FILES).iterdir()}
    assert "manifest.json" in current.files
    assert re.fullmatch("mine-[0-9a-f]{8}", current.folder)


def test_what_is_in_the_bucket_is_not_sent_again(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """A second release of the same set sends nothing."""
    office.model("mine")
    office.release("create", "mine")
    assert "sent wave.onnx" in capsys.readouterr().out
    office.release("create", "mine")
    assert "sent" not in capsys.readouterr().out


def test_promote_and_rollback_are_new_documents_of_old_releases(office: Office) -> None:
    """Each has a higher counter; the number is the release's."""
    office.models("one", "two")
    office.release("create", "one")
    first = office.current()
    office.release("create", "two", "--share", "10")
    second = office.current()
    assert office.release("promote", "--share", "50") == 0
    promoted = office.current()
    assert (promoted.number, promoted.terms.share) == (second.number, 50)
    assert office.release("rollback") == 0
    back = office.current()
    assert (back.number, back.folder, back.terms.share) == (first.number, first.folder, 100)
    assert first.counter < second.counter < promoted.counter < back.counter
    assert office.release("rollback", "--to", second.folder) == 0
    assert office.current().number == second.number


def test_a_final_release_has_no_way_back(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """The minimum is signed, stays in every later document, and the tool refuses as devices do."""
    office.models("one", "two")
    office.release("create", "one")
    office.release("create", "two")
    assert office.release("promote", "--final") == 0
    final = office.current()
    assert final.minimum == final.number
    assert office.release("rollback") == 1
    assert "no device may go back" in capsys.readouterr().err
    office.model("three")
    office.release("create", "three")
    assert office.current().minimum == final.minimum


def test_a_second_signer_completes_a_release(tmp_path: Path, keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    """Until then nothing is given out; what is signed is shown first, and a stranger's signature completes nothing."""
    office = Office(tmp_path, keys, signers=2)
    office.model("mine")
    assert office.release("create", "mine") == 0
    assert not (office.bucket / CURRENT).exists()
    assert office.release("sign", key=None) == 0
    assert re.search("mine-[0-9a-f]{8}: mine 1", capsys.readouterr().out)
    assert office.release("sign", key=2) == 0
    assert not (office.bucket / CURRENT).exists()
    assert office.release("sign", key=1) == 0
    assert office.current().name == "mine"
    assert office.release("sign") == 1  # nothing waits any more


def test_a_key_that_no_device_trusts_publishes_nothing(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong key file is noticed where it is used."""
    office.model("mine")
    assert office.release("create", "mine", key=2) == 1
    assert "fleet.public_keys" in capsys.readouterr().err
    assert not (office.bucket / CURRENT).exists()


def test_what_a_thief_left_keeps_no_operator_from_publishing(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    """A forged document is shown as such and replaced, and a replayed one is not what is promoted."""
    office.models("one", "two")
    office.release("create", "one")
    old = (office.bucket / CURRENT).read_bytes()
    office.release("create", "two", "--share", "10")
    (office.bucket / CURRENT).write_bytes(old)
    assert office.release("promote") == 0
    assert office.current().name == "two"
    (office.bucket / CURRENT).write_bytes(b"forged")
    assert office.release("status", key=None) == 1
    assert "no device takes it" in capsys.readouterr().out
    assert office.release("create", "one") == 0
    assert office.current().name == "one"


def test_a_damaged_set_is_not_released(office: Office) -> None:
    """Its files are compared with its manifest first."""
    (office.model("mine") / "wave.onnx").write_bytes(b"Not a graph")
    assert office.release("create", "mine") == 1
    assert not (office.bucket / CURRENT).exists()


def test_a_bucket_that_hides_releases_gets_no_counter_twice(office: Office) -> None:
    """The counter grows with time even where the bucket says that there was nothing."""
    office.model("mine")
    now = 1_800_000_000.0
    with folder_bucket(office.bucket) as bucket:
        publisher = Publisher(bucket=bucket, trust=office.trust, keys=office.keys.files[:1], clock=lambda: now)
        terms = Terms(share=100.0, not_before=0.0, expires=now + 1)
        first = publisher.create(office.folder / "models" / "mine", terms).release
        bucket.delete(CURRENT)
        now += 60
        assert publisher.create(office.folder / "models" / "mine", terms).release.counter > first.counter


def test_a_release_that_stopped_itself_is_not_promoted(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """And the overview says so: a row for each device, a bar for each set, and status 1."""
    office.model("mine")
    office.release("create", "mine", "--share", "10")
    number = office.current().number
    with folder_bucket(office.bucket) as bucket:
        for name in ("attic", "cellar"):
            status = ReleaseStatus(stage="failed", number=number, why="DNSMOS 1.00", current="first")
            send_report(bucket, DeviceReport(device=name, at=0.0, release=status, mos=1.0, p95_s=0.5))
            tell_outcome(bucket, number, "failed", name)
    capsys.readouterr()
    assert office.release("status", key=None) == 1
    shown = capsys.readouterr().out
    assert "failed on 2: stopped" in shown
    assert re.search(r"attic +first +failed +0\.50 +1\.00 +[0-9.]+ d ago \(!\) +DNSMOS 1\.00", shown)
    assert re.search(r"first  █+ 2", shown)
    assert office.release("promote") == 1
    assert "stopped itself" in capsys.readouterr().err
    assert office.release("promote", "--anyway") == 0


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/passwd", "a/../b", "a//b", "./a", "a\\b", ".hidden", "a/.b", "a\0b", "", "a/"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    """Even a signed one."""
    file = {"sha256": "0" * 64, "bytes": 1}
    files = {"manifest.json": file, path: file}
    release = {"counter": 1, "number": 1, "minimum": 1, "name": "mine", "version": "1", "signed_at": 0, "files": files}
    release["terms"] = {"share": 1, "not_before": 0, "expires": 1}
    with pytest.raises(FleetError, match="leads out"):
        parse_release(json.dumps(release).encode())


def test_a_share_is_a_share_and_grows(tmp_path: Path) -> None:
    """Of ten thousand devices a tenth has a tenth, each release draws anew, and who has part at 10 % has at 50 %."""
    devices = [f"device-{number}" for number in range(10_000)]
    tenth = {device for device in devices if takes_part(device, 7, 10)}
    half = {device for device in devices if takes_part(device, 7, 50)}
    other = {device for device in devices if takes_part(device, 8, 10)}
    assert abs(len(tenth) - 1000) < 150
    assert abs(len(half) - 5000) < 250
    assert tenth < half
    assert abs(len(tenth & other) - 100) < 60
    assert all(takes_part(device, 7, 100) for device in devices)
    assert not any(takes_part(device, 7, 0) for device in devices)


def test_failures_stop_a_release() -> None:
    """More than the share, taken of five at least: one failure stops nothing."""
    terms = Terms(share=10.0, not_before=0.0, expires=1.0, stop_percent=20.0)
    assert not is_stopped(terms, ok=0, failed=1)
    assert is_stopped(terms, ok=0, failed=2)
    assert not is_stopped(terms, ok=FEWEST * 4, failed=FEWEST)
    assert is_stopped(terms, ok=FEWEST * 4, failed=FEWEST + 1)


def test_two_devices_never_need_the_same_hour(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Times are read as spans, local times and times with a zone; anything else is named."""
    office.model("mine")
    assert office.release("create", "mine", "--not-before", "2031-01-01T00:00:00Z", "--expires", "2031-02-01") == 0
    assert office.current().terms.not_before == 1924992000
    assert office.release("create", "mine", "--expires", "2020-01-01") == 1
    assert "expires" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        office.release("create", "mine", "--expires", "soon")
    assert "'soon' is neither" in capsys.readouterr().err
