"""Letters to phonemes for English words that no dictionary has: the g2p_en network in numpy.

The network (Kyubyong Park, https://github.com/Kyubyong/g2p, Apache-2.0) is a GRU encoder over letters and a greedy GRU
decoder over phonemes, 128 units wide; the weights ship as float16.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[np.float32]

LONGEST = 20
"""Phonemes at most, as in the published decoder."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_FIRST_LETTER, _UNKNOWN_LETTER, _END_OF_WORD = 3, 1, 2
_START, _STOP = 2, 3
_PHONEMES = (
    "AA0 AA1 AA2 AE0 AE1 AE2 AH0 AH1 AH2 AO0 AO1 AO2 AW0 AW1 AW2 AY0 AY1 AY2 B CH D DH EH0 EH1 EH2 ER0 ER1 ER2 "
    "EY0 EY1 EY2 F G HH IH0 IH1 IH2 IY0 IY1 IY2 JH K L M N NG OW0 OW1 OW2 OY0 OY1 OY2 P R S SH T TH "
    "UH0 UH1 UH2 UW1 UW0 UW1 UW2 V W Y Z ZH"
).split()
_FIRST_PHONEME = 4


@cache
def _weights() -> dict[str, _Array]:
    with (
        as_file(files("edge_tts.text") / "data" / "en_neural.npz") as path,
        np.load(path, allow_pickle=False) as arrays,
    ):
        return {name: arrays[name].astype(np.float32) for name in arrays.files}


@cache
def _cell(side: str) -> Callable[[int, _Array], _Array]:
    """One GRU step of `side` (enc or dec): (symbol index, state [128]) -> state [128]; gates are r, z, n."""
    w = _weights()
    w_hh, b_hh = w[f"{side}_w_hh"], w[f"{side}_b_hh"]
    from_symbol = (
        w[f"{side}_emb"] @ w[f"{side}_w_ih"].T + w[f"{side}_b_ih"]
    )  # [symbols, 3 * 128], the same at every step
    width = w_hh.shape[1]

    def step(symbol: int, h: _Array) -> _Array:
        x, from_state = from_symbol[symbol], w_hh @ h + b_hh
        gates = 1 / (1 + np.exp(-(x[: 2 * width] + from_state[: 2 * width])))
        reset, keep = gates[:width], gates[width:]
        new = np.tanh(x[2 * width :] + reset * from_state[2 * width :])
        return np.asarray((1 - keep) * new + keep * h, dtype=np.float32)

    return step


def predict(word: str) -> list[str]:
    """Phonemes of a lower-case `word`, decoded greedily."""
    w = _weights()
    letters = [_FIRST_LETTER + i if (i := _LETTERS.find(c)) >= 0 else _UNKNOWN_LETTER for c in word]
    state: _Array = np.zeros(w["enc_w_hh"].shape[1], dtype=np.float32)
    step = _cell("enc")
    for letter in [*letters, _END_OF_WORD]:
        state = step(letter, state)
    step, last, phonemes = _cell("dec"), _START, []
    for _ in range(LONGEST):
        state = step(last, state)
        last = int((w["fc_w"] @ state + w["fc_b"]).argmax())
        if last == _STOP:
            break
        if last >= _FIRST_PHONEME:
            phonemes.append(_PHONEMES[last - _FIRST_PHONEME])
    return phonemes
