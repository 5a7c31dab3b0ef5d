"""Level, clipping, holes, hum and whistling of a recording."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from edge_tts.values import FloatArray

FLOOR_DB = -100.0
"""Level of silence."""
_FLAT_RUN, _FLAT = 3, 0.999
_HOLE_S = 0.01
STEADY_S = 0.5
"""Shorter sound does not show what is steady."""
_SYLLABLE_S = 0.02
_MAINS_HZ, _OVERTONES = (50.0, 60.0), (1, 2, 3, 4, 6)
_PROMINENCE = 8.0


def level_db(samples: FloatArray) -> float:
    """Mean level of float32 [samples], dB of full scale."""
    return _db(float(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else FLOOR_DB


def floor_db(samples: FloatArray, rate: int, *, share: float = 0.05) -> float:
    """dB that `share` of the 20 ms blocks stay below.

    A twentieth of speech is the gaps between syllables, 20 dB and more below clean speech. Half of the background is
    the room, whatever coughs are in it.
    """
    size = int(_SYLLABLE_S * rate)
    blocks = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float64)
    return _db(float(np.quantile(np.square(blocks).mean(axis=1), share))) if len(blocks) else FLOOR_DB


def clipped_share(samples: FloatArray) -> float:
    """Share of samples, 0 to 1, in flat tops: three or more in a row at the highest or lowest value.

    Not at full scale: a converter that clips is often followed by one that scales down.
    """
    if not len(samples):
        return 0.0
    least = 10 ** (FLOOR_DB / 20)
    high, low = max(float(samples.max()), least), min(float(samples.min()), -least)
    tops = (samples >= _FLAT * high).astype(np.float64) - (samples <= _FLAT * low)
    return float(_runs(tops, shortest=_FLAT_RUN).mean())


def hole_share(samples: FloatArray, rate: int) -> float:
    """Share of samples, 0 to 1, constant for 10 ms or more, as of a muted microphone."""
    still = (np.diff(samples, prepend=np.float32(np.nan)) == 0).astype(np.float64)
    return float(_runs(still, shortest=max(1, int(_HOLE_S * rate))).mean()) if len(samples) else 0.0


def high_share_db(samples: FloatArray, rate: int) -> float:
    """Power above 8 kHz (6 kHz at rates up to 16 kHz) relative to the speech below, dB."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    high = 8000.0 if rate > 16000 else 6000.0
    speech = float(power[(hertz >= 80) & (hertz < high)].sum())
    return _db(float(power[hertz >= high].sum()) / max(speech, 1e-12))


def hum_db(background: FloatArray, rate: int) -> float:
    """dB of the mains (50 or 60 Hz, the stronger) and its overtones, outside speech.

    Only what stands out of neighbouring frequencies counts, so noise does not; nor does an overtone without its mains,
    which is a note of music.
    """
    power, resolution = _steady_power(background, rate)
    if power is None:
        return FLOOR_DB
    levels = [[_tone_power(power, mains * overtone / resolution) for overtone in _OVERTONES] for mains in _MAINS_HZ]
    return max(_db(sum(tones)) if tones[0] or np.count_nonzero(tones) > 1 else FLOOR_DB for tones in levels)


def hum_under_speech_db(speech: FloatArray, rate: int) -> float:
    """dB of the mains under continuous speech.

    Without overtones, which voices share, and only what lasts nine tenths of the time: no low voice does.
    """
    power, resolution = _steady_power(speech, rate, least=0.1)
    return FLOOR_DB if power is None else max(_db(_tone_power(power, mains / resolution)) for mains in _MAINS_HZ)


def whistle_db(sound: FloatArray, rate: int) -> float:
    """dB of the strongest steady tone above 3 kHz, with or without speech: no voice holds one."""
    power, resolution = _steady_power(sound, rate)
    if power is None:
        return FLOOR_DB
    bins = range(int(3000 / resolution), len(power) - 12, 2)
    return _db(max((_tone_power(power, float(index)) for index in bins), default=0.0))


def _steady_power(
    samples: FloatArray, rate: int, *, least: float = 0.5
) -> tuple[npt.NDArray[np.float64] | None, float]:
    """Mean square per bin that all but `least` of the frames reach, and Hz per bin; None below half a second."""
    size = int(STEADY_S * rate)
    if len(samples) < size:
        return None, 1.0
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    frames = sliding_window_view(samples, size)[:: size // 2] * window
    power = 2 * np.abs(np.fft.rfft(frames, axis=1)) ** 2 / (size * float(np.square(window).sum()))
    return np.asarray(np.quantile(power, least, axis=0)), rate / size


def _tone_power(power: npt.NDArray[np.float64], position: float) -> float:
    """Mean square of a tone near bin `position`, less that of bins 8 to 12 away; 0 if it does not stand out."""
    centre = round(position)
    tone = float(power[max(0, centre - 2) : centre + 3].sum())
    beside = [*power[max(0, centre - 12) : max(0, centre - 7)], *power[centre + 8 : centre + 13]]
    around = 5 * float(np.median(beside)) if beside else 0.0
    return tone - around if tone > _PROMINENCE * around else 0.0


def _runs(marks: npt.NDArray[np.floating], *, shortest: int) -> npt.NDArray[np.bool_]:
    """Elements in runs of `shortest` or more equal non-zero marks."""
    edges = np.flatnonzero(np.diff(marks, prepend=np.nan, append=np.nan) != 0)
    starts, ends = edges[:-1], edges[1:]
    long = (ends - starts >= shortest) & (marks[starts] != 0)
    return np.repeat(long, ends - starts)


def _db(power: float) -> float:
    return float(max(FLOOR_DB, 10 * np.log10(max(power, 1e-30))))
