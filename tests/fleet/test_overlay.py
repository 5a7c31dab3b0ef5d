"""A signed part of config.yaml: what it may change, and that no device is lost over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from fleet_keys import Keys
from hypothesis import given
from hypothesis import strategies as st
from power_cut import cut_everywhere
from s3 import folder_bucket

from edge_tts.cli.main import main
from edge_tts.config import Config, ConfigSource
from edge_tts.errors import ConfigError, FleetError, QueueFullError
from edge_tts.fleet.device_overlay import DeviceOverlay
from edge_tts.fleet.layout import overlay_path
from edge_tts.fleet.overlay import CLOSED, OPEN, OVERLAY, OWN, Overlay, differences, overlaid, payload_of_overlay
from edge_tts.fleet.overlay_rollout import GroupMember, OverlayRollout, OverlayStatus
from edge_tts.fleet.publishing import Publisher
from edge_tts.fleet.remembered import RememberedFile
from edge_tts.fleet.signing import sign

DAY = 86400.0
BASE = {"device": "attic", "audio": {"volume": 80, "output": "none"}, "text": {"lexicon": {"en": {"Aoife": "EE fa"}}}}


def source(folder: Path) -> ConfigSource:
    return ConfigSource(BASE, folder)


def document(text: str, counter: int = 1, group: str = "upstairs") -> Overlay:
    return Overlay(counter=counter, group=group, signed_at=0.0, expires=4e9, text=text)


def test_every_section_is_open_or_the_devices_own() -> None:
    """Whoever adds one decides; nothing is both."""
    assert set(Config.model_fields) <= OPEN | OWN
    assert not OPEN & OWN


def test_mappings_are_merged_and_all_else_replaced(tmp_path: Path) -> None:
    """A word is added to the device's own ones, its volume replaced, the rest stays; each difference is a line."""
    text = "audio: {volume: 40}\ntext: {lexicon: {en: {Nginx: engine x}}}\nmqtt: {groups: [upstairs]}\n"
    config = overlaid(source(tmp_path), text)
    assert (config.audio.volume, config.audio.output, config.device) == (40, "none", "attic")
    assert config.text.lexicon == {"en": {"Aoife": "EE fa", "Nginx": "engine x"}}
    assert differences(source(tmp_path).config(), config) == [
        "audio.volume: 80.0 -> 40.0",
        'mqtt.groups: [] -> ["upstairs"]',
        'text.lexicon.en.Nginx: none -> "engine x"',
    ]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("device: other", "key 'device' is the device's own"),
        ("fleet: {public_keys: []}", "key 'fleet.public_keys' is the device's own"),
        ("bucket: {url: s3://evil}", "key 'bucket.url' is the device's own"),
        ("mqtt: {host: evil}", "key 'mqtt.host' is the device's own"),
        ("mqtt: {}", "key 'mqtt' is the device's own"),
        ("ducking: {before: [sh]}", "key 'ducking.before' is the device's own"),
        ("state_dir: /", "key 'state_dir' is the device's own"),
        ("models: {dir: /tmp}", "key 'models.dir' is the device's own"),
        ("remote: {url: http://evil}", "key 'remote.url' is the device's own"),
        ("enrolment: {remote: full}", "key 'enrolment.remote' guards the people"),
        ("content: {command: [/bin/sh]}", "key 'content.command' guards the people at the device or runs a program"),
        ("content: {rules: [{name: a, file: /etc/passwd}]}", "key 'content.rules': names a file"),
        ("audio: {file: /etc/passwd}", "key 'audio.file': names a file"),
        ("audio: {chime: /etc/shadow}", "key 'audio.chime': names a file"),
        ("voices: {dir: /tmp}", "key 'voices.dir': names a file"),
        ("http: {token_file: x}", "key 'http.token_file': names a file"),
        ("audio: {volume: 400}", "key 'audio.volume'"),
        ("audio: {volumes: 4}", "unknown key 'audio.volumes', did you mean 'volume'?"),
        ("audio: 7", "key 'audio'"),
        ("text: {lexicon: {en: {Aoife: ''}}}", "overlay: "),
        ("[1]", "no mapping"),
        ("audio: [", "cannot be read as YAML: line 1"),
        ("audio: &a {volume: 1}\nhttp: *a", "an alias"),
    ],
)
def test_what_is_not_its_to_change_is_refused(text: str, named: str, tmp_path: Path) -> None:
    """By key: what names the device, runs commands, decides whom it trusts, names files, or guards people; and what is
    not valid."""
    with pytest.raises(ConfigError) as refused:
        overlaid(source(tmp_path), text)
    assert named in str(refused.value)


@given(st.text(max_size=200) | st.sampled_from(sorted(OWN | CLOSED)).map(lambda key: key.replace(".", ": {") + ": 1"))
def test_no_text_changes_what_is_the_devices_own(text: str) -> None:
    """It is refused by name, or leaves that as it is."""
    base = ConfigSource(BASE, Path("/nowhere"))
    try:
        config = overlaid(base, text)
    except ConfigError:
        return
    assert {key: getattr(config, key) for key in OWN} == {key: getattr(base.config(), key) for key in OWN}


class Box:
    """A device's overlay on disk, made anew at each start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, group: str = "upstairs") -> DeviceOverlay:
        overlay = DeviceOverlay(self._folder / "overlay.json", source=source(self._folder), group=group)
        overlay.begin()
        return overlay

    def volume(self) -> float:
        """That the next start would have."""
        overlay = DeviceOverlay(self._folder / "overlay.json", source=source(self._folder), group="upstairs")
        return overlay.config().audio.volume


def test_an_overlay_that_does_not_come_up_is_taken_back(tmp_path: Path) -> None:
    """One start that never served, by death or by an error, and the last good one runs, for good; one that served
    stays, and a stop by a person does not count."""
    box = Box(tmp_path)
    first = box.start()
    first.take(document("audio: {volume: 40}"))
    box.start().cancel_attempt()
    box.start().proven()
    good = box.start()
    assert (good.config().audio.volume, good.pending) == (40, False)
    good.take(document("audio: {volume: 10}", counter=2))
    assert good.pending
    box.start()  # and it dies
    after = box.start()
    assert (after.config().audio.volume, after.counter) == (40, 1)
    assert after.refused(2) == "the process died before it could serve"
    after.take(document("audio: {volume: 20}", counter=3))
    third = box.start()
    assert third.fall_back("no such voice")
    assert (third.config().audio.volume, third.refused(3)) == (40, "no such voice")
    assert not third.fall_back("again")


def test_one_that_is_not_valid_any_more_is_left_out(tmp_path: Path) -> None:
    """After an update of the program, say; and one of a group that the device has left counts for nothing."""
    box = Box(tmp_path)
    box.start().take(document("audio: {volume: 40, gone: 1}"))
    assert box.volume() == 80
    box.start().take(document("audio: {volume: 40}", counter=2))
    assert box.volume() == 40
    assert box.start(group="cellar").config().audio.volume == 80
    (tmp_path / "overlay.json").write_text("{")
    assert box.volume() == 80


def test_a_power_cut_leaves_one_or_the_other(tmp_path: Path) -> None:
    """Whichever change of the disk is the last: the device has a whole configuration."""

    def start(root: Path) -> None:
        box = Box(root)
        box.start().take(document("audio: {volume: 40}"))
        box.start().proven()

    def work(root: Path) -> None:
        box = Box(root)
        box.start().take(document("audio: {volume: 20}", counter=2))
        box.start().proven()

    def check(root: Path, whole: bool) -> None:
        assert Box(root).volume() in ((20,) if whole else (40, 20))

    assert cut_everywhere(tmp_path, start=start, work=work, check=check) > 5


class Group:
    """A bucket, an operator, and one device of the group `upstairs`."""

    def __init__(self, folder: Path, keys: Keys) -> None:
        self.folder, self.keys, self.now = folder, keys, 1_800_000_000.0
        self.bucket = folder_bucket(folder / "bucket")
        self.restarts = 0
        self.busy = False
        self.shown: list[OverlayStatus] = []
        self.box = Box(folder)
        self.start()

    def start(self, *, auto: bool = True) -> DeviceOverlay:
        """After a restart that serves."""
        self.overlay = self.box.start()
        self.overlay.proven()
        self.rollout = OverlayRollout(
            who=GroupMember(trust=self.keys.trust(), group="upstairs", auto=auto),
            device=self.overlay,
            file=RememberedFile(self.folder / "fleet.json"),
            show=self.shown.append,
            restart=self._restart,
            clock=lambda: self.now,
        )
        return self.overlay

    def publish(self, text: str, group: str = "upstairs") -> None:
        self.now += 1
        publisher = Publisher(
            bucket=self.bucket, trust=self.keys.trust(), keys=self.keys.files[:1], clock=lambda: self.now
        )
        assert publisher.publish_overlay(group, text, self.now + DAY) == 0

    def look(self, *, asked: bool = False) -> OverlayStatus:
        return self.rollout.look(self.bucket, asked=asked)

    def _restart(self) -> None:
        if self.busy:
            raise QueueFullError("another change is under way")
        self.restarts += 1


@pytest.fixture
def group(tmp_path: Path, keys: Keys) -> Iterator[Group]:
    made = Group(tmp_path, keys)
    yield made
    made.bucket.close()


def test_an_overlay_is_shown_and_then_taken_up(group: Group) -> None:
    """The diff is told before the restart; afterwards it runs."""
    assert group.look().stage == "none"
    group.publish("audio: {volume: 40}")
    assert (group.look().stage, group.restarts) == ("applying", 1)
    assert group.shown[-1].changes == ("audio.volume: 80.0 -> 40.0",)
    assert group.start().config().audio.volume == 40
    assert (group.look().stage, group.restarts) == ("applied", 1)


def test_a_person_applies_what_is_only_offered(group: Group) -> None:
    """With `fleet.auto` off nothing changes before; a change under way is waited for."""
    group.start(auto=False)
    group.publish("audio: {volume: 40}")
    status = group.look()
    assert (status.stage, status.changes) == ("offered", ("audio.volume: 80.0 -> 40.0",))
    assert group.box.volume() == 80
    group.busy = True
    assert group.look(asked=True).stage == "waiting"
    group.busy = False
    group.look()
    assert group.restarts == 1
    assert group.start(auto=False).config().audio.volume == 40


def test_one_that_is_not_valid_here_is_refused_and_told(group: Group) -> None:
    """The device runs what it ran, and does not try it again."""
    group.publish("audio: {volume: 400}")
    for _ in range(2):
        status = group.look()
        assert (status.stage, "audio.volume" in status.why, group.restarts) == ("refused", True, 0)
    assert group.box.volume() == 80


def test_one_that_did_not_come_up_is_not_tried_again(group: Group) -> None:
    """The boot counter took it back."""
    group.publish("voice: nobody")
    group.look()
    assert group.box.start().fall_back("voice: there is no nobody")
    group.start()
    status = group.look()
    assert (status.stage, status.why, group.restarts) == ("refused", "voice: there is no nobody", 1)


def test_no_overlay_is_replayed_or_exchanged(group: Group) -> None:
    """An older one, one of another group, another of the same counter, one without a signature and one that is over
    change nothing."""
    path = overlay_path("upstairs")
    group.publish("audio: {volume: 40}")
    old = group.bucket.get(path, most=1 << 20)
    group.publish("audio: {volume: 30}")
    group.look()
    group.start()
    assert old is not None
    group.bucket.replace(path, old.data)
    with pytest.raises(FleetError, match="replays an old one"):
        group.look()
    group.publish("audio: {volume: 20}", group="cellar")
    other = group.bucket.get(overlay_path("cellar"), most=1 << 20)
    assert other is not None
    group.bucket.replace(path, other.data)
    with pytest.raises(FleetError, match="is for the group cellar"):
        group.look()
    forged = document("audio: {volume: 10}", counter=group.overlay.counter)
    group.bucket.replace(path, sign(payload_of_overlay(forged), OVERLAY, group.keys.files[:1]))
    with pytest.raises(FleetError, match="two overlays"):
        group.look()
    group.bucket.replace(path, sign(payload_of_overlay(forged), OVERLAY, group.keys.files[2:]))
    with pytest.raises(FleetError, match="0 valid"):
        group.look()
    over = forged.model_copy(update={"counter": forged.counter + 1, "expires": group.now})
    group.bucket.replace(path, sign(payload_of_overlay(over), OVERLAY, group.keys.files[:1]))
    assert group.look().stage == "expired"
    assert group.box.volume() == 30


def test_the_operator_sees_the_diff_first(tmp_path: Path, keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    """Against what the group has; without --yes nothing is published, what is not valid never is, and two signers are
    two people."""
    fleet = {"public_keys": list(keys.public[:2]), "signers": 2}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"bucket": {"url": "bucket"}, "fleet": fleet}))
    part = tmp_path / "upstairs.yaml"
    part.write_text("audio: {volume: 40}\n")

    def release(*arguments: str, key: int = 0) -> int:
        return main(["release", *arguments, "-c", str(tmp_path / "config.yaml"), "--key", str(keys.files[key])])

    assert release("overlay", "upstairs", str(part)) == 0
    assert "audio.volume: 100.0 -> 40.0\nNothing was published" in capsys.readouterr().out
    assert release("overlay", "upstairs", str(part), "--yes") == 0
    assert "one more signature" in capsys.readouterr().out
    assert not (tmp_path / "bucket" / overlay_path("upstairs")).exists()
    assert release("sign", "--overlay", "upstairs", key=1) == 0
    assert "audio: {volume: 40}\n" in capsys.readouterr().out
    assert (tmp_path / "bucket" / overlay_path("upstairs")).exists()
    part.write_text("audio: {volume: 30}\n")
    assert release("overlay", "upstairs", str(part)) == 0
    assert "audio.volume: 40.0 -> 30.0" in capsys.readouterr().out
    part.write_text("mqtt: {host: evil}\n")
    assert release("overlay", "upstairs", str(part), "--yes") == 1
    assert "the device's own" in capsys.readouterr().err
