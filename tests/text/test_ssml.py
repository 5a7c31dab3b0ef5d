"""SSML: what is understood, and errors that name the place."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_tts.errors import TextError
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.ssml import SpokenPart, parse_ssml

FRONT_END = TextFrontEnd()


def test_breaks_and_rates_become_parts() -> None:
    """A break closes a part with its pause; prosody gives its parts a rate, and rates multiply."""
    document = (
        '<speak>One<break time="500ms"/> two <prosody rate="80%">three <prosody rate="+50%">four</prosody></prosody>'
        '<break strength="strong"/></speak>'
    )
    parts = parse_ssml(document, "en")
    assert [(p.text, round(p.rate, 2), p.pause_s) for p in parts] == [
        ("One", 1.0, 0.5),
        ("two", 1.0, None),
        ("three", 0.8, None),
        ("four", 1.2, None),
        ("", 1.0, 0.7),
    ]


def test_rates_nest() -> None:
    """Behind an inner prosody the outer rate is back, a break leaves it alone, and the product keeps to the limits."""
    inner = '<prosody rate="fast"><prosody rate="50%">two</prosody>three<break/>four</prosody>'
    parts = parse_ssml(f'<speak><prosody rate="200%">one{inner}five</prosody>six</speak>', "en")
    assert [(p.text, p.rate) for p in parts] == [
        *[("one", 2.0), ("two", 1.25), ("three", 2.5), ("four", 2.5), ("five", 2.0), ("six", 1.0)]
    ]
    for rate, limit in (("x-slow", 0.25), ("300%", 4.0)):
        around, end = f'<prosody rate="{rate}">' * 3, "</prosody>" * 3
        (part,) = parse_ssml(f"<speak>{around}x{end}</speak>", "en")
        assert part.rate == limit


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ('<sub alias="World Wide Web">WWW</sub>', "World Wide Web"),
        ('<say-as interpret-as="characters">ab1</say-as>', "A, B, one"),
        ('<say-as interpret-as="digits">12</say-as>', "one two"),
        ('<say-as interpret-as="telephone">5-1</say-as>', "five -one"),
        ('<say-as interpret-as="ordinal">3</say-as>', "third"),
        ('<say-as interpret-as="date">1/2</say-as>', "1/2"),
        ("<emphasis>now</emphasis>", "now"),
        ("<![CDATA[a < b]]> &amp; c", "a < b & c"),
    ],
)
def test_substitutions(inner: str, text: str) -> None:
    """sub speaks its alias; say-as writes the text so that it is said as wanted."""
    assert parse_ssml(f"<speak>{inner}</speak>", "en")[0].text == text


def test_say_as_speaks_mandarin() -> None:
    """In Mandarin the digits and ordinals are Mandarin."""
    assert parse_ssml('<speak><say-as interpret-as="digits">120</say-as></speak>', "zh")[0].text == "一二零"
    assert parse_ssml('<speak><say-as interpret-as="ordinal">3</say-as></speak>', "zh")[0].text == "第3"
    assert parse_ssml('<speak xml:lang="zh"><lang xml:lang="en-US">Hi</lang></speak>', "zh") == [SpokenPart("Hi", "en")]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("<speak>\n  <b>x</b></speak>", "<b> is not understood .*line 2, column 3"),
        ("<speak>\n<break</speak>", "line 2, column"),
        ("plain text", "line 1, column 1"),
        ("<p>x</p>", "must be one <speak> element, not <p>, at line 1"),
        ('<speak><break time="soon"/></speak>', "break time 'soon' should be like 500ms"),
        ('<speak><break strength="huge"/></speak>', "none of none, x-weak"),
        ('<speak><prosody rate="quick">x</prosody></speak>', "prosody rate 'quick'"),
        ("<speak><sub>x</sub></speak>", "<sub> needs the attribute alias"),
        ('<speak><lang xml:lang="fr">x</lang></speak>', "language 'fr' is not supported"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><speak>&a;</speak>', "document type is not allowed, at line 1"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><speak>x</speak>', "document type is not allowed"),
        ("<speak>&unknown;</speak>", "undefined entity"),
        ('<speak>a <voice name="x">b</voice></speak>', "<voice> is not understood .*line 1, column 10"),
        ('<speak><audio src="http://x/y.wav"/></speak>', "<audio> is not understood"),
        ('<speak><phoneme ph="x">a</phoneme></speak>', "<phoneme> is not understood"),
        ('<speak><mark name="x"/></speak>', "<mark> is not understood"),
        ('<speak><prosody pitch="high">x</prosody></speak>', r"pitch of <prosody> is not understood \(known: rate\)"),
        ('<speak><prosody rate="80%" volume="loud">x</prosody></speak>', "volume of <prosody> is not understood"),
        ("<speak><prosody>x</prosody></speak>", "<prosody> needs the attribute rate"),
        ("<speak><lang>x</lang></speak>", "<lang> needs the attribute lang"),
        ('<speak><p style="a">x</p></speak>', r"style of <p> is not understood \(known: lang\)"),
        ('<speak xml:lang="fr-FR">x</speak>', "language 'fr-FR' is not supported"),
        ('<speak><say-as interpret-as="bleep">x</say-as></speak>', "interpret-as 'bleep' is not understood .*date"),
        ('<speak><break time="121s"/></speak>', "up to line 1, column 8 are 121 s together; at most 120 s"),
        ("<speak>Hi." + "<break/>" * 301 + "</speak>", "are 120.4 s together; at most 120 s"),
        ("<speak>" + "<break time='10s'/>" * 1000 + "</speak>", "are 130 s together"),
    ],
)
def test_errors_name_the_place(document: str, message: str) -> None:
    """A malformed or hostile document is refused with line and column; nothing is expanded or fetched."""
    with pytest.raises(TextError, match=message):
        parse_ssml(document, "en")


def test_what_every_editor_writes_is_understood() -> None:
    """Name spaces, version and schema of a document are known, and its language counts wherever it is given."""
    head = 'version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xmlns:x="y" x:schemaLocation="z" xml:lang="en-GB"'
    body = '<p>One</p><s xml:lang="zh-CN">二</s><emphasis level="strong">3</emphasis>'
    parts = parse_ssml(f"<speak {head}>{body}</speak>", "auto")
    assert [(part.text, part.language) for part in parts] == [("One", "en"), ("二", "zh"), ("3", "en")]


def test_segments_carry_pauses_and_rates() -> None:
    """Through the front end: the pause follows the last segment before the break, the rate is that of the part."""
    pause = '<break time="1s"/>'
    slow = '<prosody rate="slow">慢慢地说这一句话。</prosody>'
    document = f"<speak>你好，今天天气不错。{pause}{pause}{slow}</speak>"
    first, second = FRONT_END.segments(document, "zh", ssml=True)
    assert (first.pause_s, first.rate, second.pause_s, second.rate) == (2.0, 1.0, None, 0.75)


@pytest.mark.parametrize("encoding", ["gbk", "zzz", "utf-16", "utf-8", "us-ascii", "big5", "utf_8_sig", "x" * 300])
def test_a_document_is_text_whatever_encoding_it_declares(encoding: str) -> None:
    """A message was decoded before it came here: the declaration of the file that it once was changes nothing."""
    parts = parse_ssml(f'<?xml version="1.0" encoding="{encoding}"?><speak>Hi. 你好</speak>', "en")
    assert [part.text for part in parts] == ["Hi. 你好"]


@pytest.mark.parametrize("text", ["²", "①", "٣", "1²", "𝟏", "㉈", "½"])
@pytest.mark.parametrize("kind", ["characters", "digits", "telephone", "ordinal"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_say_as_copes_with_every_kind_of_digit(text: str, kind: str, language: str) -> None:
    """What Unicode counts among the digits has not always a value of its own to be read."""
    document = f'<speak><say-as interpret-as="{kind}">{text}</say-as></speak>'
    FRONT_END.segments(document, language, ssml=True)


PIECES = st.sampled_from(
    [
        *("<speak>", "</speak>", "<p>", "</p>", "<break/>", "<break time='1s'/>", "</say-as>", "</prosody>", "</lang>"),
        *("<prosody rate='slow'>", "<lang xml:lang='zh'>", "<sub alias='x'>", "</sub>", "<![CDATA[", "]]>"),
        *(f"<say-as interpret-as='{kind}'>" for kind in ("ordinal", "digits", "characters", "date", "x")),
        *("<?xml version='1.0' encoding='gbk'?>", "<?x y?>", "<!DOCTYPE x>", "&amp;", "&#65;", "&#0;", "&x;"),
        *("1", "²", "①", "½", "9" * 4400, "$3.50", "12:61", "%", "-", "Hi.", "你好", "\ud800", "\0", "😀", "か", "\n"),
    ]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=12), st.booleans(), st.sampled_from(["auto", "en", "zh", "all_zh"]))
def test_any_document_gives_segments_or_a_named_error(pieces: list[str], whole: bool, language: str) -> None:
    """From the document to the phonemes only TextError comes out, whatever is inside."""
    document = "".join(pieces)
    with suppress(TextError):
        FRONT_END.segments(f"<speak>{document}</speak>" if whole else document, language, ssml=True)


@given(st.text(max_size=60) | st.text(alphabet='<>/&;"= speakbrtim1', max_size=60))
def test_any_string_gives_parts_or_a_named_error(text: str) -> None:
    """Whatever is sent as SSML, only TextError comes out."""
    for document in (text, f"<speak>{text}</speak>"):
        with suppress(TextError):
            assert isinstance(parse_ssml(document, "auto"), list)
