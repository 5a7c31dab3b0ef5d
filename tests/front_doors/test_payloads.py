"""What a payload may look like, and that anything else is refused by name."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.errors import PayloadError
from edge_tts.front_doors.payloads import (
    id_in,
    parse_deletion,
    parse_enroll,
    parse_model,
    parse_one_voice,
    parse_rollback,
    parse_say,
    parse_undeletion,
    parse_voice,
    parse_volume,
    parse_which,
)
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
        (b'{"text": "\xff"}', "not UTF-8"),
        (b'{"text":' + b"[" * 5000, "JSON"),
    ],
)
def test_a_wrong_payload_is_refused_by_name(payload: bytes, named: str) -> None:
    """The message names what is wrong, and for a mistyped key the one that was probably meant."""
    with pytest.raises(PayloadError, match="say: ") as refused:
        parse_say(payload)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (b"{'text': 'hi'}", "single quotes"),
        (b'{"text": "two\nlines"}', "line break"),
        (b'{"text": "a\tb"}', "control character"),
        (b'{"text": "hi",}', "comma before the closing bracket"),
        (b'{text: "hi"}', "a key without quotes"),
        ("{\u201ctext\u201d: \u201chi\u201d}".encode(), "typographic quotes"),
        (b'{"text": "hi", "ssml": True}', "Python's words"),
        (b"{{ states('sensor.door') }}", "template"),
        (b'{"message": "hi"}', "unknown key 'message'; here it is called 'text'"),
        (b'{"Message": "hi", "volume": 300}', "here it is called 'text'"),
        (b'{"text": "hi", "lang": "en"}', "here it is called 'language'"),
        (b'{"txt": "hi"}', "unknown key 'txt', did you mean 'text'?"),
        (b'{"text": "hi", "priority": "allert"}', "there is no 'allert', did you mean 'alert'?"),
        (b'["Dinner", "is ready"]', "JSON array"),
        (b'\xef\xbb\xbf [{"text": "hi"}]', "JSON array"),
        (b'[{"text": "hi"', "JSON array"),
        (b"[]", "JSON array"),
        (b'"\\ud800"', "hex escape"),
        ("Hello".encode("utf-16"), "UTF-16"),
        ("Hello".encode("utf-16-le"), "UTF-16"),
        ('{"text": "hi"}'.encode("utf-16-be"), "UTF-16"),
        ("\u4f60\u597d".encode("utf-16"), "UTF-16"),
        ("Hello".encode("utf-32"), "UTF-16"),
        (b"Gr\xfc\xdfe", "not UTF-8 (byte 2)"),
    ],
)
def test_a_mistake_is_called_by_its_name(payload: bytes, named: str) -> None:
    """What was nearly right is not read aloud, and the message says what is to be changed."""
    with pytest.raises(PayloadError, match="say: ") as refused:
        parse_say(payload)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"\xef\xbb\xbfHello", "Hello"),
        (b'\xef\xbb\xbf{"text": "Hello"}', "Hello"),
        (b'"caf\\u00e9"', "café"),
        (b'"Hi," she said.', '"Hi," she said.'),
        (b"[laughs] Hello", "[laughs] Hello"),
        (b"21.0", "21.0"),
    ],
)
def test_a_text_is_taken_for_what_it_is(payload: bytes, text: str) -> None:
    """A byte order mark is read over, a JSON string is its value, and what only looks like JSON is text."""
    assert parse_say(payload).text == text


def test_words_of_an_option_may_have_any_case() -> None:
    """Priority, split and language fold case, and so does the language of an enrolment."""
    say = parse_say(b'{"text": "hi", "priority": "Alert", "split": "CUT5", "language": "EN"}')
    assert (say.priority, say.split, say.language) == ("alert", "cut5", "en")
    assert parse_enroll(b'{"language": "EN"}').language == "en"
    assert (parse_enroll(b"").short, parse_enroll(b'{"short": true}').short) == (False, True)


@given(
    st.binary(max_size=200)
    | st.text().map(str.encode)
    | st.text("{}[]\"'\\,: \n{%tex\u201c\0", max_size=60).map(lambda text: b"{" + text.encode())
    | st.text().map(lambda text: text.encode("utf-16", "surrogatepass"))
)
def test_no_payload_raises_an_unexpected_exception(payload: bytes) -> None:
    """Any bytes at all are either understood or refused with a PayloadError."""
    parsers = (parse_say, parse_which, parse_volume, parse_voice, parse_enroll, parse_model, parse_rollback)
    parsers += (parse_deletion, parse_undeletion)
    for parse in (*parsers, partial(parse_one_voice, what="voices/rename")):
        with suppress(PayloadError):
            parse(payload)
    id_in(payload)


def test_a_payload_of_quotes_is_read_in_time() -> None:
    """The search for the mistake takes time by the length of the payload, whatever it is made of."""
    began = time.process_time()
    for part in (b'\\"', b"'", b"{", b", ", b"{ ", b'"\\', b"[", b"a"):
        with suppress(PayloadError):
            parse_say(b'{"' + part * (200_000 // len(part)))
        with suppress(PayloadError):
            parse_say(b"{" + part * (200_000 // len(part)))
    assert time.process_time() - began < 5


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
    for wrong in (b"", b"loud", b"101", b"-1", b"NaN", b'1, "x": 2', b'1, "volume": 2', b"true", b"9" * 400):
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
    assert id_in(b'\xef\xbb\xbf{"id": "7"}') == "7"
    assert id_in(b'{"id": "7", "texxt": 1}') == "7"
    assert id_in(b'{"id": 7}') is None
    assert id_in(b"hello") is None


@pytest.mark.parametrize("name", ["Anna ", "An\nna", "\u0000", "Anna\u202e", " ", "\u3000\u5c0f", "", "x" * 81])
def test_a_name_that_no_voice_can_have_is_refused_before_the_recording(name: str) -> None:
    """Who enrols under such a name hears so at once, not after having read the sentence."""
    with pytest.raises(PayloadError, match="'name'"):
        parse_enroll(json.dumps({"name": name}).encode())
    assert parse_enroll('{"name": "\u5c0f\u6885 K."}'.encode()).name == "\u5c0f\u6885 K."
