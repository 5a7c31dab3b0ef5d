"""The owner's command that judges texts: what it may answer, and what its faults cost."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeSynthesizer, until
from rig import Rig, sentence

from edge_tts.config import ContentConfig
from edge_tts.errors import ContentError
from edge_tts.request import SpeakRequest
from edge_tts.speaking.content_command import ContentCommand
from edge_tts.speaking.job import Job
from edge_tts.speaking.worker import Worker

SECRET = "a very private text"


def program(folder: Path, script: str) -> tuple[str, ...]:
    """A command that runs a line of the shell."""
    path = folder / "judge"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return (str(path),)


def judge(
    command: tuple[str, ...],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    text: str = SECRET,
    **keys: Any,
) -> SpeakRequest:
    config = ContentConfig(command=command, **{"command_timeout_s": 30.0, **keys})
    request = sentence("a", text)
    return ContentCommand(config, text_chars=1000).judge(request, should_stop, caller="http kitchen")


def test_it_is_asked_with_the_request(tmp_path: Path) -> None:
    """JSON on standard input: text, id, voice, priority, language and caller; without a shell between."""
    answer = judge(program(tmp_path, f"cat > {tmp_path}/asked; echo '{{}}'"))
    assert (answer.text, answer.rules) == (SECRET, ())
    asked = json.loads((tmp_path / "asked").read_text())
    assert asked == {
        "id": "a",
        "text": SECRET,
        "ssml": False,
        "language": "auto",
        "voice": "hum",
        "priority": "normal",
        "caller": "http kitchen",
    }
    code = "import sys; print('{\"text\": \"' + sys.argv[1].replace('$', '') + '\"}')"
    assert judge((sys.executable, "-c", code, "$HOME; `id`")).text == "HOME; `id`"


def test_it_allows_refuses_or_replaces(tmp_path: Path) -> None:
    """A refusal has its reason; what is said instead is marked in the receipt."""
    assert judge(program(tmp_path, """echo '{"allow": true}'""")).text == SECRET
    with pytest.raises(ContentError, match=r"content.command refuses the text: not at dinner") as refused:
        judge(program(tmp_path, """echo '{"allow": false, "reason": "not at dinner"}'"""))
    assert refused.value.details == {"rule": "content.command"}
    other = judge(program(tmp_path, """echo '{"text": "something else"}'"""))
    assert (other.text, other.rules) == ("something else", ("content.command",))


FAULTS = [
    ("exit 3", {}, "ended with status 3"),
    ("kill -SEGV $$", {}, "ended with status -11"),
    ("echo no json", {}, "not understood"),
    ("true", {}, "not understood"),
    ("""echo '{"allow": "perhaps"}'""", {}, "not understood"),
    (f"""echo '{{"text": "{"x" * 1001}"}}'""", {}, "more than 1000 characters"),
    ("cat /dev/zero", {}, "more than 1048576 bytes"),
    ("sleep 1000", {"command_timeout_s": 0.2}, "no answer within 0.2 s"),
    ("sleep 1000 & echo '{}'", {"command_timeout_s": 0.2}, "no answer within 0.2 s"),
    ("exec >&-; sleep 1000", {"command_timeout_s": 0.2}, "did not end"),
]


@pytest.mark.parametrize(("script", "keys", "why"), FAULTS)
def test_a_fault_refuses_or_passes_as_configured(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, script: str, keys: dict[str, Any], why: str
) -> None:
    """A crash, a flood, a hang and nonsense cost that request, or nothing; the log says what, and never the text."""
    command = program(tmp_path, f"cat > /dev/null; {script}")
    with pytest.raises(ContentError, match=f"content.command .*{why}.*, so the text is refused"):
        judge(command, **keys)
    assert judge(command, command_failure="pass", **keys).text == SECRET
    assert why in caplog.text
    assert SECRET not in caplog.text


def test_one_that_is_not_there_or_does_not_read_is_no_trouble(tmp_path: Path) -> None:
    """A missing program is a fault; one that leaves a text of a megabyte unread is none."""
    with pytest.raises(ContentError, match=r"cannot be run \(No such file"):
        judge((str(tmp_path / "nowhere"),))
    assert judge(program(tmp_path, "echo '{}'"), text="x" * (1 << 20)).text[0] == "x"


def test_a_stop_ends_it(tmp_path: Path) -> None:
    """An alert does not wait for a command that hangs, and nothing of it is left running."""
    stops = iter([False, False, True])
    command = program(tmp_path, f"sleep 1000 & echo $! > {tmp_path}/pid; wait")
    assert judge(command, should_stop=lambda: (tmp_path / "pid").exists() and next(stops)).text == SECRET
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not running(pid))


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_the_worker_asks_before_it_speaks(tmp_path: Path) -> None:
    """What is refused is not spoken, what is replaced is; the device's own words are nobody's request."""
    script = """case "$(cat)" in *bad*) echo '{"allow": false}';; *) echo '{"text": "better"}';; esac"""
    config = ContentConfig(command=program(tmp_path, script), command_timeout_s=30)
    it = Rig(synthesizer=FakeSynthesizer())
    it.worker = Worker(
        runtime=it.runtime,
        networks=it.worker._networks,
        voice=it.worker._voice,
        jobs=it.jobs,
        command=ContentCommand(config, text_chars=100),
    )
    with it.running():
        it.say("a", "bad words")
        assert it.notes.wait("a", "failed").details["error"] == "ContentError"
        it.say("b", "words")
        assert it.notes.wait("b", "done").details["rules"] == ["content.command"]
        it.jobs.submit(Job(sentence("c", "own words"), sink=it.player, kind="lexicon"))
        it.notes.wait("c", "done")
    assert it.synthesizer.spoken == ["better", "own words"]
