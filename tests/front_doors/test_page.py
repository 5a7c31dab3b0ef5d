"""The owner's page, by clicks in a real headless Chromium."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import WAIT_S, FakeSynthesizer, until
from http_stage import SECRET, Stage, stage

from edge_tts.audio.metadata import info_chunk
from edge_tts.audio.provenance import Generator, label
from edge_tts.audio.wave import wav_header
from edge_tts.enrolment.level_meter import Level
from edge_tts.enrolment.prompts import explained
from edge_tts.front_doors.http.page import page
from edge_tts.recordings.quality import Check
from edge_tts.runtime.event_bus import PartHealth
from edge_tts.values import Report

pytestmark = pytest.mark.long
pytest.importorskip("starlette", reason="THE PACKAGE starlette IS NOT INSTALLED: no page was tested")
pytest.importorskip("uvicorn", reason="THE PACKAGE uvicorn IS NOT INSTALLED: no page was tested")

FLAGS = """
--headless
--no-sandbox
--disable-gpu
--disable-quic
--no-first-run
--disable-background-networking
--disable-component-update
--disable-sync
--disable-dev-shm-usage
--mute-audio
--lang=en-US
--autoplay-policy=no-user-gesture-required
""".split()


class Browser:
    """Chromium as a person uses it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def find(self, place: str) -> Any:
        return self.driver.find_element("css selector", place)

    def text(self, place: str) -> str:
        return str(self.driver.execute_script("return document.querySelector(arguments[0]).innerText", place))

    def until(self, script: str) -> None:
        """Until a JavaScript expression is true."""
        until(lambda: self.driver.execute_script(f"return !!({script})"))

    def wait_text(self, place: str, words: str) -> None:
        until(lambda: words in self.text(place))

    def type(self, place: str, text: str) -> None:
        self.find(place).clear()
        self.find(place).send_keys(text)

    def click(self, place: str) -> None:
        self.find(place).click()

    def answer(self, text: str | None = None) -> None:
        """A question of the page: yes, or a text."""
        question = self.driver.switch_to.alert
        if text is not None:
            question.send_keys(text)
        question.accept()

    def until_heard(self, it: Stage, command: str, keys: dict[str, Any]) -> None:
        """Until the device was sent a command with those keys."""
        until(lambda: keys in [json.loads(payload) for name, payload in it.heard if name == command])

    def failures(self) -> list[str]:
        """What the browser complained about, but for answers that are refused on purpose, and how a test reads."""
        messages = [str(entry["message"]) for entry in self.driver.get_log("browser")]
        return [message for message in messages if "status of 4" not in message and "readback" not in message]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for all tests of this file."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium IS NOT INSTALLED: the page was not clicked")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("CHROMIUM OR CHROMEDRIVER IS NOT INSTALLED: the page was not clicked")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    running.set_script_timeout(WAIT_S)
    yield running
    running.quit()


@contextmanager
def opened(chromium: Any, it: Stage) -> Iterator[Browser]:
    """The page of a server, in English, with its state shown; at the end nothing was complained about."""
    browser = Browser(chromium)
    chromium.get(f"http://127.0.0.1:{it.port}/")
    browser.until("document.title.startsWith('toy')")
    try:
        yield browser
        assert browser.failures() == []
    finally:
        chromium.get("about:blank")  # it asks for the state every second
        browser.failures()


def test_a_sentence_is_typed_and_spoken(tmp_path: Path, chromium: Any) -> None:
    """Text, voice, priority and volume go to the device; queue and history show the sentence by its words."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it, opened(chromium, it) as browser:
        browser.type("#text", "Dinner is ready.")
        browser.find("#voice option[value=buzz]").click()
        browser.find("#priority option[value=low]").click()
        browser.click("#play")
        browser.wait_text("#queue", "Dinner is ready.")
        assert it.notes.wait("auto1", "started").details == {"voice": "buzz"}
        synthesizer.gate.set()
        browser.wait_text("#history", "Dinner is ready.")
        browser.wait_text("#history", "first sound after")
        it.events.report(Report("tone", "done", 1.0, {"kind": "enrolment"}))
        it.events.report(Report("late", "done", 1.0, {"retried": 1, "guard": {"early_end": 2}}))
        browser.wait_text("#history", "retried 1 · ended early 2")
        assert "enrolment" not in browser.text("#history")
        assert len(it.loudspeaker.heard) > 0


def test_the_sound_is_heard_and_drawn_in_the_browser(tmp_path: Path, chromium: Any) -> None:
    """`Listen here` draws the waveform and plays the whole sound; nothing comes from the loudspeaker."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        browser.type("#text", "Hello.")
        browser.click("#listen")
        browser.until("document.querySelector('#sound').duration > 0.25")
        drawn = "document.querySelector('#wave').getContext('2d').getImageData(0, 0, 200, 80).data.some((x) => x)"
        browser.until(drawn)
        assert browser.driver.execute_script("return document.querySelector('#sound').duration") < 0.4
        strength = "document.querySelector('#tones').getContext('2d').getImageData(200, y, 1, 1).data[3]"
        high, low = browser.driver.execute_script(f"return [5, 75].map((y) => {strength})")
        assert low > high + 50  # 200 Hz of 4000
        assert len(it.loudspeaker.heard) == 0
        assert "done" in it.notes.stages("auto1")


def test_what_the_device_said_is_drawn(tmp_path: Path, chromium: Any) -> None:
    """`Speak at the device` is heard there, and its sound is fetched and drawn once it was said."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        browser.type("#text", "Hello.")
        browser.click("#play")
        browser.until("!document.querySelector('#tones').hidden")
        browser.until(
            "document.querySelector('#wave').getContext('2d').getImageData(0, 0, 200, 80).data.some((x) => x)"
        )
        assert len(it.loudspeaker.heard) > 0


def test_what_cannot_be_kept_is_spoken_all_the_same(tmp_path: Path, chromium: Any) -> None:
    """Where there is no room for results nothing is drawn, and nothing is missing."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        (tmp_path / "results").mkdir()
        (tmp_path / "results" / "filler").write_bytes(bytes(64 << 20))
        browser.type("#text", "Hello.")
        browser.click("#play")
        browser.wait_text("#history", "first sound after")
        assert len(it.loudspeaker.heard) > 0


def test_a_wav_is_read_behind_what_it_tells_of_itself(tmp_path: Path, chromium: Any) -> None:
    """Its metadata are neither drawn nor heard, and its length is mended where that stands."""
    generator = Generator(device="toy", model_set="toy 1", version="1")
    info = info_chunk(label([generator.content("a", "hum")]))
    pcm = np.arange(8000, dtype="<i2")
    wav = base64.b64encode(wav_header(8000, 1 << 32, info) + pcm.tobytes()).decode()
    script = """const [wav, done] = arguments, parts = [Uint8Array.from(atob(wav), (mark) => mark.charCodeAt(0))];
        samples(parts).then(async (pcm) => { await present(parts); done([pcm.length, pcm[1], pcm[7999]]); });"""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        assert browser.driver.execute_async_script(script, wav) == [8000, 1, 7999]
        browser.until("Math.abs(document.querySelector('#sound').duration - 1) < 0.01")


def test_requests_are_stopped_skipped_and_held(tmp_path: Path, chromium: Any) -> None:
    """The buttons of the queue do what they say, and one request can be stopped among others."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it, opened(chromium, it) as browser:
        for name in ("one", "two", "three"):
            it.say(name)
        browser.wait_text("#queue", "three")
        browser.click("#queue button[aria-label='Stop: two']")
        it.notes.wait("two", "interrupted")
        browser.click("#skip")
        it.notes.wait("one", "interrupted")
        browser.click("#stop")
        it.notes.wait("three", "interrupted")
        browser.wait_text("#empty", "Nothing waits.")
        browser.click("#pause")
        until(lambda: it.events.state.paused)
        browser.wait_text("#pause", "Resume")
        browser.click("#pause")
        until(lambda: not it.events.state.paused)


def test_parts_and_voices_are_shown(tmp_path: Path, chromium: Any) -> None:
    """A failing part is named with its reason; another voice becomes the default at a press."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        browser.wait_text("#sum", "All well")
        it.events.set_health("loudspeaker", PartHealth("failing", why="pulled out"))
        browser.wait_text("#health", "pulled out")
        browser.wait_text("#sum", "Trouble")
        browser.click("#voices button[aria-label='Make default: Buzz']")
        until(lambda: it.events.state.voice == "buzz")


def test_the_service_level_is_shown(tmp_path: Path, chromium: Any) -> None:
    """Requests, success and P95 of the windows that have any, each against its target."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        none = {"requests": 0, "success_percent": None, "first_audio_p95_s": None}
        day = {"requests": 310, "success_percent": 99.67, "first_audio_p95_s": 0.74}
        target = {"first_audio_s": 2.0, "success_percent": 99.5}
        it.events.update(service_level={"hour": none, "day": day, "target": target, "met": True})
        browser.wait_text("#service", "310 requests · 99.67 % spoken · first sound P95 0.74 s")
        browser.wait_text("#service", "ok")
        assert "Last hour" not in browser.text("#service")
        it.events.update(service_level={"hour": {**day, "first_audio_p95_s": 2.5}, "day": day, "target": target})
        browser.wait_text("#service", "failing")


def test_own_voices_are_renamed_deleted_and_brought_back(tmp_path: Path, chromium: Any) -> None:
    """The commands of MQTT are sent, a deletion after a question; the model set's own voices have no such buttons."""
    own = {"id": "0123456789ab", "name": "Ada", "language": "en", "builtin": False}
    gone = {"id": "ba9876543210", "name": "Bea", "until": "2030-01-01T00:00:00+00:00"}
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        it.events.retain("voices", {"voices": [own], "unready": [], "damaged": [], "deleting": [gone]})
        browser.wait_text("#voices", "Ada")
        browser.click("#voices button[aria-label='Rename: Ada']")
        browser.answer("Ada Lovelace")
        browser.until_heard(it, "voices/rename", {"voice": own["id"], "name": "Ada Lovelace"})
        browser.click("#voices button[aria-label='Delete: Ada']")
        browser.answer()
        browser.until_heard(it, "voices/delete", {"id": own["id"], "name": "Ada"})
        browser.click("#deleting button[aria-label='Bring back: Bea']")
        browser.until_heard(it, "voices/undelete", {"id": gone["id"]})


def test_words_are_added_said_and_removed(tmp_path: Path, chromium: Any) -> None:
    """The form sends `lexicon/set`, which says the word, also of one that is changed; a refusal is told beside it."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        it.events.retain("lexicon", {"words": {"en": {"Aoife": "EE fa"}}, "why": None})
        browser.wait_text("#words", "EE fa")
        browser.type("#word", "Nginx")
        browser.type("#pronunciation", "engine x")
        browser.click("#add button")
        browser.until_heard(it, "lexicon/set", {"word": "Nginx", "pronunciation": "engine x"})
        browser.click("#words button[aria-label='Edit: Aoife']")
        browser.type("#pronunciation", "EE fuh")
        browser.click("#add button")
        browser.until_heard(it, "lexicon/set", {"word": "Aoife", "pronunciation": "EE fuh", "language": "en"})
        browser.click("#words button[aria-label='Say it: Aoife']")
        it.notes.wait("auto1", "done")
        browser.click("#words button[aria-label='Delete: Aoife']")
        browser.until_heard(it, "lexicon/remove", {"word": "Aoife", "language": "en"})
        browser.type("#word", "refuse")
        browser.type("#pronunciation", "x")
        browser.click("#add button")
        browser.wait_text("#words-told", "cannot be read")


HELD = """
const real = window.fetch;
window.fetch = (where, how) => real(where, how).then((response) => !`${where}`.includes("lexicon/set") ? response :
  new Promise((done) => { window.release = () => { window.fetch = real; done(response); }; }));
"""


def test_a_late_answer_does_not_wipe_what_is_typed_by_then(tmp_path: Path, chromium: Any) -> None:
    """The answer to one word comes while the next one is typed: the form keeps it and sends it."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        browser.driver.execute_script(HELD)
        browser.type("#word", "Nginx")
        browser.type("#pronunciation", "engine x")
        browser.click("#add button")
        browser.until("window.release")
        browser.type("#word", "Aoife")
        browser.type("#pronunciation", "EE fa")
        it.events.retain("lexicon", {"words": {"en": {"Nginx": "engine x"}}, "why": None})
        browser.driver.execute_script("window.release()")
        browser.wait_text("#words", "engine x")
        browser.click("#add button")
        browser.until_heard(it, "lexicon/set", {"word": "Aoife", "pronunciation": "EE fa"})


def test_a_voice_is_enrolled_with_the_sentence_in_large_letters(tmp_path: Path, chromium: Any) -> None:
    """The form starts it at the device; while somebody reads, step and sentence are shown, and it can be stopped."""
    idle = {"step": "idle", "id": None, "name": None, "language": None, "sentence": None}
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        assert not browser.find("#enrol-box").is_displayed()
        it.events.retain("enrolment", idle)
        browser.until("!document.querySelector('#enrol-box').hidden")
        browser.type("#person", "Ada")
        browser.find("#enrol-language option[value=zh]").click()
        browser.click("#record")
        browser.until_heard(it, "enroll", {"name": "Ada", "language": "zh"})
        it.events.retain("enrolment", READING)
        browser.wait_text("#sentence", "I am Ada.")
        assert browser.text("#step") == "Ada: read this sentence aloud"
        size = "return parseFloat(getComputedStyle(document.querySelector('#sentence')).fontSize)"
        assert browser.driver.execute_script(size) > 24
        stopped: list[str | None] = []
        it.jobs.on_stop(stopped.append)
        browser.click("#cancel")
        until(lambda: stopped == ["e1"])


READING = {"step": "recording", "id": "e1", "name": "Ada", "language": "en", "sentence": "I am Ada."}


def test_the_page_says_who_starts_a_recording(tmp_path: Path, chromium: Any) -> None:
    """With `enrolment.remote: ask` it names the press at the device, with `full` that none is needed."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        it.events.retain("enrolment", {"step": "idle", "remote": "ask"})
        browser.wait_text("#enrol-how", "somebody must press the button at the device")
        it.events.retain("enrolment", {"step": "idle", "remote": "full"})
        browser.wait_text("#enrol-how", "No press is needed")


def test_the_level_of_the_microphone_is_shown_while_it_is_open(tmp_path: Path, chromium: Any) -> None:
    """The meter follows the device's microphone, says in words whether that is too quiet, good or too loud, and is gone
    when the microphone is closed."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        it.events.retain("enrolment", READING)
        browser.wait_text("#sentence", "I am Ada.")
        assert not browser.find("#hearing").is_displayed()
        for level, words in ((Level(-52, -45), "too quiet"), (Level(-21, -8), "good"), (Level(-6, 0), "too loud")):
            it.level = level
            browser.until(f"document.querySelector('#meter').value === {level.level_db}")
            browser.wait_text("#meter-told", words)
        assert browser.find("#meter").get_attribute("aria-valuetext") == "-6 dB"
        it.level = None
        browser.until("document.querySelector('#hearing').hidden")


def test_a_verdict_is_shown_as_bars_against_their_limits(tmp_path: Path, chromium: Any) -> None:
    """What was refused comes first, with what to do; each bar ends on its own side of its limit, and can be read
    aloud."""
    noisy = Check("noisy", 9.0, 15.0, "least", passed=False)
    checks = explained([Check("quiet", -22.0, -40.0, "least", passed=True), noisy])
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        it.events.retain("enrolment", {"step": "idle", "remote": "ask"})
        it.events.report(Report("e1", "started", 1.0, {"name": "Ada"}))
        it.events.report(Report("e1", "failed", 9.0, {"error": "Refused", "checks": checks}))
        browser.wait_text("#verdict", "Last recording: Ada")
        assert browser.text("#verdict-told") == "Refused"
        first, second = browser.driver.execute_script(
            "return [...document.querySelectorAll('#checks li')].map((row) => row.innerText)"
        )
        assert "✗ Speech above the noise" in first
        assert "9 dB · at least 15 dB" in first
        assert "too noisy here" in first
        assert "✓ Level" in second
        ends = """return [...document.querySelectorAll('.bar')].map((bar) => ['.value', '.limit'].map((part) =>
            bar.querySelector(part).getBoundingClientRect()[part === '.value' ? 'right' : 'left']))"""
        (noise, noise_limit), (level, level_limit) = browser.driver.execute_script(ends)
        assert noise < noise_limit
        assert level > level_limit
        bar = browser.find(".bar")
        assert (bar.get_attribute("role"), bar.get_attribute("aria-valuetext")) == (
            "meter",
            "9 dB · at least 15 dB: not kept",
        )
        browser.click("#tongue")
        browser.wait_text("#checks", "说话与背景噪声之比")
        browser.wait_text("#checks", "周围太吵了")
        browser.click("#tongue")


def test_another_model_set_is_activated(tmp_path: Path, chromium: Any) -> None:
    """After a question; the one that speaks is marked."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        assert not browser.find("#models-box").is_displayed()
        it.events.retain("models", {"installed": ["starter", "family"], "current": "starter", "change": None})
        browser.wait_text("#models", "speaks now")
        browser.click("#models button[aria-label='Activate: family']")
        browser.answer()
        until(lambda: ("models/activate", b"family") in it.heard)


def test_a_mistake_is_told_in_the_page(tmp_path: Path, chromium: Any) -> None:
    """What the device refuses is written where it was asked for."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        browser.type("#text", "x" * 101)
        browser.click("#play")
        browser.wait_text("#told", "limits.text_chars is 100")


def test_it_speaks_mandarin_and_every_control_has_a_name(tmp_path: Path, chromium: Any) -> None:
    """One press changes the language of all texts; every button, field and drawing has a name to be read aloud."""
    unnamed = """return [...document.querySelectorAll("button, input, select, textarea, canvas")].filter((one) =>
        !one.hidden && !(one.ariaLabel || one.innerText && one.tagName === "BUTTON" || one.labels?.length)
    ).map((one) => one.id)"""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        assert browser.driver.execute_script(unnamed) == []
        browser.click("#tongue")
        browser.wait_text("#say-title", "说点什么")
        assert browser.find("html").get_attribute("lang") == "zh"
        assert set(re.findall("[A-Za-z]{4,}", browser.text("main"))) == {"Buzz", "http"}
        browser.click("#tongue")
        browser.wait_text("#say-title", "Say something")


def test_with_a_token_the_page_asks_for_it(tmp_path: Path, chromium: Any) -> None:
    """The page opens, shows nothing, and everything once the token is typed in."""
    with stage(tmp_path, token=True) as it:
        browser = Browser(chromium)
        chromium.get(f"http://127.0.0.1:{it.port}/")
        browser.until("!document.querySelector('#lock').hidden")
        assert browser.text("#voices") == ""
        browser.type("#token", SECRET)
        browser.click("#unlock button")
        browser.wait_text("#voices", "Buzz")
        chromium.get("about:blank")
        assert browser.failures() == []


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_is_wider_than_the_screen(tmp_path: Path, chromium: Any, width: int) -> None:
    """On a telephone, too, and buttons are large enough for a thumb."""
    with stage(tmp_path) as it, opened(chromium, it) as browser:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
        heights = (
            "return [...document.querySelectorAll('button')].filter((x) => x.offsetHeight).map((x) => x.offsetHeight)"
        )
        assert min(browser.driver.execute_script(heights)) >= 44
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_else_runs_in_the_page(tmp_path: Path) -> None:
    """The policy allows the page's own script and no other, no other origin, and no frame around it."""
    with stage(tmp_path) as it:
        answer, data = it.ask("GET", "/")
        policy = str(answer.getheader("content-security-policy"))
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert b"http://" not in data
    assert b"https://" not in data
    assert data == page().body


def test_commands_are_those_of_mqtt(tmp_path: Path) -> None:
    """A command is carried out, refused with its reason, or not there; the state tells what became of it."""
    with stage(tmp_path) as it:
        assert it.ask("POST", "/v1/commands/volume/set", b"40")[0].status == 202
        assert it.refused("POST", "/v1/commands/volume/set", b"loud")[:2] == (422, "PayloadError")
        assert it.refused("POST", "/v1/commands/dance")[:2] == (404, "not_found")
        told = json.loads(it.ask("GET", "/v1/state")[1])
        assert (told["device"], told["languages"], told["topics"]["state"]["volume"]) == ("toy", ["en", "zh"], 40)
