"""Two daemons: a weak one that has a strong one speak for it."""

from __future__ import annotations

from pathlib import Path

from broker import Broker, Ear, free_port
from daemon_process import daemon, write_config
from engine_cache import PLAIN

MODELS = Path(__file__).resolve().parent.parent.parent / "models"


def test_a_weak_device_asks_a_strong_one(tmp_path: Path, broker: Broker) -> None:
    """Each sentence of a message to the weak one is a request that the strong one closes; when that is killed, the weak
    one speaks by itself, the message is done, and its log says why."""
    port, homes = free_port(), {name: tmp_path / name for name in ("strong", "weak")}
    for home in homes.values():
        home.mkdir()
    shared = {"models": {"dir": str(MODELS), "name": "starter"}, "bucket": {"url": None}}
    strong = write_config(homes["strong"], MODELS, broker.port, "strong", http={"port": port}, **shared)
    remote = {"url": f"http://127.0.0.1:{port}", "first_audio_ms": 60000}
    engine = {**PLAIN, "execution": "remote"}
    weak = write_config(homes["weak"], MODELS, broker.port, "weak", engine=engine, remote=remote, **shared)
    with Ear(broker, "edge-tts/strong") as far, Ear(broker, "edge-tts/weak") as ear, daemon(weak) as near:
        with daemon(strong) as process:
            far.wait_topic("status", "online")
            ear.wait_topic("status", "online")
            ear.publish("say", {"id": "a", "text": "Dinner is ready. The tea is hot."})
            ear.wait_event(id="a", stage="done")
            far.wait_for(lambda: [event["stage"] for event in far.events()].count("done") == 2)
            process.kill()
        ear.publish("say", {"id": "b", "text": "The lamp is on."})
        assert ear.wait_event(id="b", stage="done")["details"]["audio_s"] > 0.5
        near.terminate()
        assert near.stderr is not None
        assert "request b goes on here" in near.stderr.read()


def test_a_weak_device_asks_a_group(tmp_path: Path, broker: Broker) -> None:
    """Each sentence of a message to the weak one is rendered by a member; when that is killed, the weak one speaks by
    itself, the message is done, and its log says why."""
    homes = {name: tmp_path / name for name in ("member", "asker")}
    for home in homes.values():
        home.mkdir()
    shared = {"models": {"dir": str(MODELS), "name": "starter"}, "bucket": {"url": None}}
    mqtt = {"host": "127.0.0.1", "port": broker.port}
    strong = write_config(
        homes["member"], MODELS, broker.port, "member", mqtt={**mqtt, "render_group": "strong-ones"}, **shared
    )
    remote, engine = {"group": "strong-ones", "first_audio_ms": 60000}, {**PLAIN, "execution": "remote"}
    weak = write_config(homes["asker"], MODELS, broker.port, "asker", engine=engine, remote=remote, **shared)
    with Ear(broker, "edge-tts/member") as far, Ear(broker, "edge-tts/asker") as ear, daemon(strong) as process:
        far.wait_topic("status", "online")
        with daemon(weak) as near:
            ear.wait_topic("status", "online")
            ear.publish("say", {"id": "a", "text": "Dinner is ready. The tea is hot."})
            ear.wait_event(id="a", stage="done")
            assert [event["stage"] for event in far.events()].count("done") == 2
            process.kill()
            far.wait_topic("status", "offline")
            ear.publish("say", {"id": "b", "text": "The lamp is on."})
            assert ear.wait_event(id="b", stage="done")["details"]["audio_s"] > 0.5
            near.terminate()
            assert near.stderr is not None
            assert "the group strong-ones: nobody renders for it" in near.stderr.read()
