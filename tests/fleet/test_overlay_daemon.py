"""The shipped daemon takes up a configuration from the bucket, and goes back from one that keeps it from starting."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from broker import Broker, Ear
from daemon_process import daemon, write_config
from fakes import WAIT_S
from fleet_keys import Keys
from s3 import folder_bucket

from edge_tts.fleet.publishing import Publisher
from edge_tts.fleet.reports import read_reports

pytestmark = pytest.mark.long
SETS = Path(__file__).parents[2] / "models"


@pytest.mark.timeout(600)
def test_a_group_is_configured_and_no_device_is_lost(tmp_path: Path, broker: Broker, keys: Keys) -> None:
    """What is said before the restart is said; the command line uses it, too; a configuration that keeps the device
    from starting is given up within the same process, and told."""
    if not (SETS / "starter" / "manifest.json").exists():
        pytest.skip("NO VOICE: models/starter is not in this checkout, so overlays were not tried with the daemon")
    fleet = {"public_keys": [keys.public[0]], "group": "upstairs", "interval_s": 10.0}
    config = write_config(
        tmp_path,
        SETS,
        broker.port,
        "overlaid",
        models={"dir": str(SETS), "name": "starter"},
        bucket={"url": "bucket"},
        fleet=fleet,
    )

    def publish(text: str) -> None:
        with folder_bucket(tmp_path / "bucket") as bucket:
            publisher = Publisher(bucket=bucket, trust=keys.trust(), keys=keys.files[:1])
            assert publisher.publish_overlay("upstairs", text, time.time() + 86400) == 0

    with Ear(broker, "edge-tts/overlaid") as ear:

        def last(topic: str) -> dict[str, object]:
            texts = ear.on(topic)
            return json.loads(texts[-1]) if texts else {}

        with daemon(config) as process:
            ear.wait_topic("status", "online")
            publish("limits: {text_chars: 30}")
            ear.wait_for(lambda: last("overlay").get("stage") == "applied", 4 * WAIT_S)
            assert last("capabilities")["limits"]["text_chars"] == 30  # type: ignore[index]
            publish("limits: {text_chars: 40}\nvoice: nobody")
            ear.wait_for(lambda: last("overlay").get("stage") == "refused", 4 * WAIT_S)
            assert "nobody" in str(last("overlay")["why"])
            assert last("capabilities")["limits"]["text_chars"] == 30  # type: ignore[index]
            ear.publish("say", {"id": "after", "text": "It speaks still."})
            ear.wait_event(id="after", stage="done")
            assert process.poll() is None
    with folder_bucket(tmp_path / "bucket") as bucket:
        [report], _ = read_reports(bucket)
    assert (report.overlay > 0, "nobody" in report.overlay_why) == (True, True)
