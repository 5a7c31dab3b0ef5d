"""What a person may ask for: everything that is held about a voice, its end, and who did what to it."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from enrolled import make_features, new_voice
from s3 import KEY, S3, SECRET, s3_server
from toy_model_sets import write_model_set

from edge_tts.cli.main import main
from edge_tts.config import Config, load_config
from edge_tts.durable.audit_log import open_audit
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.local_voices import bucket_opener, open_store


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


class Device:
    """One with an enrolled voice that has left its traces."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.path = folder / "config.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        self.path.write_text(
            yaml.safe_dump(
                {
                    "device": folder.name,
                    "cache": {"max_mb": 10},
                    "results": {"dir": str(folder / "results")},
                    "models": {"name": "toy"},
                    **sections,
                }
            )
        )
        self.config: Config = load_config(self.path)
        self.store = open_store(self.config)

    def enrol(self) -> VoiceRef:
        """A voice with features of two sets, phrases, a request that waits, and the default's name."""
        voice = self.store.add(new_voice(name="Anna"))
        model = read_model_set(write_model_set(self.path.parent / "models" / "toy"))
        make_features(FeatureStore(store=self.store, model=model), voice)
        (voice.folder / "features" / f"{'2' * 16}.npz").write_bytes(b"of another set")
        self.store.rename(voice.ref, "Anna K.")
        self.store.share(voice.ref, ["kitchen"])
        state = self.config.state_dir
        hashed = hashlib.sha256(voice.ref.id.encode()).hexdigest()[:32]
        for path, data in (
            (self.config.cache.dir / hashed / f"{'0' * 64}.phrase", b"sound"),
            (state / "jobs" / "000000000001-0.json", json.dumps({"voice": voice.ref.id, "text": "Hello."}).encode()),
            (self.config.results.dir / f"{'3' * 32}.{hashed}.link.flac", b"sound"),
            (state / "requests.sqlite", f"others, {voice.ref.id}".encode()),
            (state / "settings.json", json.dumps({"voice": voice.ref.id}).encode()),
            (state / "engines" / "graph", voice.ref.id.encode()),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return voice.ref

    def run(self, *arguments: str) -> int:
        head, *rest = arguments
        words = [head, rest.pop(0)] if head == "voices" else [head]
        return main([*words, "-c", str(self.path), *rest])


def test_the_archive_has_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recordings, consent, measures, features of all sets, name, word, phrases, a partial fetch, a request that waits,
    the bucket's objects, the lines of the log and an index; private, and noted in the log."""
    device = Device(tmp_path / "kitchen")
    ref = device.enrol()
    other = device.store.add(new_voice(2, name="Bert")).ref
    assert device.run("sync") == 0
    part = device.store.incoming(ref) / ("1" * 64)
    part.parent.mkdir(parents=True)
    part.write_bytes(b"of a fetch")
    hashed = hashlib.sha256(ref.id.encode()).hexdigest()[:32]
    sound = Path(str(device.config.bucket.url)) / "results" / "hall" / f"{'4' * 32}.{hashed}.link.mp3"
    sound.parent.mkdir(parents=True)
    sound.write_bytes(b"sound")
    out = tmp_path / "anna.zip"
    assert device.run("voices", "export", "Anna K.", "--everything", "--out", str(out)) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        folder = f"device{device.config.voices.dir}/{ref.owner}/{ref.id}"
        for name in ("voice.json", "reference.flac", "consent.json", "quality.json", "name.json", "share.json"):
            assert (
                archive.read(f"{folder}/{name}") == (device.config.voices.dir / ref.owner / ref.id / name).read_bytes()
            )
        assert sum(name.startswith(f"{folder}/features/") for name in names) == 2
        assert {Path(name).name for name in names} >= {f"{'0' * 64}.phrase", "1" * 64, "000000000001-0.json"}
        kinds = {name.split("/")[4] for name in names if name.startswith(f"bucket/v1/{ref.owner}/{ref.id}/")}
        assert kinds == {"card", "files", "names", "shares"}
        assert archive.read(f"bucket/results/hall/{sound.name}") == b"sound"
        lines = [json.loads(line) for line in archive.read("audit.jsonl").decode().splitlines()]
        assert [line["event"] for line in lines] == ["enrolled", "renamed", "shared"]
        index = json.loads(archive.read("index.json"))
        assert index["voice"] == {"owner": ref.owner, "id": ref.id}
        assert not any(other.id in name or "engines" in name or "sqlite" in name for name in names)
    assert open_audit(device.config, clock=lambda: 0.0).lines()[-1]["event"] == "exported"


def test_a_bucket_out_of_reach_costs_its_part_of_the_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The device's part is there, the status tells of the other; a voice whose deletion can be undone has one, too."""
    device = Device(tmp_path / "kitchen", bucket={"url": str(tmp_path / "no bucket")})
    (tmp_path / "no bucket").write_bytes(b"a file")
    ref = device.enrol()
    device.store.delete_later(ref)
    out = tmp_path / "anna.zip"
    assert device.run("voices", "export", ref.id, "--everything", "--out", str(out)) == 1
    assert "not in the archive: the bucket: " in capsys.readouterr().err
    with zipfile.ZipFile(out) as archive:
        assert any(name.endswith("reference.flac") for name in archive.namelist())


def bucket_of(kind: str, tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The section `bucket` of a configuration."""
    if kind == "folder":
        return {"url": str(tmp_path / "bucket")}
    name = f"forget-{kind}"
    s3.make_bucket(name)
    if kind == "versioned":
        body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        s3._call("PUT", f"/{name}?versioning", body)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return {"url": f"s3://{name}/home", "endpoint": f"http://127.0.0.1:{s3.port}"}


@pytest.mark.parametrize("kind", ["folder", "s3", "versioned"])
def test_what_is_forgotten_is_gone(
    kind: str, tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the device, from the bucket and, at its next sync, from another device; what is listed as kept is all there
    is. A bucket that keeps old versions is told of, and is no success."""
    bucket = bucket_of(kind, tmp_path, s3, monkeypatch)
    device, other = (Device(tmp_path / name, bucket=bucket) for name in ("kitchen", "hall"))
    ref = device.enrol()
    assert [device.run("sync"), other.run("sync")] == [0, 0]
    assert other.store.get(ref).name == "Anna K."
    hashed = hashlib.sha256(ref.id.encode()).hexdigest()[:32]
    sounds = [f"results/hall/{key * 32}.{whose}.link.mp3" for key, whose in (("1", hashed), ("2", "0" * 32))]
    if kind == "folder":
        for name in sounds:
            (tmp_path / "bucket" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "bucket" / name).write_bytes(b"of hall")
    else:
        for name in sounds:
            s3._call("PUT", f"/forget-{kind}/home/{name}", b"of hall")
    crashed = device.config.voices.dir / ".staging" / "tmp1" / "reference.flac"
    crashed.parent.mkdir(parents=True)
    crashed.write_bytes(b"sound")
    capsys.readouterr()
    assert device.run("voices", "forget", "Anna K.") == (1 if kind == "versioned" else 0)
    said = capsys.readouterr().out
    assert ("old versions in the bucket" in said) == (kind == "versioned")
    assert "LEFT" not in said
    left = [path for path in device.path.parent.rglob("*") if path.is_file() and "engines" not in path.parts]
    assert f"named device {device.config.state_dir / 'requests.sqlite'}" in said
    assert {path.name for path in left if ref.id in str(path) or hashed in str(path)} == {f"{ref.id}.json"}
    assert not any(b"Anna" in path.read_bytes() or path.read_bytes() == b"sound" for path in left)
    assert f"kept  bucket v1/{ref.owner}/{ref.id}/tombstones/" in said
    assert said.count(" bucket v1/") == 1
    open_bucket = bucket_opener(device.config)
    assert open_bucket is not None
    with open_bucket(lambda: False) as seen:
        assert list(seen.list("results")) == sounds[1:]
    if kind == "folder":
        objects = [path for path in (tmp_path / "bucket").rglob("*") if path.is_file() and ref.id in str(path)]
        assert [path.parent.name for path in objects] == ["tombstones"]
    assert other.run("sync") == 0
    assert not list(other.config.voices.dir.glob(f"*/{ref.id}"))
    assert other.run("voices", "forget", ref.id[:8]) == (1 if kind == "versioned" else 0)


def test_a_bucket_out_of_reach_is_no_proof(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The voice is gone here, the status tells that more is unknown, and the command can be run again."""
    device = Device(tmp_path / "kitchen", bucket={"url": str(tmp_path / "bucket")})
    ref = device.enrol()
    assert device.run("sync") == 0
    away = tmp_path / "away"
    (tmp_path / "bucket").rename(away)
    (tmp_path / "bucket").mkdir()
    assert device.run("voices", "forget", "Anna K.") == 1
    assert "not shown by this: that the bucket has deleted it" in capsys.readouterr().out
    assert not list(device.config.voices.dir.glob(f"*/{ref.id}"))
    (tmp_path / "bucket").rmdir()
    away.rename(tmp_path / "bucket")
    assert device.run("voices", "forget", ref.id[:8]) == 0


def test_what_cannot_be_removed_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of the voice that lies where none should is LEFT, with status 1, as is sound that names it."""
    device = Device(tmp_path / "kitchen", bucket={"url": None})
    ref = device.enrol()
    stray = device.config.state_dir / "backup" / f"{ref.id}.flac"
    stray.parent.mkdir()
    stray.write_bytes(b"sound")
    assert device.run("voices", "forget", "Anna K.") == 1
    assert f"LEFT  device {stray}" in capsys.readouterr().out
    stray.unlink()
    sound = device.config.state_dir / "edge-tts.wav"
    sound.write_bytes(bytes(3 << 20) + ref.id.encode())
    assert device.run("voices", "forget", ref.id) == 1
    assert f"LEFT  device {sound}" in capsys.readouterr().out
    assert device.run("voices", "forget", "nobody") == 1
    assert "there is no voice 'nobody'" in capsys.readouterr().err


def test_the_log_is_shown_by_time_caller_and_voice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As text and as JSON; what the command line does has its account."""
    device = Device(tmp_path / "kitchen", bucket={"url": None})
    ref = device.enrol()
    account = pwd.getpwuid(os.geteuid()).pw_name
    assert device.run("voices", "rename", "Anna K.", "Anna") == 0
    log = open_audit(device.config, clock=lambda: 1.0)
    log.acting("mqtt shop").note("said", {"voice": ref.id, "characters": 6})
    log.acting("http kitchen 10.1.2.3").note("models/activate", {"model": "two"})

    def shown(*filters: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert device.run("audit", "--json", *filters) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    def events(*filters: str) -> list[str]:
        return [line["event"] for line in shown(*filters)]

    assert events() == ["enrolled", "renamed", "shared", "renamed", "said", "models/activate"]
    assert (
        events("--voice", "Anna")
        == events("--voice", ref.id[:6])
        == ["enrolled", "renamed", "shared", "renamed", "said"]
    )
    assert events("--caller", account) == ["renamed"]
    assert events("--caller", "10.1.2.3") == events("--caller", "HTTP") == ["models/activate"]
    assert events("--until", "1971-01-01") == ["said", "models/activate"]
    assert events("--since", "2001-01-01", "--until", "2002-01-01") == events("--event", "deleted") == []
    assert events("--since", "1h", "--event", "shared") == ["shared"]
    assert device.run("audit", "--event", "said") == 0
    assert capsys.readouterr().out.split()[2:] == ["said", "mqtt", "shop", ref.id, "characters=6"]
    assert device.run("audit", "--since", "yesterday") == 1
    assert "'yesterday' is no time" in capsys.readouterr().err
    with (device.config.state_dir / "audit.log").open("a") as file:
        file.write('{"event": "hal')
    assert len(shown()) == 6
    assert device.run("audit") == 0
    assert "1 damaged lines are left out" in capsys.readouterr().err


def test_a_device_without_a_log_shows_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And makes none."""
    device = Device(tmp_path / "kitchen")
    assert device.run("audit") == 0
    assert capsys.readouterr().out == ""
    assert not device.config.state_dir.exists()
