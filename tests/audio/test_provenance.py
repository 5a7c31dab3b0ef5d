"""What sound files say of themselves, as our reader, libsndfile and ffmpeg find it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import wave
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_tts.audio.metadata import INFO_BYTES, read_metadata
from edge_tts.audio.provenance import MOST_CONTENTS, Generator, RecentContents, label
from edge_tts.audio.sound_files import read_any, streamed_formats
from edge_tts.audio.sound_stream import SoundStream, whole_sound
from edge_tts.audio.wave import WavFile
from edge_tts.errors import AudioError

GENERATOR = Generator(device="home", model_set="toy 1.0", version="0.1", producer="小店")
CONTENT = GENERATOR.content("a1", "hum")
NOISE = (0.1 * np.sin(np.arange(16000) * 0.1)).astype(np.float32)


def check(path: Path) -> None:
    """The label of CONTENT is there, and the sound can be read."""
    _, fields = read_metadata(path)
    assert json.loads(fields["comment"]) == CONTENT.details()
    assert json.loads(fields["AIGC"])["ProduceID"] == CONTENT.content_id
    assert json.loads(fields["AIGC"])["ContentProducer"] == "小店"
    assert abs(len(read_any(path).samples) / read_any(path).sample_rate - 1) < 0.2


def test_a_content_id_is_that_of_one_request_of_one_device() -> None:
    """It is the same after a restart, and another for another request or device."""
    again = Generator(device="home", model_set="new 2.0", version="0.2").content("a1", "hum")
    other = Generator(device="hall", model_set="toy 1.0", version="0.1").content("a1", "hum")
    ids = {content.content_id for content in (CONTENT, again)}
    assert len(ids) == 1
    assert len(ids | {other.content_id, GENERATOR.content("a2", "hum").content_id}) == 3


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3", ".opus"])
def test_a_file_says_what_made_it(tmp_path: Path, ending: str) -> None:
    """Written whole, in every format."""
    path = tmp_path / f"a{ending}"
    with whole_sound(path, sample_rate=16000, contents=RecentContents(CONTENT)) as file:
        file.write(NOISE)
    check(path)


@pytest.mark.parametrize("name", ["wav", *streamed_formats()])
def test_a_stream_says_what_made_it(tmp_path: Path, name: str) -> None:
    """From its first bytes on."""
    stream = SoundStream(name, sample_rate=16000, label=label([CONTENT]))
    pcm = (NOISE * 32767).astype("<i2").tobytes()
    path = tmp_path / "stream"
    path.write_bytes(b"".join([*(stream.push(pcm[at : at + 6400]) for at in range(0, len(pcm), 6400)), stream.close()]))
    check(path)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="no ffprobe")
@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3", ".opus"])
def test_other_programs_find_the_label(tmp_path: Path, ending: str) -> None:
    """ffprobe shows AIGC and the comment, and finds no fault with the file."""
    path = tmp_path / f"a{ending}"
    with whole_sound(path, sample_rate=16000, contents=RecentContents(CONTENT)) as file:
        file.write(NOISE)
    command = ["ffprobe", "-v", "warning", "-of", "json", "-show_format", "-show_streams", str(path)]
    probed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(probed.stdout)
    tags = {**found["format"].get("tags", {}), **found["streams"][0].get("tags", {})}
    tags = {name.casefold(): text for name, text in tags.items()}
    assert json.loads(tags["aigc"])["ProduceID"] == CONTENT.content_id
    assert json.loads(tags["comment"])["ai_generated"] is True
    assert probed.stderr == ""


def test_a_growing_wav_is_valid_after_each_write_and_names_the_last_contents(tmp_path: Path) -> None:
    """However many there are; the sound does not move."""
    path, contents = tmp_path / "a.wav", RecentContents()
    with WavFile(path=path, sample_rate=16000, contents=contents) as file:
        for number in range(3 * MOST_CONTENTS):
            contents.add(GENERATOR.content(f"r{number}", "v" * 64))
            file.write(NOISE[:100])
            with wave.open(str(path)) as read:
                assert read.getnframes() == 100 * (number + 1)
    said = json.loads(read_metadata(path)[1]["comment"])
    assert said["content_id"] == GENERATOR.content(f"r{number}", "").content_id
    assert len(said["earlier"]) == MOST_CONTENTS - 1
    assert path.stat().st_size == 44 + INFO_BYTES + 2 * 100 * 3 * MOST_CONTENTS
    assert soundfile.info(str(path)).frames == 100 * 3 * MOST_CONTENTS


def test_a_label_that_is_too_long_costs_no_sound(tmp_path: Path) -> None:
    """The field that has no room is left out."""
    path = tmp_path / "a.wav"
    endless = Generator(device="home", model_set="x" * 5000, version="1").content("a", "hum")
    with WavFile(path=path, sample_rate=16000, contents=RecentContents(endless)) as file:
        file.write(NOISE)
    assert soundfile.info(str(path)).frames == len(NOISE)
    assert set(read_metadata(path)[1]) == {"software", "AIGC"}


def test_damaged_files_are_named_or_read(tmp_path: Path) -> None:
    """Whatever bytes are wrong or missing, it is an AudioError or what is left; never anything else."""
    rng, path = random.Random(1), tmp_path / "broken"
    for ending in (".wav", ".flac", ".ogg"):
        whole = tmp_path / f"a{ending}"
        with whole_sound(whole, sample_rate=16000, contents=RecentContents(CONTENT)) as file:
            file.write(NOISE[:2000])
        data = whole.read_bytes()
        for _ in range(150):
            bad = bytearray(data[: rng.randrange(len(data))] if rng.random() < 0.5 else data)
            for _ in range(rng.randrange(8)):
                bad[rng.randrange(max(1, min(len(bad), 400))) : 0] = bytes([rng.randrange(256)])
            path.write_bytes(bad)
            with suppress(AudioError):
                read_metadata(path)


def test_a_file_without_a_label_and_what_is_no_sound(tmp_path: Path) -> None:
    """The first has no such fields, the second is refused."""
    path = tmp_path / "a.wav"
    with WavFile(path=path, sample_rate=16000) as file:
        file.write(NOISE)
    assert read_metadata(path) == ("WAV", {})
    (tmp_path / "text").write_text("hello")
    with pytest.raises(AudioError, match="neither WAV"):
        read_metadata(tmp_path / "text")
    with pytest.raises(AudioError, match="cannot be read"):
        read_metadata(tmp_path / "none")
