"""Teachers: our phonemes in their symbols and back on their clock; the recording of what they say."""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_tts.text.front_end import TextFrontEnd
from tools.starter import stage_speech
from tools.starter.recorded import Part, parts
from tools.starter.teachers import kokoro
from tools.starter.teachers.choose import choose
from tools.starter.teachers.flite import Flite, Speaker, clock
from tools.starter.teachers.kokoro_symbols import FINALS, INITIALS, Spelling, Word, ends, spell
from tools.starter.teachers.teacher import Job, Utterance
from tools.starter.teachers.words import words

FRONT_END = TextFrontEnd()


class Humming:
    """A teacher that hums 100 ms a letter, cannot say "no" and counts what it is asked."""

    rate = 8000
    languages: tuple[str, ...] = ("en", "zh")
    voices: tuple[str, ...] = ("ann", "bob")

    def __init__(self) -> None:
        self.asked = 0

    def crowd(self, rng: random.Random) -> str:
        return f"crowd{rng.randrange(1000)}"

    def say(self, jobs: Sequence[Job]) -> Iterator[Utterance | None]:
        for job in jobs:
            self.asked += 1
            if "no" in job.text:
                yield None
                continue
            count = len(job.text)
            silence = np.zeros(self.rate // 2, np.float32)
            hum = np.sin(np.arange(self.rate // 10 * count) * 0.3).astype(np.float32) * 0.5
            wave = np.concatenate([silence, hum, silence])
            stops = tuple(0.5 + 0.1 * (at + 1) for at in range(count))
            yield Utterance(wave, tuple(job.text), stops, np.full(len(wave) * 100 // self.rate, 120, np.float32))


@pytest.mark.parametrize(
    ("text", "language", "symbols"),
    [
        ("The little cats.", "en", "ðə lˈɪTᵊl kˈæts."),
        ("Water, please!", "en", "wˈɔTəɹ, plˈiz!"),
        ("我们去学校。", "zh", "wo↓mən ʨʰy↘ ɕɥe↗ɕjaʊ↘."),
        ("打开Bluetooth。", "zh", "ta↓kʰaɪ→ blˈutˌuθ."),
        ("我很好，李小姐。", "zh", ". wo↓ xə↗n xaʊ↓, li↓ɕjaʊ↗ʨje↓."),
    ],
)
def test_our_phonemes_in_kokoros_symbols(text: str, language: str, symbols: str) -> None:
    """Words stand apart, stress before the vowel, tones with sandhi behind the nucleus, English among Mandarin."""
    assert spell(words(FRONT_END, text, language)).symbols == symbols


def test_every_mandarin_syllable_of_ours_has_symbols() -> None:
    """Initials and finals of the whole syllable table are known, with every tone."""
    table = json.loads((Path("edge_tts") / "text" / "data" / "zh_syllables.json").read_text(encoding="utf-8"))
    for initial, final in table.values():
        assert initial in INITIALS
        assert final in FINALS
        spelled = [spell([Word("x", (initial, final + tone), "zh")]).symbols for tone in "12345"]
        assert len(set(spelled)) == 5


def test_a_phoneme_without_symbols_is_named() -> None:
    """What Kokoro cannot say is refused with its name, not left out."""
    with pytest.raises(ValueError, match="qq 77"):
        spell([Word("?", ("qq", "77"), "zh")])


def test_durations_come_back_to_our_phonemes() -> None:
    """A phoneme ends with its last symbol and the space behind it; one without symbols when the one before it does."""
    spelling = Spelling("ab cd", (0, 0, 0, 2, 3))
    assert ends([4, 1, 1, 1, 2, 3, 9], spelling, 4, 0.5) == [3.5, 3.5, 4.5, 6.0]


def test_flites_phones_on_our_phonemes() -> None:
    """A phoneme that Flite leaves out ends when the one before it does, so that ends never fall."""
    assert clock(("K", "AE1", "T", "S", "."), [("k", 0.1), ("ae", 0.3), ("s", 0.5), ("pau", 0.7)]) == (
        0.1, 0.3, 0.3, 0.5, 0.7,
    )  # fmt: skip


def test_a_warped_speaker_survives_its_name() -> None:
    """What a speaker is called is all that is needed to hear it again."""
    name = Flite.crowd(Flite.__new__(Flite), random.Random(1))
    assert Speaker.parse(name).name == name
    with pytest.raises(ValueError, match="rms, slt, awb, kal16"):
        Speaker.parse("nobody")


def archive(folder: Path, names: Sequence[str]) -> Path:
    """An npm archive with styles that are their number everywhere."""
    path = folder / "kokoro-js.tgz"
    with tarfile.open(path, "w:gz") as packed:
        for number, name in enumerate(names):
            body = np.full((4, 256), number, np.float32).tobytes()
            entry = tarfile.TarInfo(f"package/voices/{name}.bin")
            entry.size = len(body)
            packed.addfile(entry, io.BytesIO(body))
    return path


def test_a_style_is_one_timbre_and_one_manner(tmp_path: Path) -> None:
    """English has the speaker's own manner, Mandarin that of a speaker of Mandarin, and a mixture the mean of both."""
    teacher = kokoro.Kokoro.__new__(kokoro.Kokoro)
    teacher._styles = kokoro.styles(archive(tmp_path, ["af_heart", "am_puck", "zf_xiaoxiao"]))
    for speaker, language, timbre, manner in (
        ("am_puck", "en", 1, 1),
        ("af_heart", "zh", 0, 2),
        ("am_puck:af_heart", "zh", 1, 0),
        ("af_heart+am_puck", "en", 0.5, 0.5),
        ("am_puck+zf_xiaoxiao", "zh", 1.5, 2),
    ):
        style = teacher.style(speaker, language, 9)
        assert (style[:128] == timbre).all()
        assert (style[128:] == manner).all()


def test_kokoro_says_our_phonemes_on_our_clock(tmp_path: Path) -> None:
    """Its input is our phonemes' symbols between two rests, its durations less their lag are the phonemes' times, its
    pitch comes per 10 ms, and a sound beyond full scale is turned down; an unreadable text is left out."""

    class Session:
        """Each symbol takes two units, a third of them voiced."""

        def run(self, outputs: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            count = feed["tokens"].shape[1]
            assert feed["tokens"][0, 0] == feed["tokens"][0, -1] == 0
            pitch = np.resize(np.array([200, 0, 10], np.float32), 4 * count)
            return [np.full(1200 * count, 2.0, np.float32), np.full((1, count), 2.0), pitch[None, None]]

    teacher = kokoro.Kokoro.__new__(kokoro.Kokoro)
    teacher._session = Session()
    teacher._ids = {symbol: number for number, symbol in enumerate("ðə kˈæts.", 1)}
    teacher._styles = kokoro.styles(archive(tmp_path, ["af_heart"]))
    teacher._front_end = FRONT_END
    jobs = [Job("The cats.", "en", "af_heart"), Job("Dogs.", "en", "af_heart")]
    said, unread = teacher.say(jobs)
    assert unread is None
    assert said is not None
    assert said.phonemes == ("DH", "AH0", "K", "AE1", "T", "S", ".")
    assert said.ends[:3] == pytest.approx([0.1 - 0.045, 0.2 - 0.045, 0.25 - 0.045])
    assert np.abs(said.wave).max() == pytest.approx(0.97)
    assert len(said.pitch) == len(said.wave) // 240
    assert set(said.pitch) == {0.0, 200.0}


def test_what_kokoro_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its wheels, without the styles and with another archive it says what to install."""
    monkeypatch.setattr(kokoro, "PARTS", ("no_such_module_of_kokoro",))
    with pytest.raises(RuntimeError, match=r"no_such_module_of_kokoro.*pip install"):
        kokoro.network()
    with pytest.raises(RuntimeError, match="--styles"):
        choose("kokoro", styles=None, threads=1)
    with pytest.raises(RuntimeError, match="holds no voices"):
        kokoro.styles(archive(tmp_path, []))
    with pytest.raises(RuntimeError, match="no archive of kokoro-js"):
        kokoro.styles(Path(sys.executable))


def test_what_flite_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler it says which Debian packages are needed."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="flite1-dev"):
        Flite()


def test_silence_around_an_utterance_goes_and_the_clock_with_it() -> None:
    """40 ms before the sound and 150 ms after it stay; ends and pitch move along."""
    (said,) = Humming().say([Job("abc", "en", "ann")])
    assert said is not None
    short = said.trimmed(8000)
    assert len(short.wave) / 8000 == pytest.approx(0.04 + 0.3 + 0.15, abs=0.011)
    assert short.ends == pytest.approx([0.14, 0.24, 0.34], abs=0.011)
    assert len(short.pitch) == len(short.wave) * 100 // 8000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of ten utterances."""
    monkeypatch.setattr(stage_speech, "PART", 10)


@pytest.mark.usefixtures("small")
def test_an_interrupted_recording_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Stopped in its second part and started again, the parts are those of one run, and none is said twice."""

    class Interrupted(Humming):
        def say(self, jobs: Sequence[Job]) -> Iterator[Utterance | None]:
            for utterance in super().say(jobs):
                if self.asked == 15:
                    raise KeyboardInterrupt
                yield utterance

    with pytest.raises(KeyboardInterrupt):
        stage_speech.run(tmp_path / "a", Interrupted(), hours=0.01, held_out=[], seed=5)
    assert len(parts(tmp_path / "a")) == 1
    second, whole = Humming(), Humming()
    stage_speech.run(tmp_path / "a", second, hours=0.01, held_out=[], seed=5)
    stage_speech.run(tmp_path / "b", whole, hours=0.01, held_out=[], seed=5)
    assert [path.read_text() for path in parts(tmp_path / "a")] == [path.read_text() for path in parts(tmp_path / "b")]
    assert second.asked == whole.asked - 10


@pytest.mark.usefixtures("small")
def test_languages_and_speakers_come_in_turn(tmp_path: Path) -> None:
    """In each language both voices speak equally often and every fifth sentence is somebody else's."""
    stage_speech.run(tmp_path, Humming(), hours=0.02, held_out=[], seed=5)
    rows = [row for path in parts(tmp_path) for row in Part.read(path).rows]
    for language in ("en", "zh"):
        own = [row.speaker for row in rows if row.language == language]
        assert 0.1 < sum(name.startswith("crowd") for name in own) / len(own) < 0.3
        assert abs(own.count("ann") - own.count("bob")) <= 2 + len(own) // 10


@pytest.mark.usefixtures("small")
def test_what_was_said_is_read_back(tmp_path: Path) -> None:
    """Samples, phonemes, ends and pitch of a part are those of the teacher; a text that it cannot read is left out."""
    stage_speech.run(tmp_path, Humming(), hours=0.003, held_out=[], seed=5)
    part = Part.read(parts(tmp_path)[0])
    assert not any("no" in row.text for row in part.rows)
    for index, row in enumerate(part.rows):
        wave = part.wave(index)
        assert len(wave) == row.samples == round(row.seconds * row.rate)
        assert np.abs(wave).max() == pytest.approx(0.5, abs=0.01)
        assert "".join(row.phonemes) == row.text
        assert len(row.ends) == len(row.phonemes)
        assert set(row.pitch) == {120}
