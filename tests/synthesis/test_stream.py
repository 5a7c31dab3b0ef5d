"""Streaming: what is vocoded piece by piece is the utterance, whichever way it was cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_tts.synthesis.sovits import NoiseField, spoken_frames
from edge_tts.synthesis.stream import SegmentStream
from edge_tts.values import FloatArray, IntArray
from tools.plain_decode import change_speed, plain_decode

from .toys import CONDITIONING, PHONEMES, SAMPLES_PER_FRAME, SIZES, WIDTH, toy_sovits

CODES = (np.arange(60) * 7 % 31).astype(np.int64)
CUTS = st.lists(st.integers(1, 59), max_size=8, unique=True).map(sorted)


def render(codes: IntArray, cuts: list[int], *, attention: float = 0.0, speed: float = 1.0) -> list[FloatArray]:
    stream = SegmentStream(
        vocoder=toy_sovits(attention=attention),
        phoneme_ids=PHONEMES,
        conditioning=CONDITIONING,
        noise=NoiseField(seed=3, width=SIZES.latent_width),
        speed=speed,
    )
    pieces = [stream.render(codes[:cut], last=False) for cut in cuts]
    return [*pieces, stream.render(codes, last=True)]


@settings(deadline=None, max_examples=60)
@given(cuts=CUTS)
def test_pieces_equal_the_whole_where_features_do_not_depend_on_the_future(cuts: list[int]) -> None:
    """With a local encoder the pieces join to the plain decode, noise included: windows and halos lose nothing."""
    sovits = toy_sovits(attention=0.0)
    noise = NoiseField(seed=3, width=SIZES.latent_width).frames(0, 2 * len(CODES))
    whole, _ = plain_decode(sovits, sovits.encode(CODES, PHONEMES, CONDITIONING), CONDITIONING, noise=noise)
    np.testing.assert_allclose(np.concatenate(render(CODES, cuts)), whole, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(cuts=CUTS, speed=st.sampled_from([0.6, 0.9, 1.0, 1.3, 2.0]), attention=st.sampled_from([0.0, 1.0]))
def test_length_never_depends_on_the_cuts(cuts: list[int], speed: float, attention: float) -> None:
    """However a segment is cut and at whatever speed, its length is that of the whole: nothing dropped or repeated."""
    total = sum(len(piece) for piece in render(CODES, cuts, speed=speed, attention=attention))
    assert total == spoken_frames(2 * len(CODES), speed) * SAMPLES_PER_FRAME


@settings(deadline=None, max_examples=40)
@given(cuts=CUTS)
def test_no_step_at_any_join(cuts: list[int]) -> None:
    """Where every call sees other features (attention over all tokens), a join is no steeper than the sound itself."""
    pieces = [piece for piece in render(CODES, cuts, attention=1.0) if len(piece)]
    joined = np.concatenate(pieces)
    steps = np.abs(np.diff(joined))
    joins = np.cumsum([len(piece) for piece in pieces])[:-1] - 1
    apart = np.abs(np.diff(np.concatenate(render(CODES, [], attention=1.0)))).max()
    assert steps[joins].max(initial=0.0) <= 2 * apart


def test_the_last_piece_is_faded_in_too() -> None:
    """The final piece starts from the samples that the call before made there, not from its own."""
    first, last = render(CODES, [30], attention=1.0)
    alone = np.concatenate(render(CODES, [], attention=1.0))
    begin = len(first)
    assert last[0] != pytest.approx(alone[begin], abs=1e-6)
    assert abs(last[0] - first[-1]) < np.abs(np.diff(alone)).max() * 2


def test_a_tiny_segment_and_no_segment() -> None:
    """One code is vocoded whole; no codes give no sound."""
    assert len(np.concatenate(render(CODES[:1], []))) == 2 * SAMPLES_PER_FRAME
    assert len(np.concatenate(render(CODES[:0], []))) == 0


def test_noise_belongs_to_the_frame() -> None:
    """A frame's noise is the same whichever stretch it is asked in, and differs between frames and seeds."""
    field = NoiseField(seed=1, width=3)
    whole = field.frames(0, 200)
    np.testing.assert_array_equal(NoiseField(seed=1, width=3).frames(50, 150), whole[:, :, 50:150])
    assert len(np.unique(whole)) > 500
    assert not np.array_equal(NoiseField(seed=2, width=3).frames(0, 200), whole)


def test_speed_reads_between_frames() -> None:
    """Interpolation is linear with half-pixel centres to int(T / speed) + 1 frames; speed 1 changes nothing."""
    ramp = np.tile(np.arange(12, dtype=np.float32), (1, WIDTH, 1))
    assert change_speed(ramp, 1.0) is ramp
    faster = change_speed(ramp, 2.0)
    assert faster.shape == (1, WIDTH, 7)
    expected = np.clip((np.arange(7) + 0.5) * 12 / 7 - 0.5, 0, 11)
    np.testing.assert_allclose(faster[0, 0], expected, atol=1e-5)
