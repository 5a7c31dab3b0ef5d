"""What can be measured about a recording without a network: level, clipping, holes, hum, whistling. Pure numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from edge_tts.values import FloatArray

FLOOR_DB = -100.0
"""What silence measures."""
_FLAT_RUN, _FLAT = 3, 0.999
_HOLE_S = 0.01
STEADY_S = 0.5
"""Less than so much tells nothing about what is there all the time."""
_SYLLABLE_S = 0.02
_MAINS_HZ, _OVERTONES = (50.0, 60.0), (1, 2, 3, 4, 6)
_OUTSTANDING = 8.0


def level_db(samples: FloatArray) -> float:
    """Mean level of float32 [samples] below full scale."""
    return _db(float(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else FLOOR_DB


def floor_db(samples: FloatArray, rate: int, *, share: float = 0.05) -> float:
    """What `share` of the samples stay below, in stretches of 20 ms. A twentieth of speech is what lies between the
    syllables: 20 dB and more below clean speech; noise under it shows as it is. Half of what is heard while nobody
    speaks is the room: a cough, or a word that was not recognized as one, does not change it.
    """
    size = int(_SYLLABLE_S * rate)
    stretches = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float64)
    return _db(float(np.quantile(np.square(stretches).mean(axis=1), share))) if len(stretches) else FLOOR_DB


def clipped_share(samples: FloatArray) -> float:
    """Share of samples, 0 to 1, in flat tops: three or more in a row at the highest or lowest value, whatever it is.

    A converter that clips is often followed by one that scales down, so full scale itself proves nothing.
    """
    if not len(samples):
        return 0.0
    least = 10 ** (FLOOR_DB / 20)
    high, low = max(float(samples.max()), least), min(float(samples.min()), -least)
    tops = (samples >= _FLAT * high).astype(np.float64) - (samples <= _FLAT * low)
    return float(_runs(tops, shortest=_FLAT_RUN).mean())


def hole_share(samples: FloatArray, rate: int) -> float:
    """Share of samples, 0 to 1, that stand exactly still for 10 ms or more: a microphone that drops out or is muted."""
    still = (np.diff(samples, prepend=np.float32(np.nan)) == 0).astype(np.float64)
    return float(_runs(still, shortest=max(1, int(_HOLE_S * rate))).mean()) if len(samples) else 0.0


def high_share_db(samples: FloatArray, rate: int) -> float:
    """Power above 8 kHz (above 6 kHz where the recording ends at 8) against the power of the band of speech below."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    high = 8000.0 if rate > 16000 else 6000.0
    speech = float(power[(hertz >= 80) & (hertz < high)].sum())
    return _db(float(power[hertz >= high].sum()) / max(speech, 1e-12))


def hum_db(background: FloatArray, rate: int) -> float:
    """Level of the mains and its overtones in what is heard while nobody speaks: 50 or 60 Hz, the stronger one.

    What stands out of the neighbouring frequencies counts, so that plain noise is no hum; and a single overtone without
    its mains does not, so that a note of music is none.
    """
    power, resolution = _steady(background, rate)
    if power is None:
        return FLOOR_DB
    found = [[_standing_out(power, mains * overtone / resolution) for overtone in _OVERTONES] for mains in _MAINS_HZ]
    return max(_db(sum(tones)) if tones[0] or np.count_nonzero(tones) > 1 else FLOOR_DB for tones in found)


def hum_under_speech_db(speech: FloatArray, rate: int) -> float:
    """Level of the mains where somebody speaks all the time: without overtones, for those are where voices have theirs,
    and only as far as it is there nine tenths of the time, which a low voice is not."""
    power, resolution = _steady(speech, rate, least=0.1)
    return FLOOR_DB if power is None else max(_db(_standing_out(power, mains / resolution)) for mains in _MAINS_HZ)


def whistle_db(sound: FloatArray, rate: int) -> float:
    """Level of the strongest steady tone above 3 kHz, in speech or where nobody speaks: no voice holds one."""
    power, resolution = _steady(sound, rate)
    if power is None:
        return FLOOR_DB
    bins = range(int(3000 / resolution), len(power) - 12, 2)
    return _db(max((_standing_out(power, float(index)) for index in bins), default=0.0))


def _steady(samples: FloatArray, rate: int, *, least: float = 0.5) -> tuple[npt.NDArray[np.float64] | None, float]:
    """Power per bin that is there all the time (mean square), and Hz per bin; None for less than half a second.

    All but a share of `least` of the time has that much.
    """
    size = int(STEADY_S * rate)
    if len(samples) < size:
        return None, 1.0
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    frames = sliding_window_view(samples, size)[:: size // 2] * window
    power = 2 * np.abs(np.fft.rfft(frames, axis=1)) ** 2 / (size * float(np.square(window).sum()))
    return np.asarray(np.quantile(power, least, axis=0)), rate / size


def _standing_out(power: npt.NDArray[np.float64], position: float) -> float:
    """Mean square of a tone near bin `position`, less what its neighbours 8 to 12 bins away have."""
    centre = round(position)
    tone = float(power[max(0, centre - 2) : centre + 3].sum())
    beside = [*power[max(0, centre - 12) : max(0, centre - 7)], *power[centre + 8 : centre + 13]]
    around = 5 * float(np.median(beside)) if beside else 0.0
    return tone - around if tone > _OUTSTANDING * around else 0.0


def _runs(marks: npt.NDArray[np.floating], *, shortest: int) -> npt.NDArray[np.bool_]:
    """Which elements belong to a run of `shortest` or more equal marks other than 0."""
    edges = np.flatnonzero(np.diff(marks, prepend=np.nan, append=np.nan) != 0)
    starts, ends = edges[:-1], edges[1:]
    long = (ends - starts >= shortest) & (marks[starts] != 0)
    return np.repeat(long, ends - starts)


def _db(power: float) -> float:
    return float(max(FLOOR_DB, 10 * np.log10(max(power, 1e-30))))
