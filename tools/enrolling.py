"""What tools/enroll_button does: a button on one side, the daemon's socket and topics on the other."""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from edge_tts.config import Config, find_config
from edge_tts.enrolment.button import Button, GpioButton, KeyButton, TerminalButton, key_code
from edge_tts.errors import EdgeTTSError, TransportError
from edge_tts.front_doors.mqtt.client import make_client
from edge_tts.front_doors.press_socket import send_press

STEPS = {
    "asking": "somebody asks for a recording: press to agree",
    "inviting": "it says what to do; press again to skip that",
    "recording": "RECORDING: read the sentence; it ends by itself, or press again",
    "checking": "judging the recording",
    "encoding": "making the voice",
    "answering": "it answers in the new voice",
}
WAIT_S = 0.5


class Link:
    """The daemon: presses go out, steps and the closing report come in over MQTT.

    On the daemon's own machine and account a press goes through its socket and counts as one at the device. From
    elsewhere it goes over MQTT and can only ask for one there.
    """

    def __init__(self, config: Config, *, show: Callable[[str], None]) -> None:
        self._state_dir = config.state_dir
        self._base, self._show = f"{config.mqtt.base_topic}/{config.device}", show
        self._enrolment: str | None = None
        self._told = False
        self.client = make_client(config.mqtt, client_id="")
        self.client.on_connect = lambda client, *_: client.subscribe(f"{self._base}/#", 1)
        self.client.on_message = self._on_message
        try:
            self.client.connect(config.mqtt.host, config.mqtt.port)
        except OSError as refused:
            raise TransportError(f"no broker at {config.mqtt.host}:{config.mqtt.port}: {refused}") from refused
        self.client.loop_start()

    def press(self, person: dict[str, str | bool]) -> None:
        """Begin an enrolment, or get on with the one that is under way."""
        try:
            refused = send_press(self._state_dir, json.dumps(person).encode())
        except OSError:
            self._press_from_afar(person)
            return
        if refused:
            self._show(f"refused: {refused}")

    def _press_from_afar(self, person: dict[str, str | bool]) -> None:
        if not self._told:
            self._show("no daemon of this account has its state here: it will ask for a press at its own button")
        self._told = True
        if self._enrolment is not None:
            self.client.publish(f"{self._base}/enroll/press", b"", qos=1)
            return
        self.client.publish(f"{self._base}/enroll", json.dumps({**person, "id": uuid.uuid4().hex[:12]}), qos=1)

    def close(self) -> None:
        """Leave the broker."""
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        topic = message.topic.removeprefix(f"{self._base}/")
        if topic == "enrolment":
            fact = json.loads(message.payload)
            if fact["step"] in STEPS:
                self._enrolment = fact["id"]
                self._show(STEPS[fact["step"]])
            else:
                self._enrolment = None
        if topic == "events":
            report = json.loads(message.payload)
            if report["id"] == self._enrolment and report["stage"] in ("done", "failed", "interrupted"):
                details = report["details"]
                news = details.get("voice") or details.get("message") or details.get("reason")
                self._show(f"{report['stage']}: {news}")


def main() -> int:
    arguments = _arguments()
    try:
        config = find_config(arguments.config)
        button = _button(arguments)
        link = Link(config, show=lambda line: print(line, flush=True))
    except EdgeTTSError as trouble:
        print(f"enroll_button: {trouble}", file=sys.stderr)
        return 1
    person = {key: value for key in ("name", "language", "short") if (value := getattr(arguments, key))}
    print("press Enter to begin" if isinstance(button, TerminalButton) else "waiting for a press", flush=True)
    try:
        while not (isinstance(button, TerminalButton) and button.ended):
            if button.wait(WAIT_S):
                link.press(person)
    except KeyboardInterrupt:
        pass
    except EdgeTTSError as gone:
        print(f"enroll_button: {gone}", file=sys.stderr)
        return 1
    finally:
        link.close()
        button.close()
    return 0


def _button(arguments: argparse.Namespace) -> Button:
    if arguments.gpio:
        return GpioButton(line=arguments.gpio, chip=arguments.chip, active_low=not arguments.active_high)
    if arguments.key:
        name = arguments.code
        return KeyButton(device=arguments.key, code=key_code(int(name) if name and name.isdigit() else name))
    return TerminalButton(stream=sys.stdin)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/enroll_button", description="Enrol a voice at a button.")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="the daemon's config.yaml: broker and device")
    parser.add_argument("--name", help="whose voice it is (default: enrolment.name of the daemon)")
    parser.add_argument("--language", choices=("zh", "en"), help="language of the sentence (default: the daemon's)")
    parser.add_argument("--short", action="store_true", help="keep a recording though it is too short")
    parser.add_argument("--gpio", metavar="LINE", help="GPIO line: its name, or its number together with --chip")
    parser.add_argument("--chip", help="GPIO chip: path, name or label (default: the first with such a line)")
    parser.add_argument("--active-high", action="store_true", help="the button connects the line to the supply")
    parser.add_argument("--key", metavar="DEVICE", help="event device of a key, such as /dev/input/event3")
    parser.add_argument("--code", help="which key: its name or number (default: any)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
