"""The guard: what a decoder swallows, repeats or does not end is decoded again, in parts, or reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.synthesis.guard import LoopWatch, bounds_of, turns_of
from edge_tts.synthesis.speech import ATTEMPTS
from edge_tts.synthesis.synthesizer import Synthesizer
from edge_tts.text.symbols import to_ids
from edge_tts.values import AudioChunk, FloatArray, GuardCounts

from .scripted import END, PACED, QUIET, TOKENS, ScriptedDecoder, synthesizer, tokens_in
from .stage import VOICE, request

TEN = "AH0 B D EH1 F G HH IH0 K L"
TWO_CLAUSES = "AH0 B D EH1 , G HH IH0 K ."
GOOD = list(range(1, 31))
"""Thirty tokens, as ten phonemes may take."""
SWALLOWED = GOOD[:9]


def speak(
    decoder: ScriptedDecoder, text: str = TEN, *, stop: Callable[[], bool] = lambda: False, **options: object
) -> tuple[list[int], GuardCounts]:
    """The tokens that are heard, and how often the guard acted."""
    spoken = chunks(synthesizer(decoder), text, stop, **options)
    return tokens_in(spoken), replace(spoken[-1].guard, segments=0)


def chunks(
    speaker: Synthesizer, text: str = TEN, stop: Callable[[], bool] = lambda: False, **options: object
) -> list[AudioChunk]:
    silent = {"fragment_interval": 0.0, **options}
    return list(speaker.stream(request(text, **silent), VOICE, stop))


def test_a_good_segment_is_decoded_once() -> None:
    """Nothing is taken for a fault, nothing decoded again, and every token is heard."""
    decoder = ScriptedDecoder(GOOD)
    assert speak(decoder) == (GOOD, GuardCounts())
    assert len(decoder.prompts) == 1


def test_an_early_end_is_refused_and_the_decoder_goes_on() -> None:
    """Below the set's fewest tokens per phoneme the end token does not win; what follows then is kept."""
    decoder = ScriptedDecoder([*GOOD[:9], END, END, *GOOD[9:]])
    heard, guard = speak(decoder)
    assert [token for token in heard if token < 300] == GOOD
    assert len(heard) == 32
    assert guard == GuardCounts()


def test_the_bound_is_by_phonemes() -> None:
    """Half as many phonemes may end with half as many tokens, and not before."""
    five = "AH0 B D EH1 F"
    decoder = ScriptedDecoder(GOOD[:9])
    heard, _ = speak(decoder, five)
    assert len(heard) == 11  # upstream's own lower bound
    ten = ScriptedDecoder([*GOOD[:19], *[END] * 3])
    assert len(speak(ten)[0]) == 20


def test_a_decoder_that_insists_on_an_early_end_is_given_another_seed() -> None:
    """When nothing was heard yet, the segment begins anew: the first attempt leaves no trace in the sound."""
    decoder = ScriptedDecoder(SWALLOWED, GOOD)
    assert speak(decoder) == (GOOD, GuardCounts(retried=1))
    assert [len(prompt.tokens) for prompt in decoder.prompts] == [2, 2]
    assert decoder.released == 2


def test_attempts_and_parts_draw_other_numbers() -> None:
    """Each is another seed: a decoder without preferences says other tokens, and the same ones for the same request."""

    class Flat(ScriptedDecoder):
        def _logits(self) -> FloatArray:
            logits = np.zeros(TOKENS, np.float32)
            logits[END] = 50.0 * (self._at > 8)
            return logits

    def drawn() -> list[list[int]]:
        decoder = Flat([])
        speak(decoder, f"{TEN} M , {TEN} N", top_k=TOKENS)
        return decoder.fed

    assert len(drawn()) == 3 * ATTEMPTS
    assert len({tuple(tokens[:6]) for tokens in drawn()}) == 3 * ATTEMPTS
    assert drawn() == drawn()


def test_an_early_end_behind_what_was_heard_goes_on_from_there() -> None:
    """What was vocoded is neither said again nor lost: the next attempt is fed with it and goes on behind it."""
    long, rest = f"{TEN} {TEN}", list(range(101, 130))
    decoder = ScriptedDecoder(GOOD[:18], GOOD[:16] + rest)
    assert speak(decoder, long) == (GOOD[:16] + rest, GuardCounts(retried=1))
    assert decoder.fed[1] == GOOD[:16] + rest
    assert speak(ScriptedDecoder(GOOD[:18]), long) == (GOOD[:18], GuardCounts(retried=1, faults={"early_end": 1}))


def test_what_fails_as_a_whole_is_spoken_in_parts() -> None:
    """A segment that no seed gets right is cut at its marks; each part has a prompt of its own and every phoneme."""
    decoder = ScriptedDecoder(SWALLOWED, SWALLOWED, SWALLOWED, GOOD[:15], GOOD[15:])
    heard, guard = speak(decoder, TWO_CLAUSES)
    assert [token for token in heard if token] == GOOD
    assert guard == GuardCounts(retried=1)
    parts = [prompt.phoneme_ids[3:].tolist() for prompt in decoder.prompts[ATTEMPTS:]]
    assert parts == [to_ids(TWO_CLAUSES.split())[:5].tolist(), to_ids(TWO_CLAUSES.split())[5:].tolist()]


def test_a_clause_without_marks_is_cut_in_half() -> None:
    """Between words, as near to the middle as possible."""
    decoder = ScriptedDecoder(SWALLOWED, SWALLOWED, SWALLOWED, GOOD[:15], GOOD[15:])
    heard, _ = speak(decoder)
    assert [token for token in heard if token] == GOOD
    assert [len(prompt.phoneme_ids) - 3 for prompt in decoder.prompts] == [10, 10, 10, 5, 5]


@pytest.mark.parametrize(("close", "final"), [(True, "."), (False, ",")])
def test_a_set_may_have_clauses_closed(close: bool, final: str) -> None:
    """For networks trained on whole sentences a segment that was cut at a comma ends with a full stop, parts too."""
    model = replace(PACED, close_clauses=close)
    decoder = ScriptedDecoder(SWALLOWED, SWALLOWED, SWALLOWED, GOOD[:15])
    list(synthesizer(decoder, model=model).stream(request("AH0 B D EH1 , G HH IH0 K ,"), VOICE))
    assert [prompt.phoneme_ids[-1] for prompt in decoder.prompts] == [to_ids([final])[0]] * 5
    asked = ScriptedDecoder(GOOD)
    list(synthesizer(asked, model=model).stream(request("AH0 B D EH1 , G HH IH0 K ?"), VOICE))
    assert asked.prompts[0].phoneme_ids[-5:].tolist() == to_ids("G HH IH0 K ?".split()).tolist()


def test_what_fails_in_parts_too_is_reported() -> None:
    """One fault a segment, however many parts fail; the parts are spoken as far as they go, and the next segment is."""
    decoder = ScriptedDecoder(*[SWALLOWED] * 3, *[[]] * 6, GOOD)
    heard, guard = speak(decoder, f"{TEN} M , {TEN} N | {TEN}")
    assert guard == GuardCounts(retried=1, faults={"early_end": 1})
    assert heard[-30:] == GOOD
    assert guard.details() == {"retried": 1, "guard": {"early_end": 1}}


def test_a_loop_is_cut_at_its_start() -> None:
    """Before anything was heard a loop leaves no trace; behind that, no more of it than was vocoded, and the decoder
    goes on as if it had not been."""
    loop = [7, 8, 9] * 40
    again = ScriptedDecoder(GOOD[:20] + loop, GOOD)
    heard, guard = speak(again)
    assert guard == GuardCounts(retried=1)
    assert heard == GOOD[:20] + loop[:12] + GOOD[23:]
    assert again.fed[1] == GOOD[:20] + loop[:3] + GOOD[23:]
    early = ScriptedDecoder([7, 8] * 40, GOOD)
    assert speak(early)[0][-14:] == GOOD[16:]


@pytest.mark.parametrize("loop", [[7], [7, 8], [7, 8, 9], list(range(40, 60))])
def test_a_loop_that_stays_is_reported(loop: list[int]) -> None:
    """A held token and longer turns alike, with every seed; the sound ends soon."""
    heard, guard = speak(ScriptedDecoder(GOOD + loop * 60))
    assert guard.faults == {"loop": 1}
    assert len(heard) <= 8 * 10 + 16


def test_a_retry_is_not_held_where_the_last_attempt_was() -> None:
    """A decoder that stays in one token whatever its seed is led out of it by the retry, and says the rest."""
    held = ScriptedDecoder([QUIET[0]] * 50 + GOOD)
    heard, guard = speak(held)
    assert guard == GuardCounts(retried=1)
    assert heard[-len(GOOD) :] == GOOD


def test_a_set_may_bound_its_runs() -> None:
    """No more equal tokens in a row than the set says are drawn, from the first attempt on."""
    decoder = ScriptedDecoder([QUIET[0]] * 25 + GOOD)
    spoken = chunks(synthesizer(decoder, model=replace(PACED, longest_run=6)))
    assert replace(spoken[-1].guard, segments=0) == GuardCounts()
    runs = "".join("." if token == QUIET[0] else "x" for token in decoder.fed[0]).split("x")
    assert max(map(len, runs)) == 6
    assert tokens_in(spoken)[-len(GOOD) :] == GOOD


def test_what_the_text_repeats_is_no_loop() -> None:
    """Laughter of twelve turns is said in twelve turns; the same tokens for another text are a loop."""
    laughter, tokens = " ".join(["HH AH0"] * 12), [7, 8, 9, 10, 11] * 12
    assert speak(ScriptedDecoder(tokens), laughter) == (tokens, GuardCounts())
    _, guard = speak(ScriptedDecoder(tokens), " ".join(TEN.split() * 2 + ["M", "N", "OW1"]))
    assert guard.faults == {"loop": 1}


def test_a_decoder_that_finds_no_end_is_reported() -> None:
    """What reaches the most tokens per phoneme without an end went round: it is cut there and named."""
    heard, guard = speak(ScriptedDecoder([101 + index * 7 % 97 for index in range(1500)]))
    assert len(heard) == 8 * 10 + 16
    assert guard.faults == {"loop": 1}


def test_silence_at_the_start_begins_anew() -> None:
    """Nothing was heard, so the whole segment is spoken by the next attempt."""
    decoder = ScriptedDecoder(quiet(90), GOOD)
    heard, guard = speak(decoder)
    assert guard == GuardCounts(retried=1)
    assert [token for token in heard if token] == GOOD


def test_silence_that_does_not_end_is_cut_short() -> None:
    """What was said before it stays, the next attempt goes on behind that, and the pause is shorter."""
    decoder = ScriptedDecoder(GOOD[:20] + quiet(70), GOOD)
    heard, guard = speak(decoder)
    assert guard == GuardCounts(retried=1)
    assert heard.count(0) < 40
    assert decoder.fed[1] == GOOD


def test_a_silence_that_stays_is_reported() -> None:
    """With every seed nothing but silence follows: the segment ends there."""
    _, guard = speak(ScriptedDecoder(GOOD + quiet(200)))
    assert guard.faults == {"silence": 1}


def quiet(count: int) -> list[int]:
    """So many silent tokens, no two alike: no loop."""
    return [QUIET[index * 7 % 100] for index in range(count)]


def test_a_pause_is_no_silence() -> None:
    """Half a second of it inside a sentence is left alone."""
    tokens = GOOD[:15] + quiet(12) + GOOD[15:]
    heard, guard = speak(ScriptedDecoder(tokens))
    assert (len(heard), guard) == (len(tokens), GuardCounts())


@pytest.mark.parametrize("script", [SWALLOWED, GOOD * 9, [7] * 200])
def test_a_stop_is_no_fault(script: list[int]) -> None:
    """Stopped while the end is refused, in a loop or without an end: nothing is reported and nothing decoded again."""
    for calls in (3, 15, 25):
        asked: list[None] = []

        def stop(asked: list[None] = asked, calls: int = calls) -> bool:
            asked.append(None)
            return len(asked) > calls

        decoder = ScriptedDecoder(script)
        _, guard = speak(decoder, f"{TEN} | {TEN}", stop=stop)
        assert guard == GuardCounts(retried=guard.retried)
        assert len(decoder.prompts) == 1 + guard.retried


def test_an_abandoned_stream_lets_the_decoder_go() -> None:
    """Closing the generator in the middle releases the row and decodes nothing more."""
    decoder = ScriptedDecoder(GOOD)
    stream = synthesizer(decoder).stream(request(TEN), VOICE)
    next(stream)
    stream.close()
    assert decoder.released == 1


def test_the_first_sound_does_not_wait_for_the_guard() -> None:
    """The first chunk comes with the sixteenth token, as without a guard."""
    decoder = ScriptedDecoder(GOOD)
    first = next(iter(synthesizer(decoder).stream(request(TEN), VOICE)))
    assert len(first.samples) > 0
    assert decoder._at == 15


@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 3, END]), max_size=150), min_size=1, max_size=8))
def test_whatever_a_decoder_says_the_stream_ends(scripts: list[list[int]]) -> None:
    """It never decodes a text or a part more than three times, never says more than the bounds allow plus what was cut,
    and counts one fault a segment at most."""
    decoder = ScriptedDecoder(*scripts)
    heard, guard = speak(decoder, TWO_CLAUSES)
    assert len(decoder.prompts) <= 3 * ATTEMPTS
    assert sum(guard.faults.values()) <= 1
    assert len(heard) <= 3 * (8 * 10 + 16) + 20
    assert decoder.released == len(decoder.prompts)


def test_bounds_follow_the_pace_of_set_and_voice() -> None:
    """Fewest and most tokens are those of the set, wider for a voice whose own prompt is faster or slower."""
    assert (bounds_of(PACED, VOICE, 10).fewest, bounds_of(PACED, VOICE, 10).most) == (20, 96)

    def voice(tokens: int) -> object:
        return replace(VOICE, prompt_tokens=np.arange(15 + tokens), prompt_phoneme_ids=np.arange(10))

    assert bounds_of(PACED, voice(12), 10).fewest == 9  # type: ignore[arg-type]
    assert bounds_of(PACED, voice(80), 10).most == 136  # type: ignore[arg-type]
    unpaced = replace(PACED, min_tokens_per_phoneme=0.0, max_tokens_per_phoneme=None)
    assert (bounds_of(unpaced, VOICE, 10).fewest, bounds_of(unpaced, VOICE, 10).most) == (0, 1281)


@pytest.mark.parametrize(
    ("text", "turns"), [("AH0 B D", 1), ("AH0 AH0", 2), ("B HH AH0 HH AH0 HH AH0 HH", 3), ("K", 1), ("", 1)]
)
def test_repetitions_of_a_text_are_counted(text: str, turns: int) -> None:
    """How often a part of it follows itself."""
    assert turns_of(to_ids(text.split())) == turns


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(1, 8))
def test_a_loop_is_found_wherever_it_begins(before: list[int], period: int) -> None:
    """A sequence of any period that goes on is found, and the tokens before its first repetition are counted."""
    watch = LoopWatch(turns=1)
    turn = [100 + index for index in range(period)]
    found = [watch.add(token) for token in before + turn * 40]
    first = next(good for good in found if good is not None)
    assert first == len(before) + period
