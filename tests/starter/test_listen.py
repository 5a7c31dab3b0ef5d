"""What the starter says is judged by recognisers that know nothing of it, where they are installed."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_tts.audio.features import resample, to_mono
from edge_tts.audio.sound_files import read_any
from edge_tts.engine.load import load_engine
from edge_tts.errors import EdgeTTSError, TextError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.synthesizer import load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import FloatArray, GuardCounts
from edge_tts.voices.builtin import BuiltinVoices
from tools.judging.listen import Line, listen, read_lines, read_words, report
from tools.judging.recognisers import RATE, Pocketsphinx, Recogniser, Whisper, has_pocketsphinx, has_whisper
from tools.starter.edits import distance, words
from tools.starter.speech import spoken

ROOT = Path(__file__).parents[2]
SPOKEN = ROOT / "tests" / "spoken"
WHISPER = pytest.mark.skipif(not has_whisper(), reason="Whisper is not installed (pip install .[listen])")
SPHINX = pytest.mark.skipif(not has_pocketsphinx(), reason="pocketsphinx is not installed (pip install .[listen])")
ANNOUNCEMENTS = [
    "Hi. Dinner is ready.",
    "The front door is open.",
    "Please close the window before you go to bed.",
    "It is half past seven, and the kettle has boiled.",
    "Good morning. It is 7 degrees outside.",
    "Attention! Fire! Leave now!",
    "Ten. Nine. Eight. Seven. Six. Five. Four. Three. Two. One.",
    "Your meeting with Helen begins in fifteen minutes.",
    "The washing machine has finished.",
    "Do not forget to take an umbrella, because it will rain this afternoon.",
]


class Scripted(Recogniser):
    """Hears what the test says."""

    def __init__(self, *heard: str) -> None:
        self._heard = list(heard)

    def hear(self, wave: FloatArray) -> str:
        return self._heard.pop(0)


def says(text: str) -> tuple[FloatArray, GuardCounts]:
    """A second of nothing, decoded again where it says `again`; `no` is refused."""
    if text == "no":
        raise TextError("it is refused")
    loops = {"loop": 1} if "again" in text else {}
    return np.zeros(RATE, np.float32), GuardCounts(segments=2, retried=len(loops), faults=loops)


@WHISPER
def test_the_starter_is_understood() -> None:
    """Of everyday announcements, short sentences in a row among them, Whisper hears nine words of ten."""
    front_end, model = TextFrontEnd(), read_model_set(ROOT / "models" / "starter")
    voice = BuiltinVoices(model).load(model.default_voice or "")
    with ExitStack() as stack:
        synthesizer = load_synthesizer(model, front_end, stack, load=partial(load_engine, threads=1))

        def speak(text: str) -> tuple[FloatArray, GuardCounts]:
            return resample(spoken(synthesizer, voice, text), model.sample_rate, RATE), GuardCounts()

        lines = list(listen(ANNOUNCEMENTS, speak, front_end, Whisper(threads=1)))
    assert sum(line.errors for line in lines) <= 0.1 * sum(len(line.wanted) for line in lines), "\n".join(
        map(str, lines)
    )


@pytest.mark.parametrize(
    ("recogniser", "most"), [pytest.param(Whisper, 0.1, marks=WHISPER), pytest.param(Pocketsphinx, 0.4, marks=SPHINX)]
)
def test_a_recogniser_writes_down_what_it_hears(recogniser: type[Recogniser], most: float) -> None:
    """A recording of known words is transcribed with few errors, so the judges can be believed."""
    recording = read_any(SPOKEN / "weather-rms.flac")
    text = "The weather is fine today and the kettle has boiled. Please close the window before you go to bed."
    heard = recogniser().hear(resample(to_mono(recording.samples), recording.sample_rate, RATE))
    assert distance(words(text), words(heard)) <= most * len(words(text)), heard


def test_words_are_compared_as_they_are_read() -> None:
    """Digits and units in text or transcript count as the words they are read as; a refused text as no word heard."""
    lines = list(listen(["It is 7 °C.", "Go home.", "no"], says, TextFrontEnd(), Scripted("It is 7°C", "Go Rome")))
    assert [line.errors for line in lines] == [0, 1, 1]
    assert read_words(TextFrontEnd(), "It is 7 °C.") == ("it", "is", "seven", "degrees", "celsius")
    assert lines[2].heard == "(it is refused)"


def test_the_report_names_the_worst_lines_first(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten lines at most, by share of errors, with the second opinion; lines without an error are not among them."""
    wave = np.zeros(RATE, np.float32)
    lines = [Line(f"text {n}", ("a",) * 20, f"heard {n}", n, wave) for n in range(13)]
    report(lines, Scripted(*(f"second {n}" for n in range(10))))
    said = capsys.readouterr().out
    assert "78 errors in 260 words (30.0%), 13 lines" in said
    assert [f"text {n}\n" in said for n in range(13)] == [False] * 3 + [True] * 10
    assert said.index("text 12") < said.index("text 11")
    assert "second 0" in said


def test_what_the_guard_did_is_printed_by_line_and_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    """A line whose segment was decoded again and stayed wrong says so, the others say nothing, the end sums up."""
    lines = list(listen(["Go home.", "Go again."], says, TextFrontEnd(), Scripted("Go home", "Go again")))
    assert [str(line) for line in lines] == [
        "  0/2     1.00 s  Go home.  |  Go home",
        "  0/2     1.00 s (retried 1, loop 1)  Go again.  |  Go again",
    ]
    report(lines, None)
    assert "guard, of 4 segments: retried 1, loop 1\n" in capsys.readouterr().out


def test_a_file_without_text_is_refused(tmp_path: Path) -> None:
    """Blank lines and remarks are no text, and the error says what is expected."""
    path = tmp_path / "lines.txt"
    path.write_text("# a remark\n\nGo home.\n", encoding="utf-8")
    assert read_lines(path) == ["Go home."]
    path.write_text("# a remark\n", encoding="utf-8")
    with pytest.raises(EdgeTTSError, match="one text a line"):
        read_lines(path)
