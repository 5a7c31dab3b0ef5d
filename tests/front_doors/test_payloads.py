"""What a payload may look like, and that anything else is refused by name."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.errors import PayloadError
from edge_tts.front_doors.payloads import id_in, parse_enroll, parse_say, parse_voice, parse_volume, parse_which
from edge_tts.values import Sampling


def test_bare_text_is_spoken_as_it_is() -> None:
    """UTF-8 that does not start with a brace is the text itself, with api_v2's defaults."""
    say = parse_say("Grüß Gott, 你好".encode())
    assert (say.text, say.priority, say.fragment_interval) == ("Grüß Gott, 你好", "normal", 0.3)


def test_a_json_object_sets_every_key() -> None:
    """Every documented key is taken over; what is left out of the sampling comes from the model set."""
    keys = {"text": "hi", "id": "7", "voice": "v", "language": "zh", "priority": "alert", "ttl_s": 3, "volume": 50}
    keys |= {"speed": 1.3, "seed": 1, "top_k": 5, "top_p": 0.9, "temperature": 0.8, "split": "cut5", "ssml": True}
    say = parse_say(json.dumps({**keys, "fragment_interval": 0}).encode())
    assert (say.ttl_s, say.volume, say.speed, say.split, say.ssml) == (3, 50, 1.3, "cut5", True)
    assert say.sampling(Sampling(repetition_penalty=1.2)) == Sampling(5, 0.9, 0.8, 1.2, 1)


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (b'{"text": "hi"', "JSON"),
        (b"{}", "'text' is missing"),
        (b'{"text": "hi", "speeed": 2}', "unknown key 'speeed', did you mean 'speed'?"),
        (b'{"text": "hi", "volume": 101}', "'volume'"),
        (b'{"text": "hi", "volume": "50"}', "'volume'"),
        (b'{"text": "hi", "speed": NaN}', "'speed'"),
        (b'{"text": "hi", "top_k": 0}', "'top_k'"),
        (b'{"text": "hi", "priority": "urgent"}', "'priority'"),
        (b'{"text": 5}', "'text'"),
        (b'{"text": "hi", "id": ""}', "'id'"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"text": "\xff"}', "JSON"),
        (b'{"text":' + b"[" * 5000, "JSON"),
    ],
)
def test_a_wrong_payload_is_refused_by_name(payload: bytes, named: str) -> None:
    """The message names what is wrong, and for a mistyped key the one that was probably meant."""
    with pytest.raises(PayloadError, match="say: ") as refused:
        parse_say(payload)
    assert named in str(refused.value)


@given(st.binary(max_size=200))
def test_no_payload_raises_an_unexpected_exception(payload: bytes) -> None:
    """Any bytes at all are either understood or refused with a PayloadError."""
    for parse in (parse_say, parse_which, parse_volume, parse_voice):
        with suppress(PayloadError):
            parse(payload)
    id_in(payload)


KEYS = st.sampled_from(["text", "id", "voice", "volume", "seed", "x"])
LEAVES = st.none() | st.booleans() | st.floats() | st.text()


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)))
def test_no_json_raises_an_unexpected_exception(value: object) -> None:
    """Any JSON is either understood or refused with a PayloadError."""
    with suppress(PayloadError):
        parse_say(json.dumps(value).encode())


def test_volume_is_a_number_from_0_to_100() -> None:
    """Numbers with and without a fraction are taken, anything else is not, nor a number with something behind it."""
    assert parse_volume(b" 40 ") == 40
    assert parse_volume(b"12.5") == 12.5
    for wrong in (b"", b"loud", b"101", b"-1", b"NaN", b'1, "x": 2', b"true"):
        with pytest.raises(PayloadError, match="volume/set"):
            parse_volume(wrong)


def test_stop_takes_nothing_or_an_id() -> None:
    """An empty payload means everything; an object names one request."""
    assert parse_which(b" ") is None
    assert parse_which(b'{"id": "7"}') == "7"
    with pytest.raises(PayloadError):
        parse_which(b"7")


def test_the_id_of_a_broken_payload_is_found() -> None:
    """The sender of a payload that is wrong elsewhere recognises the report by its id."""
    assert id_in(b'{"id": "7", "texxt": 1}') == "7"
    assert id_in(b'{"id": 7}') is None
    assert id_in(b"hello") is None


@pytest.mark.parametrize("name", ["Anna ", "An\nna", "\u0000", "Anna\u202e", " ", "\u3000\u5c0f", "", "x" * 81])
def test_a_name_that_no_voice_can_have_is_refused_before_the_recording(name: str) -> None:
    """Who enrols under such a name hears so at once, not after having read the sentence."""
    with pytest.raises(PayloadError, match="'name'"):
        parse_enroll(json.dumps({"name": name}).encode())
    assert parse_enroll('{"name": "\u5c0f\u6885 K."}'.encode()).name == "\u5c0f\u6885 K."
