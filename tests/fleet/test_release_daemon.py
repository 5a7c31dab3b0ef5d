"""The shipped daemon takes a release: it speaks all the while, and a set that cannot speak never gets to."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from broker import Broker, Ear
from daemon_process import daemon, write_config
from fakes import WAIT_S, until
from fleet_keys import Keys
from s3 import folder_bucket
from toy_model_sets import write_manifest

from edge_tts.fleet.publishing import Publisher
from edge_tts.fleet.release import Release, Terms

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "models" / "starter"
SHIPPED = ("-m", "edge_tts")
SHORT = (str(Path(__file__).with_name("short_trial.py")),)
TRIAL_S = 8 * WAIT_S
"""Forty sentences in a process that gives way to all others."""


def another(folder: Path, **files: bytes) -> Path:
    """The starter with a file more, and others exchanged."""
    shutil.copytree(STARTER, folder)
    (folder / "NOTES.txt").write_text(folder.name)
    for name, data in files.items():
        (folder / f"{name}.onnx").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    kept = {key: manifest[key] for key in manifest if key not in ("files", "name", "voices")}
    write_manifest(folder, voices=tuple(manifest["voices"]), **kept)
    return folder


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether it is there, and not only waits to be reaped."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize(
    "program", [pytest.param(SHORT, id="short"), pytest.param(SHIPPED, id="shipped", marks=pytest.mark.slow)]
)
@pytest.mark.timeout(1200)
def test_a_release_changes_what_speaks_and_interrupts_nothing(
    tmp_path: Path, broker: Broker, keys: Keys, program: Sequence[str]
) -> None:
    """A set whose graph is none is refused, by a child process, with the reason in the retained `release`; the next is
    tried, installed and speaks, though the daemon is killed during the trial. What is said meanwhile is said, and a
    killed daemon leaves no child behind."""
    if not (STARTER / "manifest.json").exists():
        pytest.skip("NO VOICE: models/starter is not in this checkout, so releases were not tried with networks")
    models = tmp_path / "models"
    models.mkdir()
    (models / "starter").symlink_to(STARTER)
    fleet = {"public_keys": [keys.public[0]], "interval_s": 10.0}
    config = write_config(
        tmp_path,
        models,
        broker.port,
        "fleet",
        models={"dir": str(models), "name": "starter"},
        bucket={"url": "bucket"},
        fleet=fleet,
    )

    def release(name: str, **files: bytes) -> Release:
        terms = Terms(share=100.0, not_before=0.0, expires=time.time() + 86400)
        with folder_bucket(tmp_path / "bucket") as bucket:
            publisher = Publisher(bucket=bucket, trust=keys.trust(), keys=keys.files[:1])
            return publisher.create(another(tmp_path / "made" / name, **files), terms).release

    bad = release("bad", wave=b"no graph")
    with Ear(broker, "edge-tts/fleet") as ear:

        def at(release: Release, stage: str) -> bool:
            last = [json.loads(text) for text in ear.on("release")[-1:]]
            return any((one["number"], one["stage"]) == (release.number, stage) for one in last)

        with daemon(config, program=program, PYTHONPATH=str(ROOT)) as process:
            ear.wait_for(lambda: at(bad, "failed"), TRIAL_S)
            assert json.loads(ear.on("models")[-1])["current"] == "starter"
            good = release("good")
            ear.wait_for(lambda: at(good, "trying"), TRIAL_S)
            ear.publish("say", {"id": "meanwhile", "text": "Still the old one."})
            ear.wait_event(id="meanwhile", stage="done")
            until(lambda: children(process.pid))
            trial = children(process.pid)
            process.kill()
            until(lambda: not any(map(is_alive, trial)))
        with daemon(config, program=program, PYTHONPATH=str(ROOT)):
            ear.wait_for(lambda: at(good, "installed"), TRIAL_S)
            assert json.loads(ear.on("models")[-1])["current"] == good.folder
            ear.publish("say", {"id": "afterwards", "text": "Now the new one."})
            assert ear.wait_event(id="afterwards", stage="done")["details"]["set"].split()[0] == "good"
    assert sorted(path.name for path in models.iterdir() if path.name != ".fleet") == [good.folder, "starter"]
