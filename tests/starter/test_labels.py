"""Phone, tone and pitch of every 10 ms."""

from __future__ import annotations

import numpy as np
import pytest

from edge_tts.text.front_end import TextFrontEnd
from tools.starter.labels import PAUSE, UNTAUGHT, labels, phones, symbol_labels
from tools.starter.recorded import Recorded
from tools.starter.stage_data import phonemes


def row(names: tuple[str, ...], ends: tuple[float, ...], pitch: tuple[int, ...]) -> Recorded:
    """Half a second at 1 kHz."""
    return Recorded("?", "zh", "ann", names, ends, pitch, 1000, 0, 500)


def test_labels_change_where_a_phoneme_ends() -> None:
    """The initial has no tone, the final has its own, English has none to teach, and a mark is a pause."""
    names = ("m", "a3", "K", "AE1", ".")
    wave = np.ones(500, np.float32)
    phone, tone, _ = labels(row(names, (0.05, 0.2, 0.25, 0.4, 0.5), ()), wave, 1000)
    spans = (slice(0, 5), slice(5, 20), slice(20, 25), slice(25, 40), slice(40, 50))
    assert [phones()[phone[span][0]] for span in spans] == ["m-", "-a", "K", "AE", "pause"]
    assert all(len(set(phone[span])) == 1 for span in spans)
    assert [tone[span][0] for span in spans] == [0, 3, UNTAUGHT, UNTAUGHT, 0]


def test_silence_is_a_pause_without_tone() -> None:
    """Whatever phoneme its time belongs to, a silent frame is taught as a pause."""
    wave = np.ones(500, np.float32)
    wave[300:] = 0
    phone, tone, _ = labels(row(("m", "a3"), (0.05, 0.5), ()), wave, 1000)
    assert set(phone[30:]) == {PAUSE}
    assert set(tone[30:]) == {0}
    assert tone[29] == 3


def test_pitch_is_in_octaves_and_absent_where_unvoiced() -> None:
    """A rise of an octave is 1, and a curve that ends early is unvoiced from there."""
    _, _, pitch = labels(row(("m", "a2"), (0.05, 0.5), (*[100] * 10, *[200] * 10)), np.ones(500, np.float32), 1000)
    assert pitch[15] - pitch[5] == pytest.approx(1.0)
    assert np.isnan(pitch[20:]).all()


@pytest.mark.parametrize(
    ("text", "language"),
    [("It's a quarter to six; well, jump!", "en"), ("我很好，二月去绿色的儿童乐园。", "zh"), ("打开Wi-Fi吧？", "zh")],
)
def test_every_phoneme_of_both_languages_has_a_label(text: str, language: str) -> None:
    """Whatever the front end gives for English, Mandarin and both in one sentence is known."""
    names = phonemes(TextFrontEnd(), text, language)
    phone, tone = symbol_labels(names)
    assert len(phone) == len(tone) == len(names)
    assert (phone > PAUSE).sum() > len(names) / 2
